"""The next version of a payment: the same payees and amounts, the same coins or nonce, more fee.

`prepare` asks the chain and touches no database; what it returns stores the version in a
transaction of its own, and touches no network. The signers check all of it again by themselves.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection, select, update

from chains.evm.set_code import call_of, decode_sweep, with_fees
from chains.evm.transactions import UnsignedTx
from chains.types import OutPoint
from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.descriptors import DescriptorVault
from chains.utxo.fees import transaction_vsize
from chains.utxo.psbt import Psbt
from chains.utxo.psbt_roles import build as build_psbt
from signer.protocol import Kind, SignRequest
from wallet.addresses.issuing import Purpose as AddressPurpose
from wallet.addresses.issuing import find_by_targets, issue_own
from wallet.payments.building.evm import EvmBuilder
from wallet.payments.building.judging import Fee, check_caps, judge, judge_batch
from wallet.payments.building.orders import SpendOrder
from wallet.payments.building.requesting import seal_request
from wallet.payments.building.utxo import UtxoBuilder, spendable
from wallet.payments.context import PaymentContext
from wallet.payments.errors import FeeOverCap, FundsMissing, NotBuilt, PolicyRefused
from wallet.payments.journal import LostRace, Payment
from wallet.payments.replacing import versions
from wallet.payments.replacing.rates import PPM, AtCap, Step, evm_fees, utxo_fee
from wallet.payments.replacing.versions import Act, NewVersion, Version
from wallet.payments.states import UNFINISHED, PaymentStatus
from wallet.store.schema import addresses, payments, utxos

COINS_ADDED_MAX = 5
"""Confirmed coins that one replacement may add where the change cannot carry the rise."""

Store = Callable[[Connection, Payment], Version]
"""Stores the version that was prepared, of the payment as it stands now. Raises NotBuilt."""


class NotReplaceable(NotBuilt):
    """A payment that nothing replaces: people carry its answers, or its bytes are a rare type."""

    code = "payment.not_replaceable"


class NotStuck(NotBuilt):
    """A payment that is not in the hands of nodes now, or that is being replaced already."""

    code = "payment.not_stuck"


class FeeAtCap(NotBuilt):
    """What nodes ask of a replacement is above a cap: hold and tell people, never loop."""

    code = "payment.fee_at_cap"


class ReplacementBuilder:
    """Builds replacements at a higher fee."""

    def __init__(self, context: PaymentContext, utxo: UtxoBuilder, evm: EvmBuilder) -> None:
        self._context = context
        self._utxo = utxo
        self._evm = evm

    def prepare(self, payment: Payment) -> Store:
        """Ask the chain what it costs now. Raises NotReplaceable, or NodeError."""
        request = payment.request
        if self._context.is_offline(request.source):
            raise NotReplaceable("got a payment of offline signers, whose answers people carry")
        if request.kind is Kind.PSBT:
            rate = self._context.prices.feerate_units(self._context.chains[payment.network])
            return _or_by_a_step(
                partial(self._store_utxo, rate=rate), partial(self._store_utxo, rate=0)
            )
        is_plain = request.kind is Kind.EVM_TX and request.payload[:1] == b"\x02"
        if is_plain or request.kind is Kind.EVM_BATCH:
            door = self._evm.door(payment.network)
            asked = self._context.prices.evm_fees(payment.network, door)
            now = (asked.max_fee_wei, asked.priority_fee_wei)
            held_wei = self._evm.final_native_units(payment.network, payment.sender or "")
            store = partial(self._store_evm, held_wei=held_wei)
            return _or_by_a_step(partial(store, now=now), partial(store, now=(0, 0)))
        raise NotReplaceable(f"got a {request.kind} of {payment.id}, expected a transaction")

    def _store_utxo(self, tx: Connection, payment: Payment, rate: int) -> Version:
        order = order_of(payment.request)
        vault = self._context.vault(order.source)
        if not isinstance(vault, DescriptorVault):
            raise NotReplaceable(f"got source {order.source}, expected a descriptor vault")
        coins, outputs, fee_sats, vsize = self._respent(tx, payment, order, vault, rate)
        fee = Fee(units=fee_sats, rate_units=fee_sats * 1000 // vsize, basis_units=order.units)
        payload = build_psbt(coins=coins, outputs=outputs, vaults=self._utxo.all_vaults(order))
        version = self._store(tx, payment, order, payload, fee, Act.PAY)
        _reserve(tx, payment, coins)
        return version

    def _respent(
        self, tx: Connection, payment: Payment, order: SpendOrder, vault: DescriptorVault, rate: int
    ) -> tuple[list[Coin], list[Payout], int, int]:
        """All coins of the version before, more where they must be, and what is left as change."""
        psbt = Psbt.parse(payment.request.payload)
        coins = _coins_of(tx, payment, psbt, order.source)
        payouts = self._utxo.payouts(order)
        changes = self._changes(tx, payment, psbt, payouts)
        change = changes.pop() if changes else None
        payouts += changes
        old_vsize = transaction_vsize([vault] * len(coins), [o.script for o in psbt.tx.outputs])
        more = sorted(spendable(tx, payment.network, order.source), key=lambda coin: -coin.sats)
        dust_sats = self._context.params[payment.network].dust_sats
        for added in range(COINS_ADDED_MAX + 1):
            if added:
                if not more:
                    break
                coins.append(more.pop(0))
            left = sum(coin.sats for coin in coins) - sum(payout.sats for payout in payouts)
            for kept in ([change] if change is not None else []), []:
                scripts = [one.script for one in (*payouts, *kept)]
                vsize = transaction_vsize([vault] * len(coins), scripts)
                fee_sats = self._utxo_fee(payment, order, psbt.fee_sats(), old_vsize, vsize, rate)
                if kept and left - fee_sats >= dust_sats:
                    return (
                        coins,
                        [*payouts, replace(kept[0], sats=left - fee_sats)],
                        fee_sats,
                        vsize,
                    )
                if not kept and fee_sats <= left < fee_sats + dust_sats:
                    return coins, payouts, left, vsize
            change = change or self._fresh_change(tx, order)
        raise FundsMissing(f"got no free coin of {order.source} that carries the higher fee")

    def _utxo_fee(
        self,
        payment: Payment,
        order: SpendOrder,
        old_sats: int,
        old_vsize: int,
        vsize: int,
        rate: int,
    ) -> int:
        settings = self._context.networks[payment.network]
        caps = [order.fee_units_max]
        if settings.feerate_max:
            caps.append(settings.feerate_max * vsize // 1000)
        if settings.fee_ppm_max:
            caps.append(order.units * settings.fee_ppm_max // PPM)
        try:
            return utxo_fee(
                step=self._step(payment.network),
                old_sats=old_sats,
                old_vsize=old_vsize,
                vsize=vsize,
                rate=rate,
                cap_sats=min(caps),
            )
        except AtCap as error:
            raise FeeAtCap(str(error)) from error

    def _changes(
        self, tx: Connection, payment: Payment, psbt: Psbt, payouts: list[Payout]
    ) -> list[Payout]:
        """Where the version before sent its change, the largest last: that one carries the rise."""
        paid = Counter((payout.script, payout.sats) for payout in payouts)
        changes = []
        for output in psbt.tx.outputs:
            if paid[(output.script, output.sats)] > 0:
                paid[(output.script, output.sats)] -= 1
                continue
            known = find_by_targets(tx, payment.network, [output.script])[output.script]
            place = OwnPlace(source=known.source, branch=known.branch, index=known.position)
            changes.append(Payout(script=output.script, sats=output.sats, place=place))
        return sorted(changes, key=lambda change: change.sats)

    def _fresh_change(self, tx: Connection, order: SpendOrder) -> Payout:
        fresh = issue_own(
            tx,
            self._context.deriver,
            network=order.network,
            source=order.source,
            purpose=AddressPurpose.CHANGE,
            now_s=self._context.clock.now_s(),
        )
        place = OwnPlace(source=fresh.source, branch=fresh.branch, index=fresh.position)
        return Payout(script=fresh.target, sats=0, place=place)

    def _store_evm(
        self, tx: Connection, payment: Payment, now: tuple[int, int], held_wei: int
    ) -> Version:
        order = order_of(payment.request)
        old = decode_sweep(payment.request.payload)
        max_fee, priority = self._evm_fees(payment, order, call_of(old), now)
        raised = with_fees(old, max_fee, priority)
        need_wei = call_of(raised).value_wei + call_of(raised).fee_wei_max
        if held_wei < need_wei:
            # A gather leaves its address nothing for a rise: no node would take the new bytes.
            raise FundsMissing(f"got {held_wei} wei at {payment.sender}, expected {need_wei}")
        native = order.asset == self._context.native_asset(order.network)
        moves = native and payment.parent_id is None and order.units > 0
        fee = Fee(
            units=call_of(raised).fee_wei_max,
            rate_units=max_fee,
            basis_units=order.units if moves else None,
        )
        return self._store(tx, payment, order, raised.encode(), fee, Act.PAY)

    def _evm_fees(
        self, payment: Payment, order: SpendOrder, old: UnsignedTx, now: tuple[int, int]
    ) -> tuple[int, int]:
        settings = self._context.networks[payment.network]
        caps = [order.fee_units_max // old.gas_limit]
        if settings.feerate_max:
            caps.append(settings.feerate_max)
        try:
            return evm_fees(
                step=self._step(payment.network),
                old=(old.max_fee_wei, old.priority_fee_wei),
                now=now,
                cap_wei=min(caps),
            )
        except AtCap as error:
            raise FeeAtCap(str(error)) from error

    def _store(
        self,
        tx: Connection,
        payment: Payment,
        order: SpendOrder,
        payload: bytes,
        fee: Fee,
        act: Act,
    ) -> Version:
        """Judge and write the version: the same checks as when the payment was built."""
        context, now_s = self._context, self._context.clock.now_s()
        if versions.unsigned(tx, payment.id) is not None:
            raise LostRace("got a payment that is being replaced already")
        check_caps(context.networks[order.network], order, fee)
        request = payment.request
        if request.kind is Kind.EVM_BATCH:
            judge_batch(context.policy, order, fee, now_s)
        else:
            chain = context.chains[order.network]
            judge(tx, context.policy, chain, order, fee, now_s, payment.parent_id or payment.id)
        sealed = seal_request(
            tx,
            context,
            order,
            source=request.source,
            kind=request.kind,
            payload=payload,
            now_s=now_s,
        )
        new = NewVersion(
            act=act,
            sealed=sealed.sealed,
            request=sealed.request,
            payload_digest=sealed.payload_digest,
            fee_units_max=fee.units,
            consumes=versions.consumed(sealed.request, payment.sender, payment.nonce),
            height=versions.scanned_height(tx, payment.network),
        )
        return versions.add(tx, payment.id, new, now_s)

    def _step(self, network: str) -> Step:
        settings = self._context.networks[network]
        return Step(
            step_ppm=settings.bump_step_ppm,
            least_ppm=settings.bump_least_ppm,
            relay_rate=settings.feerate_relay,
        )


def has_child(tx: Connection, payment: Payment) -> bool:
    """Whether a payment of ours spends its unconfirmed change: a replacement would evict it."""
    made = [one.txid for one in versions.signed(tx, payment.id)]
    rows = tx.execute(
        select(payments.c.status)
        .select_from(utxos.join(payments, payments.c.id == utxos.c.payment_id))
        .where(utxos.c.network == payment.network, utxos.c.txid.in_(made))
    )
    return any(PaymentStatus(row.status) in UNFINISHED for row in rows)


def _or_by_a_step(at_price: Store, by_a_step: Store) -> Store:
    """Offer what the chain asks now; where that is too much, one step more than before."""

    def store(tx: Connection, payment: Payment) -> Version:
        try:
            return at_price(tx, payment)
        except (FeeOverCap, FundsMissing, PolicyRefused):
            return by_a_step(tx, payment)

    return store


def check_stuck(tx: Connection, payment: Payment) -> None:
    """Raise NotStuck unless nodes have a payment's bytes and no replacement is on its way."""
    if payment.status is not PaymentStatus.BROADCAST or payment.txid is None:
        raise NotStuck(f"got payment {payment.id} {payment.status}, expected one broadcast")
    if versions.unsigned(tx, payment.id) is not None:
        raise NotStuck(f"got payment {payment.id} with a replacement that is being signed")


def order_of(request: SignRequest) -> SpendOrder:
    """The order that a request was built from."""
    first = request.intents[0]
    return SpendOrder(
        network=request.network,
        asset=first.asset,
        source=first.source,
        purpose=first.purpose,
        intents=request.intents,
        approvals=request.approvals,
        own=request.own,
        sender=request.sender,
        safe_nonce=request.safe_nonce,
    )


def _coins_of(tx: Connection, payment: Payment, psbt: Psbt, source: str) -> list[Coin]:
    """The coins of a version, in its own order, as our scan knows them."""
    joined = utxos.join(addresses, addresses.c.id == utxos.c.address_id)
    rows = tx.execute(
        select(utxos, addresses.c.branch, addresses.c.position)
        .select_from(joined)
        .where(utxos.c.payment_id == payment.id)
    )
    known = {
        (row.txid, row.vout): Coin(
            outpoint=OutPoint(row.txid, row.vout),
            sats=row.units,
            place=OwnPlace(source=source, branch=row.branch, index=row.position),
            raw_tx=bytes(row.raw_tx),
        )
        for row in rows
    }
    return [known[(one.outpoint.txid, one.outpoint.vout)] for one in psbt.inputs]


def _reserve(tx: Connection, payment: Payment, coins: list[Coin]) -> None:
    """Reserve what this version adds; the rest is the payment's own already."""
    for coin in coins:
        tx.execute(
            update(utxos)
            .where(
                utxos.c.network == payment.network,
                utxos.c.txid == coin.outpoint.txid,
                utxos.c.vout == coin.outpoint.vout,
                utxos.c.payment_id.is_(None),
                utxos.c.spent_txid.is_(None),
            )
            .values(payment_id=payment.id)
        )
