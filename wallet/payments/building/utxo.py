"""UTXO payments: many intents become one PSBT over confirmed coins of one vault.

`quote` asks the chain and touches no database; `build` selects and reserves coins in the same
transaction that stores the payment, so no coin is in two payments.
"""

from dataclasses import dataclass, replace

from sqlalchemy import Connection, or_, select, update

from chains.types import OutPoint
from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.descriptors import DescriptorVault
from chains.utxo.psbt_roles import build as build_psbt
from chains.utxo.selection import (
    DustPayout,
    InsufficientFunds,
    Market,
    SelectionError,
    SpendPlan,
    plan_spend,
)
from signer.protocol import Kind
from wallet.addresses.issuing import Purpose as AddressPurpose
from wallet.addresses.issuing import issue_own
from wallet.deposits.states import DepositStatus
from wallet.payments import journal
from wallet.payments.building.judging import Fee, check_caps, judge
from wallet.payments.building.orders import SpendOrder
from wallet.payments.building.requesting import seal_request
from wallet.payments.context import PaymentContext
from wallet.payments.errors import (
    BadOrder,
    FeeOverCap,
    FundsMissing,
    NotBuilt,
    PolicyRefused,
    UnknownSource,
)
from wallet.payments.journal import NewPayment, Payment
from wallet.store.schema import addresses, deposits, utxos

CHANGE_BRANCH = 1
"""BIP-44: outputs that only our own transactions pay."""


class Unpayable(NotBuilt):
    """The payouts cannot be put into one transaction as they are."""

    code = "payment.unpayable"


@dataclass(frozen=True, slots=True, kw_only=True)
class UtxoQuote:
    """What the chain said just before building: sats per 1000 vbytes."""

    feerate: int


class UtxoBuilder:
    """Builds payments of UTXO networks."""

    def __init__(self, context: PaymentContext) -> None:
        self._context = context

    def quote(self, network: str) -> UtxoQuote:
        """Ask for the price of block space. Raises NodeError."""
        chain = self._context.chains[network]
        return UtxoQuote(feerate=self._context.prices.feerate_units(chain))

    def build(self, tx: Connection, order: SpendOrder, quote: UtxoQuote) -> Payment:
        """Store a payment and reserve its coins. Raises NotBuilt with the reason's code."""
        context = self._context
        vault = self._vault(order.source)
        now_s = context.clock.now_s()
        plan = self._allowed_plan(tx, order, vault, quote, now_s)
        outputs = self._with_change_address(tx, order, plan, now_s)
        payload = build_psbt(coins=plan.coins, outputs=outputs, vaults=self._all_vaults(order))
        sealed = seal_request(
            tx, context, order, source=order.source, kind=Kind.PSBT, payload=payload, now_s=now_s
        )
        new = NewPayment(
            id=context.new_id(),
            purpose=order.purpose,
            asset=order.asset,
            sealed=sealed.sealed,
            request=sealed.request,
            payload_digest=sealed.payload_digest,
            units=order.units,
            fee_units_max=plan.fee_sats,
            fee_units=plan.fee_sats,
        )
        payment = journal.create(tx, new, now_s)
        _reserve(tx, order.network, plan.coins, payment.id)
        return payment

    def spendable_units(self, tx: Connection, network: str, source: str) -> int:
        """What a vault could spend now, before any fee."""
        return sum(coin.sats for coin in spendable(tx, network, source))

    def _allowed_plan(
        self,
        tx: Connection,
        order: SpendOrder,
        vault: DescriptorVault,
        quote: UtxoQuote,
        now_s: int,
    ) -> SpendPlan:
        """A plan within all caps; small coins stay where their fees would go over one."""
        extra_max = self._context.networks[order.network].consolidate_inputs_max
        try:
            return self._judged(
                tx, order, self._plan(tx, order, vault, quote, extra_max), quote, now_s
            )
        except (FeeOverCap, PolicyRefused):
            if not extra_max:
                raise
        return self._judged(tx, order, self._plan(tx, order, vault, quote, 0), quote, now_s)

    def _judged(
        self, tx: Connection, order: SpendOrder, plan: SpendPlan, quote: UtxoQuote, now_s: int
    ) -> SpendPlan:
        context = self._context
        fee = Fee(units=plan.fee_sats, rate_units=quote.feerate, basis_units=order.units)
        check_caps(context.networks[order.network], order, fee)
        judge(tx, context.policy, context.chains[order.network], order, fee, now_s)
        return plan

    def _plan(
        self,
        tx: Connection,
        order: SpendOrder,
        vault: DescriptorVault,
        quote: UtxoQuote,
        extra_max: int,
    ) -> SpendPlan:
        context = self._context
        long_term = context.networks[order.network].feerate_long_term or quote.feerate
        # Only the length of the change script counts here; a fresh address is taken if it is used.
        change = Payout(script=vault.script_pubkey_at(CHANGE_BRANCH, 0), sats=0)
        try:
            return plan_spend(
                coins=spendable(tx, order.network, order.source),
                payouts=self._payouts(order),
                change=change,
                vaults={vault.name: vault},
                market=Market(
                    feerate=quote.feerate, feerate_long_term=long_term, consolidate_max=extra_max
                ),
                seed=order.intents[0].intent_id.encode(),
                dust_sats=context.params[order.network].dust_sats,
            )
        except InsufficientFunds as error:
            raise FundsMissing(
                f"got {error.usable_sats} spendable in {order.source}, "
                f"expected {error.needed_sats} with the fee"
            ) from error
        except DustPayout as error:
            raise BadOrder(str(error)) from error
        except SelectionError as error:
            raise Unpayable(str(error)) from error

    def _payouts(self, order: SpendOrder) -> list[Payout]:
        chain = self._context.chains[order.network]
        own = {output.address: output for output in order.own}
        payouts = []
        for payee in (payee for intent in order.intents for payee in intent.payees):
            place = None
            if payee.address in own:
                known = own[payee.address]
                place = OwnPlace(source=known.source, branch=known.branch, index=known.index)
            script = chain.destination(payee.address).target
            payouts.append(Payout(script=script, sats=payee.units, place=place))
        return payouts

    def _with_change_address(
        self, tx: Connection, order: SpendOrder, plan: SpendPlan, now_s: int
    ) -> tuple[Payout, ...]:
        if not plan.change_units:
            return plan.outputs
        fresh = issue_own(
            tx,
            self._context.deriver,
            network=order.network,
            source=order.source,
            purpose=AddressPurpose.CHANGE,
            now_s=now_s,
        )
        place = OwnPlace(source=fresh.source, branch=fresh.branch, index=fresh.position)
        change = replace(plan.outputs[-1], script=fresh.target, place=place)
        return (*plan.outputs[:-1], change)

    def _all_vaults(self, order: SpendOrder) -> dict[str, DescriptorVault]:
        names = {order.source, *(output.source for output in order.own)}
        return {name: self._vault(name) for name in names}

    def _vault(self, source: str) -> DescriptorVault:
        vault = self._context.vault(source)
        if not isinstance(vault, DescriptorVault):
            raise UnknownSource(f"got source {source!r}, expected a descriptor vault")
        return vault


def spendable(tx: Connection, network: str, source: str) -> list[Coin]:
    """Coins of a vault that are in the scanned chain, free, and whose deposit is credited.

    A deposit that is not yet deep enough, or held, is never spent: it may still go away.
    """
    position = "out:" + utxos.c.vout.cast(deposits.c.position.type)
    joined = utxos.join(addresses, addresses.c.id == utxos.c.address_id).outerjoin(
        deposits,
        (deposits.c.network == utxos.c.network)
        & (deposits.c.txid == utxos.c.txid)
        & (deposits.c.position == position),
    )
    rows = tx.execute(
        select(utxos, addresses.c.branch, addresses.c.position.label("place"))
        .select_from(joined)
        .where(
            utxos.c.network == network,
            addresses.c.source == source,
            utxos.c.height.is_not(None),
            utxos.c.spent_txid.is_(None),
            utxos.c.payment_id.is_(None),
            or_(deposits.c.id.is_(None), deposits.c.status == str(DepositStatus.CREDITED)),
        )
        .order_by(utxos.c.txid, utxos.c.vout)
    )
    return [
        Coin(
            outpoint=OutPoint(row.txid, row.vout),
            sats=row.units,
            place=OwnPlace(source=source, branch=row.branch, index=row.place),
            raw_tx=bytes(row.raw_tx),
        )
        for row in rows
    ]


def _reserve(tx: Connection, network: str, coins: tuple[Coin, ...], payment_id: str) -> None:
    for coin in coins:
        done = tx.execute(
            update(utxos)
            .where(
                utxos.c.network == network,
                utxos.c.txid == coin.outpoint.txid,
                utxos.c.vout == coin.outpoint.vout,
                utxos.c.payment_id.is_(None),
                utxos.c.spent_txid.is_(None),
            )
            .values(payment_id=payment_id)
        )
        if done.rowcount != 1:
            raise FundsMissing(f"got coin {coin.outpoint} taken by another payment")
