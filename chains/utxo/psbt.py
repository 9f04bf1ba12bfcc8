"""PSBT versions 0 and 2: strict bytes in, the same bytes out, and the digests that are signed.

Our own codec instead of embit's: every pair is kept byte for byte, every known field is checked,
and amounts count only when the previous transaction proves them. Tests hold it against embit.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from chains.types import OutPoint
from chains.utxo import scripts, taproot, transactions
from chains.utxo.descriptors import ScriptKey
from chains.utxo.psbt_fields import (
    GLOBAL_FIELDS,
    INPUT_FIELDS,
    OUTPUT_FIELDS,
    PsbtError,
    PsbtScriptMismatch,
    PsbtSighash,
    PsbtTooLarge,
    PsbtUnproven,
    check_map,
    read_map,
    read_witness,
    split_leaves,
    write_map,
)
from chains.utxo.psbt_versions import constructed, counts, unsigned, version_of
from chains.utxo.scripts import ScriptKind, sha256, sha256d
from chains.utxo.transactions import Reader, Transaction, TxInput, TxOutput

MAGIC = b"psbt\xff"

PSBT_BYTES_MAX = 2 * 1024 * 1024
"""Larger requests are refused before parsing."""

INPUTS_MAX = 1000
"""Inputs that one payment may have."""

OUTPUTS_MAX = 1000
"""Outputs that one payment may have."""

SIGHASH_ALL = 1
"""The only signature type: it covers every input and every output."""

SIGHASH_DEFAULT = 0
"""Taproot's way to say ALL in no byte (BIP-341)."""

_SCRIPT_PATH_FIELDS = frozenset((0x14, 0x15, 0x18))


@dataclass(frozen=True, slots=True, kw_only=True)
class PsbtInput:
    """An input and what is claimed about it. Absent scripts and keys are empty.

    `derivations` are of both kinds, plain and taproot; `has_leaves` tells of taproot scripts.
    """

    outpoint: OutPoint
    sequence: int
    previous_output: TxOutput | None
    witness_utxo: TxOutput | None
    partial_sigs: tuple[tuple[bytes, bytes], ...]
    sighash_type: int | None
    redeem_script: bytes
    witness_script: bytes
    derivations: tuple[ScriptKey, ...]
    final_script_sig: bytes | None
    final_witness: tuple[bytes, ...] | None
    internal_key: bytes
    key_signature: bytes
    has_leaves: bool
    pairs: Mapping[bytes, bytes]

    @property
    def is_final(self) -> bool:
        """Whether a finalizer has been here."""
        return self.final_script_sig is not None or self.final_witness is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class PsbtOutput:
    """An output and what is claimed about it. Absent scripts and keys are empty."""

    sats: int
    script: bytes
    redeem_script: bytes
    witness_script: bytes
    derivations: tuple[ScriptKey, ...]
    internal_key: bytes
    has_leaves: bool
    pairs: Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Psbt:
    """A parsed PSBT; `tx` is the transaction without signatures.

    `all_taproot` is what is claimed of the outputs spent, where no previous transaction proves it.
    """

    version: int
    tx: Transaction
    inputs: tuple[PsbtInput, ...]
    outputs: tuple[PsbtOutput, ...]
    all_taproot: bool
    pairs: Mapping[bytes, bytes]

    @classmethod
    def parse(cls, raw: bytes) -> "Psbt":
        """Read a PSBT, no byte more. Raises PsbtError or TransactionError."""
        if len(raw) > PSBT_BYTES_MAX:
            raise PsbtTooLarge(f"got {len(raw)} bytes, expected at most {PSBT_BYTES_MAX}")
        if not raw.startswith(MAGIC):
            raise PsbtError("got other bytes, expected a PSBT")
        reader = Reader(raw)
        reader.at = len(MAGIC)
        pairs = read_map(reader)
        version = version_of(pairs)
        check_map(pairs, GLOBAL_FIELDS, version)
        _check_xpubs(pairs)
        count_in, count_out = counts(pairs, version)
        if count_in > INPUTS_MAX or count_out > OUTPUTS_MAX:
            raise PsbtTooLarge(f"got {count_in} inputs and {count_out} outputs, expected fewer")
        maps_in = [read_map(reader) for _ in range(count_in)]
        maps_out = [read_map(reader) for _ in range(count_out)]
        reader.done()
        for known, maps in ((INPUT_FIELDS, maps_in), (OUTPUT_FIELDS, maps_out)):
            for one in maps:
                check_map(one, known, version)
        tx = unsigned(pairs) if version == 0 else constructed(pairs, maps_in, maps_out)
        inputs = tuple(_input(*both) for both in zip(tx.inputs, maps_in, strict=True))
        spent = [one.previous_output or one.witness_utxo for one in inputs]
        return cls(
            version=version,
            tx=tx,
            inputs=inputs,
            all_taproot=all(one is not None and _is_taproot(one) for one in spent),
            outputs=tuple(_output(*both) for both in zip(tx.outputs, maps_out, strict=True)),
            pairs=pairs,
        )

    def serialize(self) -> bytes:
        """The bytes it was read from."""
        maps = [self.pairs]
        maps += [one.pairs for one in self.inputs]
        maps += [one.pairs for one in self.outputs]
        return MAGIC + b"".join(write_map(pairs) for pairs in maps)

    def spent_output(self, index: int) -> TxOutput:
        """The output an input spends, proven. Raises PsbtUnproven.

        The previous transaction proves it. Where every input is taproot a claim is enough: each
        signature covers all amounts and scripts (BIP-341), so none is good for a false claim.
        """
        one = self.inputs[index]
        if one.previous_output is None and one.witness_utxo is not None and self.all_taproot:
            return one.witness_utxo
        if one.previous_output is None:
            raise PsbtUnproven(f"input {index} has no previous transaction to prove its amount")
        if one.witness_utxo not in (None, one.previous_output):
            raise PsbtUnproven(f"input {index} claims another output than its transaction has")
        return one.previous_output

    def fee_sats(self) -> int:
        """Proven inputs less outputs; negative when more is paid out than comes in."""
        paid_in = sum(self.spent_output(index).sats for index in range(len(self.inputs)))
        return paid_in - sum(output.sats for output in self.outputs)


class Sighasher:
    """The digests of one PSBT's inputs; what they share is hashed once (BIP-143, BIP-341)."""

    __slots__ = ("_outputs", "_prevouts", "_psbt", "_sequences", "_spent")

    def __init__(self, psbt: Psbt) -> None:
        self._psbt = psbt
        inputs = psbt.tx.inputs
        outpoints = [transactions.outpoint_bytes(one.txid, one.vout) for one in inputs]
        sequences = [one.sequence.to_bytes(4, "little") for one in inputs]
        outputs = [transactions.serialize_output(output) for output in psbt.tx.outputs]
        self._prevouts = sha256(b"".join(outpoints))
        self._sequences = sha256(b"".join(sequences))
        self._outputs = sha256(b"".join(outputs))
        self._spent = b""

    def digest(self, index: int) -> bytes:
        """The 32 bytes that a signature over input `index` signs, of type ALL or DEFAULT.

        Raises PsbtUnproven, PsbtScriptMismatch or PsbtSighash.
        """
        psbt, one = self._psbt, self._psbt.inputs[index]
        spent = psbt.spent_output(index)
        if _is_taproot(spent):
            return self._taproot_digest(index)
        if one.sighash_type not in (None, SIGHASH_ALL):
            raise PsbtSighash(f"got signature type {one.sighash_type}, expected ALL or none")
        code, is_segwit = script_code(one, spent.script)
        if not is_segwit:
            return sha256d(legacy_message(psbt.tx, index, code) + SIGHASH_ALL.to_bytes(4, "little"))
        tx_input = psbt.tx.inputs[index]
        return sha256d(
            psbt.tx.version.to_bytes(4, "little", signed=True)
            + sha256(self._prevouts)
            + sha256(self._sequences)
            + transactions.outpoint_bytes(tx_input.txid, tx_input.vout)
            + transactions.compact_size(len(code))
            + code
            + spent.sats.to_bytes(8, "little")
            + tx_input.sequence.to_bytes(4, "little")
            + sha256(self._outputs)
            + psbt.tx.locktime.to_bytes(4, "little")
            + SIGHASH_ALL.to_bytes(4, "little")
        )

    def _taproot_digest(self, index: int) -> bytes:
        """The key path digest of BIP-341: epoch 0, no annex, every input and every output."""
        psbt, one = self._psbt, self._psbt.inputs[index]
        sighash_type = taproot_type(one)
        _refuse_extra(one.redeem_script or one.witness_script)
        return taproot.tagged_hash(
            "TapSighash",
            bytes((0, sighash_type))
            + psbt.tx.version.to_bytes(4, "little", signed=True)
            + psbt.tx.locktime.to_bytes(4, "little")
            + self._prevouts
            + self._amounts_and_scripts()
            + self._sequences
            + self._outputs
            + bytes(1)
            + index.to_bytes(4, "little"),
        )

    def _amounts_and_scripts(self) -> bytes:
        if not self._spent:
            spent = [self._psbt.spent_output(at) for at in range(len(self._psbt.inputs))]
            amounts = b"".join(output.sats.to_bytes(8, "little") for output in spent)
            blobs = [transactions.compact_size(len(one.script)) + one.script for one in spent]
            self._spent = sha256(amounts) + sha256(b"".join(blobs))
        return self._spent


def _is_taproot(output: TxOutput) -> bool:
    return scripts.kind_of(output.script) is ScriptKind.P2TR


def taproot_type(one: PsbtInput) -> int:
    """DEFAULT or ALL, as a taproot input asks for. Raises PsbtSighash for any other type."""
    asked = SIGHASH_DEFAULT if one.sighash_type is None else one.sighash_type
    if asked not in (SIGHASH_DEFAULT, SIGHASH_ALL):
        raise PsbtSighash(f"got signature type {asked}, expected DEFAULT or ALL")
    return asked


def sighash(psbt: Psbt, index: int) -> bytes:
    """One input's digest; use Sighasher for several. Raises PsbtError."""
    return Sighasher(psbt).digest(index)


def script_code(one: PsbtInput, spent_script: bytes) -> tuple[bytes, bool]:
    """The script that is signed and whether by segwit's rules; every hash on the way is checked.

    Raises PsbtScriptMismatch, also for scripts that are there without a purpose.
    """
    script, inner = spent_script, one.redeem_script
    kind = scripts.kind_of(script)
    if kind is ScriptKind.P2SH:
        if scripts.p2sh(scripts.hash160(inner)) != script:
            raise PsbtScriptMismatch("the redeem script is not the one that the output names")
        script, inner = inner, b""
        kind = scripts.kind_of(script)
        if kind not in (ScriptKind.P2WPKH, ScriptKind.P2WSH):
            _refuse_extra(one.witness_script)
            return script, False
    _refuse_extra(inner)
    if kind is ScriptKind.P2WSH:
        if scripts.p2wsh(scripts.sha256(one.witness_script)) != script:
            raise PsbtScriptMismatch("the witness script is not the one that the output names")
        return one.witness_script, True
    _refuse_extra(one.witness_script)
    if kind is ScriptKind.P2WPKH:
        return scripts.p2pkh(script[2:]), True
    if kind is ScriptKind.P2PKH:
        return script, False
    raise PsbtScriptMismatch("got an output of a kind that vaults do not have")


def _refuse_extra(script: bytes) -> None:
    if script:
        raise PsbtScriptMismatch("got an inner script where the output has none")


def legacy_message(tx: Transaction, index: int, code: bytes) -> bytes:
    """What is hashed for an input that is not segwit, without the four bytes of the type."""
    inputs = tuple(
        TxInput(
            txid=one.txid,
            vout=one.vout,
            script_sig=code if at == index else b"",
            sequence=one.sequence,
        )
        for at, one in enumerate(tx.inputs)
    )
    bare = Transaction(version=tx.version, inputs=inputs, outputs=tx.outputs, locktime=tx.locktime)
    return bare.serialize()


def _check_xpubs(pairs: Mapping[bytes, bytes]) -> None:
    for key, value in pairs.items():
        # The depth byte of the extended key counts the steps of its path.
        if key[0] == 0x01 and len(value) != 4 + 4 * key[5]:
            raise PsbtError("got an extended key whose path has another length than its depth")


def _derivations(pairs: Mapping[bytes, bytes], plain: int, tap: int) -> tuple[ScriptKey, ...]:
    origins = [(key[1:], value) for key, value in pairs.items() if key[0] == plain]
    origins += [(key[1:], split_leaves(pairs[key])[1]) for key in pairs if key[0] == tap]
    return tuple(
        ScriptKey(
            public_key=public_key,
            fingerprint=value[:4],
            path=tuple(
                int.from_bytes(value[at : at + 4], "little") for at in range(4, len(value), 4)
            ),
        )
        for public_key, value in origins
    )


def _names_leaves(pairs: Mapping[bytes, bytes], tap: int) -> bool:
    return any(split_leaves(value)[0] for key, value in pairs.items() if key[0] == tap)


def _input(tx_input: TxInput, pairs: Mapping[bytes, bytes]) -> PsbtInput:
    witness_utxo, sighash_type = pairs.get(b"\x01"), pairs.get(b"\x03")
    final_witness = pairs.get(b"\x08")
    return PsbtInput(
        outpoint=OutPoint(tx_input.txid, tx_input.vout),
        sequence=tx_input.sequence,
        previous_output=_previous_output(tx_input, pairs.get(b"\x00")),
        witness_utxo=transactions.read_output(Reader(witness_utxo)) if witness_utxo else None,
        partial_sigs=tuple((key[1:], value) for key, value in pairs.items() if key[0] == 0x02),
        sighash_type=int.from_bytes(sighash_type, "little") if sighash_type else None,
        redeem_script=pairs.get(b"\x04", b""),
        witness_script=pairs.get(b"\x05", b""),
        derivations=_derivations(pairs, 0x06, 0x16),
        final_script_sig=pairs.get(b"\x07"),
        final_witness=read_witness(final_witness) if final_witness is not None else None,
        internal_key=pairs.get(b"\x17", b""),
        key_signature=pairs.get(b"\x13", b""),
        has_leaves=any(key[0] in _SCRIPT_PATH_FIELDS for key in pairs)
        or _names_leaves(pairs, 0x16),
        pairs=pairs,
    )


def _previous_output(tx_input: TxInput, raw: bytes | None) -> TxOutput | None:
    if raw is None:
        return None
    txid, output = transactions.output_of(raw, tx_input.vout)
    if txid != tx_input.txid:
        raise PsbtUnproven("got another previous transaction than the input spends")
    if output is None:
        raise PsbtUnproven(f"got output {tx_input.vout}, which the previous transaction lacks")
    return output


def _output(tx_output: TxOutput, pairs: Mapping[bytes, bytes]) -> PsbtOutput:
    return PsbtOutput(
        sats=tx_output.sats,
        script=tx_output.script,
        redeem_script=pairs.get(b"\x00", b""),
        witness_script=pairs.get(b"\x01", b""),
        derivations=_derivations(pairs, 0x02, 0x07),
        internal_key=pairs.get(b"\x05", b""),
        has_leaves=b"\x06" in pairs or _names_leaves(pairs, 0x07),
        pairs=pairs,
    )
