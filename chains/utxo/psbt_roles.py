"""What the online side does with a PSBT: create and update, combine signatures, finalize."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Protocol

from coincurve import PublicKey

from chains.errors import InvariantError, invariant
from chains.utxo import psbt_fields, scripts, taproot, transactions
from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.descriptors import ScriptKey, VaultScript
from chains.utxo.psbt import (
    MAGIC,
    SIGHASH_ALL,
    Psbt,
    PsbtInput,
    Sighasher,
    script_code,
    taproot_type,
)
from chains.utxo.psbt_fields import PsbtBadSignature, PsbtIncomplete, PsbtUnproven
from chains.utxo.scripts import ScriptKind
from chains.utxo.sources import ScriptSource
from chains.utxo.transactions import Transaction, TxInput, TxOutput

SEQUENCE = 0xFFFFFFFD
"""Replaceable (BIP-125), without a relative lock time."""


class Signature(Protocol):
    """A signature over one input: DER and the type byte, or BIP-340 by a taproot output key."""

    @property
    def index(self) -> int:
        """Which input."""
        ...

    @property
    def public_key(self) -> bytes:
        """33 bytes; of a taproot output the 32 in its script."""
        ...

    @property
    def signature(self) -> bytes:
        """DER and 0x01; on taproot 64 bytes, and 0x01 if the input asks for ALL."""
        ...


def build(
    *,
    coins: Sequence[Coin],
    outputs: Sequence[Payout],
    vaults: Mapping[str, ScriptSource],
    psbt_version: int = 0,
) -> bytes:
    """An unsigned PSBT with everything a signer needs to check it for itself.

    `vaults` are by name, at least those of the coins and of own outputs. Raises PsbtUnproven when
    a coin is not what its transaction says.
    """
    invariant(psbt_version in (0, 2), f"got PSBT version {psbt_version}, expected 0 or 2")
    tx = Transaction(
        inputs=tuple(
            TxInput(txid=coin.outpoint.txid, vout=coin.outpoint.vout, sequence=SEQUENCE)
            for coin in coins
        ),
        outputs=tuple(TxOutput(sats=output.sats, script=output.script) for output in outputs),
    )
    head = _head(tx, psbt_version)
    maps = [_input_map(coin, vaults, psbt_version) for coin in coins]
    maps += [_output_map(output, vaults, psbt_version) for output in outputs]
    return _joined([head, *maps])


def add_signatures(raw: bytes, signatures: Iterable[Signature]) -> bytes:
    """The PSBT with these signatures, each verified first; what is there already stays.

    Raises PsbtBadSignature.
    """
    psbt = Psbt.parse(raw)
    sighasher = Sighasher(psbt)
    maps = [dict(one.pairs) for one in psbt.inputs]
    for one in signatures:
        if not 0 <= one.index < len(maps):
            raise PsbtBadSignature(f"got a signature for input {one.index}, which does not exist")
        verify_signature(psbt, sighasher, one.index, one.public_key, one.signature)
        is_taproot = len(one.public_key) == taproot.XONLY_BYTES
        maps[one.index][b"\x13" if is_taproot else b"\x02" + one.public_key] = one.signature
    ordered = [dict(sorted(pairs.items())) for pairs in maps]
    parts = [psbt.pairs, *ordered]
    parts += [output.pairs for output in psbt.outputs]
    return MAGIC + b"".join(psbt_fields.write_map(pairs) for pairs in parts)


def finalize(raw: bytes) -> bytes:
    """The signed transaction, ready to broadcast.

    Raises PsbtIncomplete when an input has too few signatures, PsbtBadSignature for a wrong one.
    """
    psbt = Psbt.parse(raw)
    sighasher = Sighasher(psbt)
    inputs = []
    for index, one in enumerate(psbt.inputs):
        if one.is_final:
            script_sig, witness = one.final_script_sig or b"", one.final_witness or ()
        else:
            for public_key, signature in one.partial_sigs:
                verify_signature(psbt, sighasher, index, public_key, signature)
            script = psbt.spent_output(index).script
            if one.key_signature:
                verify_signature(psbt, sighasher, index, script[2:], one.key_signature)
            script_sig, witness = unlock(index, one, script)
        inputs.append(
            TxInput(
                txid=one.outpoint.txid,
                vout=one.outpoint.vout,
                script_sig=script_sig,
                sequence=one.sequence,
                witness=witness,
            )
        )
    return Transaction(
        version=psbt.tx.version,
        inputs=tuple(inputs),
        outputs=psbt.tx.outputs,
        locktime=psbt.tx.locktime,
    ).serialize()


def converted(raw: bytes, version: int) -> bytes:
    """The PSBT in version 0 or 2 (BIP-370); signatures and every other field stay.

    What binds lock times of single inputs is lost in version 0, which has the result alone.
    """
    psbt = Psbt.parse(raw)
    if psbt.version == version:
        return raw
    kept_in = [_without(one.pairs, range(0x0E, 0x13)) for one in psbt.inputs]
    kept_out = [_without(one.pairs, range(0x03, 0x05)) for one in psbt.outputs]
    if version == 2:
        kept_in = [
            {**pairs, **_outpoint_fields(one)}
            for pairs, one in zip(kept_in, psbt.tx.inputs, strict=True)
        ]
        kept_out = [
            {**pairs, **_amount_fields(one.sats, one.script)}
            for pairs, one in zip(kept_out, psbt.tx.outputs, strict=True)
        ]
    head = _without(psbt.pairs, (0x00, *range(0x02, 0x07), 0xFB)) | _head(psbt.tx, version)
    return _joined([head, *kept_in, *kept_out])


def _joined(maps: Iterable[Mapping[bytes, bytes]]) -> bytes:
    ordered = [dict(sorted(pairs.items())) for pairs in maps]
    return MAGIC + b"".join(psbt_fields.write_map(pairs) for pairs in ordered)


def _without(pairs: Mapping[bytes, bytes], fields: Container[int]) -> dict[bytes, bytes]:
    return {key: value for key, value in pairs.items() if key[0] not in fields}


def _outpoint_fields(one: TxInput) -> dict[bytes, bytes]:
    return {
        b"\x0e": bytes.fromhex(one.txid)[::-1],
        b"\x0f": one.vout.to_bytes(4, "little"),
        b"\x10": one.sequence.to_bytes(4, "little"),
    }


def _amount_fields(sats: int, script: bytes) -> dict[bytes, bytes]:
    return {b"\x03": sats.to_bytes(8, "little"), b"\x04": script}


def _head(tx: Transaction, version: int) -> dict[bytes, bytes]:
    if version == 0:
        return {b"\x00": tx.serialize(witness=False)}
    return {
        b"\x02": tx.version.to_bytes(4, "little", signed=True),
        b"\x03": tx.locktime.to_bytes(4, "little"),
        b"\x04": transactions.compact_size(len(tx.inputs)),
        b"\x05": transactions.compact_size(len(tx.outputs)),
        b"\xfb": version.to_bytes(4, "little"),
    }


def _place(vaults: Mapping[str, ScriptSource], place: OwnPlace) -> VaultScript:
    vault = vaults.get(place.source)
    if vault is None:
        raise InvariantError(f"vault {place.source!r} is not among those given")
    return vault.script_at(place.branch, place.index)


def _input_map(coin: Coin, vaults: Mapping[str, ScriptSource], version: int) -> dict[bytes, bytes]:
    script = _place(vaults, coin.place)
    previous = transactions.parse(coin.raw_tx)
    vout = coin.outpoint.vout
    if previous.txid != coin.outpoint.txid or vout >= len(previous.outputs):
        raise PsbtUnproven(f"the transaction kept with coin {coin.outpoint} is another one")
    output = previous.outputs[vout]
    if output != TxOutput(sats=coin.sats, script=script.script_pubkey):
        raise PsbtUnproven(f"coin {coin.outpoint} is not what its transaction and vault say")
    pairs = {b"\x00": previous.serialize(witness=False)}
    if vaults[coin.place.source].is_segwit:
        pairs[b"\x01"] = transactions.serialize_output(output)
    if script.internal_key:
        pairs |= _taproot_fields(script, 0x16, 0x17)
    else:
        pairs[b"\x03"] = SIGHASH_ALL.to_bytes(4, "little")
        pairs |= _script_fields(script, 0x04, 0x05, 0x06)
    if version == 2:
        pairs |= _outpoint_fields(
            TxInput(txid=coin.outpoint.txid, vout=coin.outpoint.vout, sequence=SEQUENCE)
        )
    return pairs


def _output_map(
    output: Payout, vaults: Mapping[str, ScriptSource], version: int
) -> dict[bytes, bytes]:
    pairs: dict[bytes, bytes] = {}
    if output.place is not None:
        script = _place(vaults, output.place)
        invariant(script.script_pubkey == output.script, "an own output must be its vault's script")
        if script.internal_key:
            pairs = _taproot_fields(script, 0x07, 0x05)
        else:
            pairs = _script_fields(script, 0x00, 0x01, 0x02)
    if version == 2:
        pairs |= _amount_fields(output.sats, output.script)
    return pairs


def _script_fields(script: VaultScript, redeem: int, witness: int, keys: int) -> dict[bytes, bytes]:
    pairs = {}
    if script.redeem_script:
        pairs[bytes((redeem,))] = script.redeem_script
    if script.witness_script:
        pairs[bytes((witness,))] = script.witness_script
    for key in script.keys:
        pairs[bytes((keys,)) + key.public_key] = _origin(key)
    return pairs


def _taproot_fields(script: VaultScript, origins: int, internal: int) -> dict[bytes, bytes]:
    """The internal key and its origin, in no leaf (BIP-371)."""
    pairs = {bytes((origins,)) + key.public_key: b"\x00" + _origin(key) for key in script.keys}
    pairs[bytes((internal,))] = script.internal_key
    return pairs


def _origin(key: ScriptKey) -> bytes:
    return key.fingerprint + b"".join(step.to_bytes(4, "little") for step in key.path)


def verify_signature(
    psbt: Psbt, sighasher: Sighasher, index: int, public_key: bytes, signature: bytes
) -> None:
    """Raise PsbtBadSignature unless it is by a key of the input's script, over this very PSBT."""
    if len(public_key) == taproot.XONLY_BYTES:
        _verify_taproot(psbt, sighasher, index, public_key, signature)
        return
    if signature[-1:] != bytes((SIGHASH_ALL,)):
        raise PsbtBadSignature(f"input {index}: got another signature type, expected ALL")
    if public_key not in _keys(psbt.inputs[index], psbt.spent_output(index).script, public_key):
        raise PsbtBadSignature(f"input {index}: got a key that is not in the script")
    digest = sighasher.digest(index)
    try:
        good = PublicKey(public_key).verify(signature[:-1], digest, hasher=None)
    except ValueError:
        good = False
    if not good:
        raise PsbtBadSignature(f"input {index}: the signature does not verify")


def _verify_taproot(
    psbt: Psbt, sighasher: Sighasher, index: int, output_key: bytes, signature: bytes
) -> None:
    if psbt.spent_output(index).script != scripts.witness_program(1, output_key):
        raise PsbtBadSignature(f"input {index}: got a key that is not in the script")
    sighash_type = taproot_type(psbt.inputs[index])
    ending = bytes((sighash_type,)) if sighash_type else b""
    if signature[taproot.SIGNATURE_BYTES :] != ending:
        raise PsbtBadSignature(f"input {index}: got another signature type than the input asks for")
    bare = signature[: taproot.SIGNATURE_BYTES]
    if not taproot.verify(output_key, sighasher.digest(index), bare):
        raise PsbtBadSignature(f"input {index}: the signature does not verify")


def _keys(one: PsbtInput, spent_script: bytes, candidate: bytes) -> tuple[bytes, ...]:
    """The keys that may sign an input; for a single key, `candidate` if it is the one."""
    code, _ = script_code(one, spent_script)
    if scripts.kind_of(code) is ScriptKind.P2PKH:
        return (candidate,) if scripts.p2pkh(scripts.hash160(candidate)) == code else ()
    return scripts.multisig_parts(code)[1]


def unlock(index: int, one: PsbtInput, spent_script: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """Script signature and witness of an input whose signatures were verified.

    Raises PsbtIncomplete.
    """
    if scripts.kind_of(spent_script) is ScriptKind.P2TR:
        if not one.key_signature:
            raise PsbtIncomplete(f"input {index}: got no signature, expected one of its key")
        return b"", (one.key_signature,)
    code, is_segwit = script_code(one, spent_script)
    signatures = dict(one.partial_sigs)
    if scripts.kind_of(code) is ScriptKind.P2PKH:
        if len(signatures) != 1:
            raise PsbtIncomplete(f"input {index}: got {len(signatures)} signatures, expected 1")
        (public_key, signature), *_ = signatures.items()
        items: tuple[bytes, ...] = (signature, public_key)
    else:
        threshold, keys = scripts.multisig_parts(code)
        found = [signatures[key] for key in keys if key in signatures]
        if len(found) < threshold:
            raise PsbtIncomplete(f"input {index}: got {len(found)} signatures of {threshold}")
        items = (b"", *found[:threshold], code)
    if is_segwit:
        redeem = one.redeem_script
        return (scripts.push(redeem) if redeem else b""), items
    return b"".join(scripts.push(item) for item in items), ()
