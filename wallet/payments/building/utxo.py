"""UTXO payments: many intents become one PSBT over confirmed coins of one vault.

`quote` asks the chain and touches no database; `build` selects and reserves coins in the same
transaction that stores the payment, so no coin is in two payments.
"""

from dataclasses import dataclass, replace

from sqlalchemy import Connection, func, or_, select, update

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
from chains.utxo.shaping import plan_exact, split_change
from signer.protocol import Kind
from wallet.addresses.issuing import Purpose as AddressPurpose
from wallet.addresses.issuing import issue_own
from wallet.coins.pool import cuts
from wallet.coins.quarantine import DUSTING
from wallet.deposits.crediting import BOOKED
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
from wallet.store.schema import addresses, blocks, deposits, utxos

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
        plan, changes = self._allowed_plan(tx, order, vault, quote, now_s)
        outputs = self._with_change_addresses(tx, order, plan, changes, now_s)
        payload = build_psbt(coins=plan.coins, outputs=outputs, vaults=self.all_vaults(order))
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
    ) -> tuple[SpendPlan, int]:
        """A plan within all caps and its number of change outputs.

        Small coins stay, and change stays whole, where their fees would go over a cap.
        """
        coins = self._coins(tx, order)
        if not order.coins:
            extra_max = self._context.networks[order.network].consolidate_inputs_max
            wide = self._plan(order, vault, coins, quote, extra_max)
            shaped, changes = self._with_pool(order, wide, coins, quote)
            try:
                return self._judged(tx, order, shaped, quote, now_s), changes
            except (FeeOverCap, PolicyRefused):
                if shaped is wide and not extra_max:
                    raise
        plan = self._plan(order, vault, coins, quote, 0)
        return self._judged(tx, order, plan, quote, now_s), 1 if plan.change_units else 0

    def _coins(self, tx: Connection, order: SpendOrder) -> list[Coin]:
        """The coins that may be spent. Raises FundsMissing when one that is named may not."""
        coins = spendable(tx, order.network, order.source)
        if not order.coins:
            return coins
        chosen = [coin for coin in coins if coin.outpoint in set(order.coins)]
        if len(chosen) != len(order.coins):
            raise FundsMissing(f"got {len(chosen)} of {len(order.coins)} coins still free")
        return chosen

    def _with_pool(
        self, order: SpendOrder, plan: SpendPlan, coins: list[Coin], quote: UtxoQuote
    ) -> tuple[SpendPlan, int]:
        """The plan with its change cut into what the pool lacks, while block space is cheap."""
        settings = self._context.networks[order.network]
        changes = 1 if plan.change_units else 0
        if order.source != settings.hot or quote.feerate > settings.feerate_long_term:
            return plan, changes
        spent = {coin.outpoint for coin in plan.coins}
        left = [coin.sats for coin in coins if coin.outpoint not in spent]
        sizes = cuts(settings.coin_pool, left, settings.change_outputs_max)
        dust_sats = self._context.params[order.network].dust_sats
        return split_change(plan, sizes, feerate=quote.feerate, dust_sats=dust_sats)

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
        order: SpendOrder,
        vault: DescriptorVault,
        coins: list[Coin],
        quote: UtxoQuote,
        extra_max: int,
    ) -> SpendPlan:
        context = self._context
        dust_sats = context.params[order.network].dust_sats
        long_term = context.networks[order.network].feerate_long_term or quote.feerate
        # Only the length of the change script counts here; a fresh address is taken if it is used.
        change = Payout(script=vault.script_pubkey_at(CHANGE_BRANCH, 0), sats=0)
        try:
            if order.coins:
                return plan_exact(
                    coins=coins,
                    payouts=self.payouts(order),
                    vaults={vault.name: vault},
                    feerate=quote.feerate,
                    dust_sats=dust_sats,
                )
            return plan_spend(
                coins=coins,
                payouts=self.payouts(order),
                change=change,
                vaults={vault.name: vault},
                market=Market(
                    feerate=quote.feerate, feerate_long_term=long_term, consolidate_max=extra_max
                ),
                seed=order.intents[0].intent_id.encode(),
                dust_sats=dust_sats,
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

    def payouts(self, order: SpendOrder) -> list[Payout]:
        """The outputs that an order's payees get."""
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

    def _with_change_addresses(
        self, tx: Connection, order: SpendOrder, plan: SpendPlan, changes: int, now_s: int
    ) -> tuple[Payout, ...]:
        """The outputs with a fresh address for each of the last `changes`."""
        paid = len(plan.outputs) - changes
        fresh = [self._with_fresh(tx, order, change, now_s) for change in plan.outputs[paid:]]
        return (*plan.outputs[:paid], *fresh)

    def _with_fresh(self, tx: Connection, order: SpendOrder, change: Payout, now_s: int) -> Payout:
        fresh = issue_own(
            tx,
            self._context.deriver,
            network=order.network,
            source=order.source,
            purpose=AddressPurpose.CHANGE,
            now_s=now_s,
        )
        place = OwnPlace(source=fresh.source, branch=fresh.branch, index=fresh.position)
        return replace(change, script=fresh.target, place=place)

    def all_vaults(self, order: SpendOrder) -> dict[str, DescriptorVault]:
        """The paying vault and those of our own payees, by name. Raises UnknownSource."""
        names = {order.source, *(output.source for output in order.own)}
        return {name: self._vault(name) for name in names}

    def _vault(self, source: str) -> DescriptorVault:
        vault = self._context.vault(source)
        if not isinstance(vault, DescriptorVault):
            raise UnknownSource(f"got source {source!r}, expected a descriptor vault")
        return vault


def spendable(tx: Connection, network: str, source: str) -> list[Coin]:
    """Coins of a vault that are in the scanned chain, ripe, free, and whose deposit is booked.

    A deposit that is not yet deep enough, or held, is never spent: it may still go away. What a
    block rewards, and what comes out of MWEB, may be spent only some blocks later. Dusting is left
    alone.
    """
    tip = select(func.max(blocks.c.height)).where(blocks.c.network == network).scalar_subquery()
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
            utxos.c.mature_height <= tip + 1,
            utxos.c.spent_txid.is_(None),
            utxos.c.payment_id.is_(None),
            utxos.c.quarantine != DUSTING,
            or_(
                deposits.c.id.is_(None),
                deposits.c.status == str(DepositStatus.CREDITED),
                (deposits.c.status == str(DepositStatus.BELOW_MINIMUM))
                & (deposits.c.sub_status == BOOKED),
            ),
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
