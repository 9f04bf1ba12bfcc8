"""From a request and its signers' answers to bytes that the chain will take."""

from collections.abc import Sequence
from dataclasses import dataclass

from chains.errors import ChainError, CodecError
from chains.evm.addresses import from_text
from chains.evm.authorizations import Authorization
from chains.evm.safe import SafeTx, SafeVault
from chains.evm.safe_signatures import pack_signatures
from chains.evm.set_code import UnsignedSetCodeTx, decode_sweep
from chains.evm.transactions import UnsignedTx, recover
from chains.utxo import psbt_roles
from chains.utxo.descriptors import DescriptorVault
from chains.utxo.psbt import Psbt
from chains.utxo.transactions import parse as parse_transaction
from signer.protocol import InputSignature, Kind, SignAnswer, SignRequest
from wallet.errors import WalletError
from wallet.payments.context import PaidOutput, PaymentContext, SpentOutput
from wallet.payments.errors import UnknownSource
from wallet.payments.journal import Payment


class BadSignatures(WalletError):
    """Answers that do not make the transaction that was asked for; nothing was sent."""

    code = "payment.bad_signatures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """Bytes ready for the next step; Safe payloads and authorisations have no txid of their own."""

    raw: bytes
    txid: str | None


def signatures_needed(context: PaymentContext, request: SignRequest) -> int:
    """How many signers must say yes before the bytes are valid."""
    vault = context.vault(request.source)
    return vault.threshold if isinstance(vault, DescriptorVault | SafeVault) else 1


def combine(context: PaymentContext, payment: Payment, answers: Sequence[SignAnswer]) -> Combined:
    """Put enough signatures together. Raises BadSignatures when they do not fit."""
    try:
        match payment.request.kind:
            case Kind.PSBT:
                return _psbt(context, payment, answers)
            case Kind.EVM_TX:
                return _evm(payment, answers, UnsignedTx.decode(payment.request.payload))
            case Kind.SAFE_TX:
                return _safe(context, payment, answers)
            case Kind.EVM_BATCH:
                return _evm(payment, answers, decode_sweep(payment.request.payload))
            case Kind.EVM_AUTH:
                return _authorization(payment, answers)
            case Kind.RESERVES:
                raise CodecError("got a proof of reserves, which is no payment")
    except ChainError as error:
        raise BadSignatures(f"got answers that do not combine: {error}") from error


def _psbt(context: PaymentContext, payment: Payment, answers: Sequence[SignAnswer]) -> Combined:
    data = payment.request.payload
    for answer in answers:
        data = psbt_roles.add_signatures(data, answer.signatures)
    raw = psbt_roles.finalize(data)
    asked = Psbt.parse(payment.request.payload)
    spent = []
    for index, one in enumerate(asked.inputs):
        output = asked.spent_output(index)
        spent.append(
            SpentOutput(
                txid=one.outpoint.txid,
                vout=one.outpoint.vout,
                units=output.sats,
                script=output.script,
            )
        )
    paid = tuple(PaidOutput(units=o.sats, script=o.script) for o in asked.tx.outputs)
    context.second_parser(payment.network, raw, tuple(spent), paid)
    return Combined(raw=raw, txid=parse_transaction(raw).txid)


def _evm(
    payment: Payment, answers: Sequence[SignAnswer], tx: UnsignedTx | UnsignedSetCodeTx
) -> Combined:
    signed = tx.with_signature(_only(answers[0].signatures).signature)
    if payment.sender is None or signed.sender != from_text(payment.sender):
        raise CodecError(f"got a signature of {signed.sender.hex()}, expected {payment.sender}")
    return Combined(raw=signed.raw, txid=signed.txid)


def _authorization(payment: Payment, answers: Sequence[SignAnswer]) -> Combined:
    """The signed authorisation, for a batch to carry: no transaction by itself."""
    signed = Authorization.decode(payment.request.payload).with_signature(
        _only(answers[0].signatures).signature
    )
    if payment.sender is None or signed.authority != from_text(payment.sender):
        raise CodecError(f"got leave of {signed.authority.hex()}, expected {payment.sender}")
    return Combined(raw=signed.encode(), txid=None)


def _safe(context: PaymentContext, payment: Payment, answers: Sequence[SignAnswer]) -> Combined:
    vault = context.vault(payment.request.source)
    if not isinstance(vault, SafeVault):
        raise UnknownSource(f"got source {payment.request.source!r}, expected a Safe")
    safe_tx = SafeTx.decode(payment.request.payload)
    signatures = [_only(answer.signatures).signature for answer in answers][: vault.threshold]
    for signature in signatures:
        owner = recover(safe_tx.safe_tx_hash, signature)
        if owner not in vault.owners:
            raise CodecError(f"got a signature of {owner.hex()}, expected an owner's")
    packed = pack_signatures(safe_tx.safe_tx_hash, signatures)
    return Combined(raw=safe_tx.execution_calldata(packed), txid=None)


def _only(signatures: Sequence[InputSignature]) -> InputSignature:
    if len(signatures) != 1:
        raise CodecError(f"got {len(signatures)} signatures, expected one")
    return signatures[0]
