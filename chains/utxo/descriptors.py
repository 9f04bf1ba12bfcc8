"""Vaults as output descriptors (BIP-380 to 383, 386, 389): every script and address of a vault.

Only templates that we can build, show and sign are known. The checksum is mandatory.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from chains.errors import CodecError
from chains.hd import HARDENED, ExtendedKey, KeyOrigin, step_text
from chains.utxo import addresses, scripts, taproot
from chains.utxo.params import UtxoParams

DESCRIPTOR_CHARS_MAX = 4096
"""Fifteen keys with origins take about 2,500 characters."""

RECEIVE = 0
"""The branch whose addresses are given to others."""

CHANGE = 1
"""The branch that only we pay to."""

_INPUT_CHARSET = (
    "0123456789()[],'/*abcdefgh@:$%{}"
    "IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~"
    'ijklmnopqrstuvwxyzABCDEFGH`#"\\ '
)
_CHECKSUM_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_CHECKSUM_STEPS = (0xF5DEE51989, 0xA9FDCA3312, 0x1BAB10E32D, 0x3706B1677A, 0x644D626FFD)
_KEY = re.compile(r"(?P<origin>\[[^\]]*\][1-9A-HJ-NP-Za-km-z]+)/(?:<0;1>/\*|\*\*)")
_MULTISIG = re.compile(r"sortedmulti\((?P<threshold>[1-9][0-9]?),(?P<keys>[^()]+)\)")


class DescriptorError(CodecError):
    """A descriptor that is malformed or that describes more than we can sign."""

    code = "descriptor.invalid"


class DescriptorChecksum(DescriptorError):
    """A missing or wrong checksum: the descriptor was cut or mistyped."""

    code = "descriptor.bad_checksum"


class DuplicateKey(DescriptorError):
    """One key twice in a vault: fewer people than it seems could spend."""

    code = "descriptor.duplicate_key"


class WrongCoin(DescriptorError):
    """A key made for another coin or network."""

    code = "descriptor.wrong_coin"


class Template(StrEnum):
    """The shapes of vault that exist here."""

    PKH = "pkh"
    WPKH = "wpkh"
    SH_WPKH = "sh(wpkh)"
    SH_MULTI = "sh"
    WSH_MULTI = "wsh"
    SH_WSH_MULTI = "sh(wsh)"
    TR = "tr"


_SINGLE = (Template.PKH, Template.WPKH, Template.SH_WPKH, Template.TR)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptKey:
    """A key inside a script and the path from its master key.

    33 bytes; in taproot the 32 of the internal key, which has no parity.
    """

    public_key: bytes
    fingerprint: bytes
    path: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultScript:
    """All that one index of a vault means. Inner parts are empty where there are none."""

    script_pubkey: bytes
    redeem_script: bytes
    witness_script: bytes
    keys: tuple[ScriptKey, ...]
    internal_key: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptorVault:
    """A vault of `threshold` of its keys on one network. Build it with `parse`."""

    name: str
    network: str
    template: Template
    threshold: int
    keys: tuple[KeyOrigin, ...]
    branches: tuple[tuple[ExtendedKey, ...], ...]

    @classmethod
    def parse(cls, name: str, params: UtxoParams, text: str) -> "DescriptorVault":
        """Read a descriptor with its checksum. Raises DescriptorError or ExtendedKeyError."""
        template, threshold, key_texts = _shape(_body(text))
        keys = tuple(_key(params, key_text) for key_text in key_texts)
        if len({key.key.public_key for key in keys}) != len(keys):
            raise DuplicateKey("got one key twice, expected all keys to be different")
        for key in keys:
            if key.key.hint not in ("", str(template)):
                raise DescriptorError(f"got a key made for {key.key.hint}, expected {template}")
        branches = tuple(
            tuple(key.key.child(branch) for key in keys) for branch in (RECEIVE, CHANGE)
        )
        vault = cls(
            name=name,
            network=params.id,
            template=template,
            threshold=threshold,
            keys=keys,
            branches=branches,
        )
        if vault.is_segwit and not params.segwit:
            raise DescriptorError(f"got {template}, which {params.id} does not have")
        if vault.is_taproot and not params.taproot:
            raise DescriptorError(f"got {template}, which {params.id} does not have")
        return vault

    @property
    def is_segwit(self) -> bool:
        """Whether its signatures go into the witness."""
        return self.template not in (Template.PKH, Template.SH_MULTI)

    @property
    def is_taproot(self) -> bool:
        """Whether its signatures are BIP-340 and cover the amounts of all inputs."""
        return self.template is Template.TR

    @property
    def text(self) -> str:
        """The canonical descriptor with its checksum."""
        inner = ",".join(f"{key.text}/<0;1>/*" for key in self.keys)
        if self.template not in _SINGLE:
            inner = f"sortedmulti({self.threshold},{inner})"
        depth = str(self.template).count("(")
        body = str(self.template).replace(")", "") + "(" + inner + ")" * (depth + 1)
        return f"{body}#{checksum(body)}"

    def script_at(self, branch: int, index: int) -> VaultScript:
        """The script at an index of RECEIVE or CHANGE."""
        if branch not in (RECEIVE, CHANGE):
            raise DescriptorError(f"got branch {branch}, expected 0 or 1")
        points = [parent.child_key(index) for parent in self.branches[branch]]
        keys = tuple(
            ScriptKey(
                public_key=point[1:] if self.is_taproot else point,
                fingerprint=origin.fingerprint,
                path=(*origin.path, branch, index),
            )
            for origin, point in zip(self.keys, points, strict=True)
        )
        redeem, witness = self._inner(points)
        return VaultScript(
            script_pubkey=self._outer(points[0], redeem, witness),
            redeem_script=redeem,
            witness_script=witness,
            keys=keys,
            internal_key=keys[0].public_key if self.is_taproot else b"",
        )

    def address_at(self, params: UtxoParams, branch: int, index: int) -> str:
        """The address at an index, as text."""
        if params.id != self.network:
            raise WrongCoin(f"got parameters of {params.id}, expected {self.network}")
        return addresses.encode(params, self.script_pubkey_at(branch, index))

    def script_pubkey_at(self, branch: int, index: int) -> bytes:
        """The output script alone: what an address is made of, and the fast way to it."""
        if branch not in (RECEIVE, CHANGE):
            raise DescriptorError(f"got branch {branch}, expected 0 or 1")
        keys = [parent.child_key(index) for parent in self.branches[branch]]
        redeem, witness = self._inner(keys)
        return self._outer(keys[0], redeem, witness)

    def _inner(self, keys: list[bytes]) -> tuple[bytes, bytes]:
        """Redeem and witness script."""
        match self.template:
            case Template.PKH | Template.WPKH | Template.TR:
                return b"", b""
            case Template.SH_WPKH:
                return scripts.p2wpkh(scripts.hash160(keys[0])), b""
        multi = scripts.multisig(self.threshold, sorted(keys))
        match self.template:
            case Template.SH_MULTI:
                return multi, b""
            case Template.WSH_MULTI:
                return b"", multi
        return scripts.p2wsh(scripts.sha256(multi)), multi

    def _outer(self, first_key: bytes, redeem: bytes, witness: bytes) -> bytes:
        if redeem:
            return scripts.p2sh(scripts.hash160(redeem))
        if witness:
            return scripts.p2wsh(scripts.sha256(witness))
        if self.template is Template.WPKH:
            return scripts.p2wpkh(scripts.hash160(first_key))
        if self.template is Template.TR:
            return scripts.witness_program(1, taproot.output_key(first_key[1:]))
        return scripts.p2pkh(scripts.hash160(first_key))


def checksum(body: str) -> str:
    """The eight characters after # (BIP-380). Raises DescriptorError for foreign characters."""
    symbols: list[int] = []
    groups: list[int] = []
    for char in body:
        value = _INPUT_CHARSET.find(char)
        if value < 0:
            raise DescriptorError(f"got character {char!r}, which descriptors do not have")
        symbols.append(value & 31)
        groups.append(value >> 5)
        if len(groups) == 3:
            symbols.append(groups[0] * 9 + groups[1] * 3 + groups[2])
            groups = []
    if groups:
        symbols.append(groups[0] if len(groups) == 1 else groups[0] * 3 + groups[1])
    residue = _polymod([*symbols, *bytes(8)]) ^ 1
    return "".join(_CHECKSUM_CHARSET[residue >> 5 * (7 - at) & 31] for at in range(8))


def with_checksum(body: str) -> str:
    """A descriptor body and its checksum."""
    return f"{body}#{checksum(body)}"


def multisig_descriptor(template: Template, threshold: int, keys: Iterable[KeyOrigin]) -> str:
    """The descriptor of a new multisig vault over account keys."""
    inner = ",".join(f"{key.text}/<0;1>/*" for key in keys)
    opening = str(template).replace(")", "") + f"(sortedmulti({threshold},{inner})"
    return with_checksum(opening + ")" * (str(template).count("(") + 1))


def _polymod(symbols: Iterable[int]) -> int:
    residue = 1
    for value in symbols:
        top = residue >> 35
        residue = (residue & 0x7FFFFFFFF) << 5 ^ value
        for bit, step in enumerate(_CHECKSUM_STEPS):
            if top >> bit & 1:
                residue ^= step
    return residue


def _body(text: str) -> str:
    if len(text) > DESCRIPTOR_CHARS_MAX:
        raise DescriptorError(f"got {len(text)} characters, expected at most 4096")
    body, mark, given = text.partition("#")
    if not mark:
        raise DescriptorChecksum("got no checksum, expected # and eight characters at the end")
    if given != checksum(body):
        raise DescriptorChecksum("the checksum does not match: copy the whole descriptor again")
    return body


def _shape(body: str) -> tuple[Template, int, list[str]]:
    # Longest opening first: "sh(" also begins "sh(wsh(".
    for template in sorted(Template, key=len, reverse=True):
        opening = str(template).replace(")", "") + "("
        closing = ")" * opening.count("(")
        if not (body.startswith(opening) and body.endswith(closing)):
            continue
        inner = body[len(opening) : len(body) - len(closing)]
        if template in _SINGLE:
            return template, 1, [inner]
        match = _MULTISIG.fullmatch(inner)
        if match is None:
            break
        threshold, keys = int(match["threshold"]), match["keys"].split(",")
        most = scripts.MULTISIG_KEYS_MAX
        if not 1 <= threshold <= len(keys) <= most:
            raise DescriptorError(f"got {threshold} of {len(keys)} keys, expected m <= n <= {most}")
        return template, threshold, keys
    raise DescriptorError(
        "got another descriptor, expected pkh, wpkh, sh(wpkh), tr(key)"
        " or sortedmulti in sh, wsh or sh(wsh)"
    )


def _key(params: UtxoParams, text: str) -> KeyOrigin:
    match = _KEY.fullmatch(text)
    if match is None:
        raise DescriptorError("got a key of another shape, expected [fingerprint/path]xpub/<0;1>/*")
    key = KeyOrigin.parse(match["origin"])
    if key.key.version != params.xpub_version:
        raise WrongCoin(f"got an extended key of another network, expected one of {params.id}")
    coin = params.coin_type + HARDENED
    if len(key.path) > 1 and key.path[1] != coin:
        raise WrongCoin(
            f"got coin {step_text(key.path[1])} in the path, expected {params.coin_type}h"
        )
    return key
