"""Signed bytes come back: they must be the prepared transaction and nothing else.

They are stored with their txid, and the coins taken, in one transaction; only then may a node see
them.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, update

from chains.errors import ChainError
from chains.evm.transactions import SignedTx
from chains.types import Family
from chains.utxo import transactions
from chains.utxo.psbt import Psbt
from wallet.hosted_keys import journal
from wallet.hosted_keys.context import HostedContext
from wallet.hosted_keys.errors import (
    AlreadySubmitted,
    CoinsTaken,
    NotAsPrepared,
    PaymentExpired,
)
from wallet.hosted_keys.journal import HostedPayment, find_payment
from wallet.hosted_keys.records import HostedKey
from wallet.hosted_keys.states import HostedPaymentStatus
from wallet.store.schema import hosted_coins


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """An output that a hosted payment spends."""

    txid: str
    vout: int
    units: int
    script: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An output that a hosted payment makes."""

    units: int
    script: bytes


class Submitter:
    """Takes signed bytes of prepared payments."""

    def __init__(self, context: HostedContext) -> None:
        self._context = context

    def check(self, key: HostedKey, payment: HostedPayment, raw: bytes) -> str:
        """The txid of signed bytes that are exactly the prepared ones, signed by the key.

        Touches neither database nor network. Raises NotAsPrepared.
        """
        try:
            if self._context.chains[key.network].family is Family.UTXO:
                return self._check_utxo(payment, raw)
            return _check_evm(key, payment, raw)
        except NotAsPrepared:
            raise
        except ChainError as error:
            raise NotAsPrepared(f"got bytes that are not the prepared ones: {error}") from error

    def submit(
        self, tx: Connection, key: HostedKey, payment_id: str, raw: bytes, txid: str
    ) -> HostedPayment:
        """Store checked bytes; the very same bytes again change nothing.

        Raises PaymentExpired, AlreadySubmitted or CoinsTaken.
        """
        payment = find_payment(tx, key.id, payment_id)
        now_s = self._context.clock.now_s()
        if payment.txid is not None:
            if payment.txid != txid:
                raise AlreadySubmitted(f"got {txid}, expected {payment.txid}, submitted before")
            return payment
        if now_s >= payment.expires_s:
            raise PaymentExpired(f"got bytes at {now_s}, expected them before {payment.expires_s}")
        if payment.nonce is None:
            _take_coins(tx, payment)
        elif payment.nonce in {one.nonce for one in journal.in_flight_of(tx, key.id)}:
            raise CoinsTaken(f"got nonce {payment.nonce}, which another payment has")
        journal.move(tx, payment, HostedPaymentStatus.SUBMITTED, now_s, raw=raw, txid=txid)
        return find_payment(tx, key.id, payment_id)

    def _check_utxo(self, payment: HostedPayment, raw: bytes) -> str:
        prepared = Psbt.parse(payment.unsigned)
        signed = transactions.parse(raw)
        bare = prepared.tx.serialize(witness=False)
        # P2WPKH signs in the witness alone, so all the rest must be equal byte for byte.
        if signed.serialize(witness=False) != bare or signed.serialize() != raw or signed.hogex:
            raise NotAsPrepared("got another transaction than the prepared one")
        coins = [prepared.spent_output(at) for at in range(len(prepared.inputs))]
        spent = [
            Spent(
                txid=one.outpoint.txid,
                vout=one.outpoint.vout,
                units=coin.sats,
                script=coin.script,
            )
            for one, coin in zip(prepared.inputs, coins, strict=True)
        ]
        made = [Made(units=one.sats, script=one.script) for one in prepared.tx.outputs]
        self._context.second_parser(payment.network, raw, spent, made)
        return signed.txid


def _check_evm(key: HostedKey, payment: HostedPayment, raw: bytes) -> str:
    signed = SignedTx.decode(raw)
    if signed.tx.encode() != payment.unsigned:
        raise NotAsPrepared("got another transaction than the prepared one")
    if signed.sender != key.target:
        raise NotAsPrepared("got a signature of another key than the hosted one")
    if signed.raw != raw:
        raise NotAsPrepared("got bytes that are written in another way than nodes write them")
    return signed.txid


def _take_coins(tx: Connection, payment: HostedPayment) -> None:
    for one in Psbt.parse(payment.unsigned).inputs:
        taken = tx.execute(
            update(hosted_coins)
            .where(
                hosted_coins.c.network == payment.network,
                hosted_coins.c.txid == one.outpoint.txid,
                hosted_coins.c.vout == one.outpoint.vout,
                hosted_coins.c.payment_id.is_(None),
                hosted_coins.c.spent_txid.is_(None),
                hosted_coins.c.height.is_not(None),
            )
            .values(payment_id=payment.id)
        )
        if taken.rowcount != 1:
            raise CoinsTaken(f"got coin {one.outpoint}, which is spent or taken meanwhile")
