"""Address text to output script and back, each reason for a refusal with its own code.

The text itself is never repeated in an error: it may be a private key pasted by mistake.
"""

import re
from collections.abc import Iterable

from embit import base58

from chains.errors import (
    AddressError,
    BadChecksum,
    MixedCase,
    MwebAddress,
    UnknownWitnessVersion,
    WrongNetwork,
)
from chains.types import Destination
from chains.utxo import bech32, mweb, scripts
from chains.utxo.params import BUILTIN, UtxoParams
from chains.utxo.scripts import ScriptError, ScriptKind

TEXT_CHARS_MAX = 200
"""No address is longer; an MWEB address has about 110 characters."""

_BASE58 = re.compile(r"[1-9A-HJ-NP-Za-km-z]+")
_EVM = re.compile(r"0[xX][0-9a-fA-F]{40}")


class NotPayable(AddressError):
    """A kind of output that this network does not have."""

    code = "address.kind_unavailable"


def parse(params: UtxoParams, text: str) -> Destination:
    """The destination that `text` means on this network. Raises AddressError."""
    if not text or len(text) > TEXT_CHARS_MAX or not text.isascii():
        raise AddressError("got text of another shape, expected an address")
    if _EVM.fullmatch(text):
        raise WrongNetwork(f"got an address of an EVM chain, expected one of {params.id}")
    if _hrp_of(text, _all_hrps(params)):
        return _parse_bech32(params, text)
    if _BASE58.fullmatch(text):
        return _parse_base58(params, text)
    raise AddressError(f"got text of another shape, expected an address of {params.id}")


def encode(params: UtxoParams, script: bytes) -> str:
    """The canonical address of an output script. Raises ScriptError for other scripts."""
    kind = scripts.kind_of(script)
    if kind is ScriptKind.P2PKH:
        return str(base58.encode_check(bytes((params.p2pkh,)) + script[3:23]))
    if kind is ScriptKind.P2SH:
        return str(base58.encode_check(bytes((params.p2sh,)) + script[2:22]))
    if kind is None or not _has(params, kind):
        raise ScriptError(f"got a script without an address on {params.id}")
    return bech32.encode(params.hrp, 1 if kind is ScriptKind.P2TR else 0, script[2:])


def _all_hrps(params: UtxoParams) -> set[str]:
    known = [*BUILTIN.values(), params]
    return {hrp for one in known for hrp in (one.hrp, one.mweb_hrp) if hrp}


def _hrp_of(text: str, hrps: Iterable[str]) -> str:
    """The known prefix that `text` starts with, longest first, or "" when there is none."""
    lower = text.lower()
    for hrp in sorted(hrps, key=len, reverse=True):
        if lower.startswith(hrp + "1"):
            return hrp
    return ""


def _parse_bech32(params: UtxoParams, text: str) -> Destination:
    lower = text.lower()
    if text not in (lower, text.upper()):
        raise MixedCase("got upper and lower case, expected one of them throughout")
    hrp = _hrp_of(text, _all_hrps(params))
    if hrp in {one.mweb_hrp for one in (*BUILTIN.values(), params)}:
        raise MwebAddress("got an MWEB address, expected a transparent one")
    if hrp != params.hrp:
        raise WrongNetwork(f"got prefix {hrp!r}, expected {params.hrp or 'no bech32'!r}")
    version, program = bech32.decode(hrp, lower)
    if params.mweb and bytes((0x50 + version, len(program))) in (mweb.HOGADDR, mweb.PEGIN):
        raise MwebAddress("got a script of MWEB's own, expected an address that a person owns")
    if version > 1 or (version == 1 and len(program) != 32):
        raise UnknownWitnessVersion(
            f"got witness version {version} with {len(program)} bytes, which nobody can spend yet"
        )
    script = scripts.witness_program(version, program)
    kind = scripts.kind_of(script)
    if kind is None:
        raise AddressError(f"got {len(program)} bytes for version 0, expected 20 or 32")
    if not _has(params, kind):
        raise NotPayable(f"got {kind}, which {params.id} does not have")
    return Destination(network=params.id, address=lower, target=script, kind=str(kind))


def _parse_base58(params: UtxoParams, text: str) -> Destination:
    raw = base58.decode(text)
    if len(raw) < 5 or scripts.sha256d(raw[:-4])[:4] != raw[-4:]:
        raise BadChecksum("the checksum does not match: compare the address letter by letter")
    if len(raw) != 25:
        raise AddressError(f"got {len(raw) - 5} bytes, expected the 20 of an address")
    version, payload = raw[0], raw[1:-4]
    if version == params.p2pkh:
        script, kind = scripts.p2pkh(payload), ScriptKind.P2PKH
    elif version == params.p2sh:
        script, kind = scripts.p2sh(payload), ScriptKind.P2SH
    elif version == params.p2sh_legacy:
        raise WrongNetwork("got the old P2SH form that Bitcoin uses too; ask for its new form")
    else:
        raise WrongNetwork(f"got version byte {version}, which is not one of {params.id}")
    return Destination(network=params.id, address=text, target=script, kind=str(kind))


def _has(params: UtxoParams, kind: ScriptKind) -> bool:
    if kind is ScriptKind.P2TR:
        return params.taproot and params.hrp != ""
    if kind in (ScriptKind.P2WPKH, ScriptKind.P2WSH):
        return params.segwit and params.hrp != ""
    return True
