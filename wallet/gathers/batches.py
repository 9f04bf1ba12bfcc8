"""Batches: one transaction of hot lets the sweeper empty up to 100 deposit addresses."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert

from chains.errors import NodeRejected
from chains.evm.addresses import from_text
from chains.evm.authorizations import SignedAuthorization
from chains.evm.set_code import UnsignedSetCodeTx
from chains.evm.sweeper import ETHER, SweepCall
from chains.evm.transactions import UnsignedTx
from signer.protocol import Kind
from wallet.gathers.books import Heap
from wallet.gathers.deciding import ACCOUNTS_MAX, Candidate, batch_gas_limit
from wallet.gathers.delegations import Delegations, Standing
from wallet.gathers.orders import Orders
from wallet.gathers.ports import GatherDoor
from wallet.payments import journal
from wallet.payments.building.evm import EvmQuote, next_nonce
from wallet.payments.building.judging import Fee, check_caps, judge_batch
from wallet.payments.building.requesting import seal_request
from wallet.payments.desk import PaymentDesk
from wallet.payments.errors import WouldRevert
from wallet.payments.journal import NewPayment, Payment
from wallet.settings import AssetSettings
from wallet.store.schema import batch_shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One address of a batch, what it holds, and the leave it gives with it, if it still has to."""

    heap: Heap
    candidate: Candidate
    units: int
    standing: Standing


class Batches:
    """Builds batches for one asset at a time."""

    def __init__(self, desk: PaymentDesk, orders: Orders, delegations: Delegations) -> None:
        self._desk = desk
        self._context = desk.context
        self._orders = orders
        self._delegations = delegations

    def build(self, asset: AssetSettings, shares: Sequence[Share], door: GatherDoor) -> int:
        """Batches of all shares; returns how many. Raises NotBuilt, or NodeError.

        Each is signed at once, so that the hot account is free for the next one.
        """
        built, start = 0, 0
        price_wei = door.fees().max_fee_wei
        while start < len(shares):
            part = self._fitting(asset, shares[start:], price_wei)
            payment = self._store(asset, part, self._quote(asset, part, door))
            self._context.milestone("gather.batch_built")
            self._desk.advance(payment.id)
            built, start = built + 1, start + len(part)
        return built

    def _fitting(
        self, asset: AssetSettings, shares: Sequence[Share], price_wei: int
    ) -> Sequence[Share]:
        """As many of the first shares as the fee's cap lets one batch have, at least one."""
        settings = self._context.networks[asset.network]
        count = min(len(shares), ACCOUNTS_MAX, max(1, settings.batch_payees_max))
        while count > 1 and _gas(shares[:count]) * price_wei > settings.fee_units_max:
            count -= 1
        return shares[:count]

    def _quote(self, asset: AssetSettings, shares: Sequence[Share], door: GatherDoor) -> EvmQuote:
        hot = from_text(self._orders.hot(asset.network).address)
        tip, fees = door.tip(), door.fees()
        gas = _gas(shares)
        if all(share.standing.leave is None for share in shares):
            # A node can say what it takes only once the addresses run the sweeper's code.
            gas = max(gas, self._estimated(asset, shares, hot, door))
        native = self._context.native_asset(asset.network)
        return EvmQuote(
            nonce=door.nonce(hot),
            gas_limit=gas,
            max_fee_wei=fees.max_fee_wei,
            priority_fee_wei=fees.priority_fee_wei,
            native_units=door.balance_units(hot, native, tip),
            asset_units=door.balance_units(hot, asset.code, tip),
        )

    def _store(self, asset: AssetSettings, shares: Sequence[Share], quote: EvmQuote) -> Payment:
        context = self._context
        hot = self._orders.hot(asset.network)
        call = self._call(asset, shares)
        own = tuple(share.heap.sender for share in shares)
        order = self._orders.act(asset, hot, call.encode(), own)
        fee = Fee(units=quote.fee_wei_max, rate_units=quote.max_fee_wei, basis_units=None)
        with context.database.write() as tx:
            now_s = context.clock.now_s()
            self._desk.evm.check_sender(tx, order, hot.address, quote, moves_asset=False)
            check_caps(context.networks[asset.network], order, fee)
            judge_batch(context.policy, order, fee, now_s)
            nonce = next_nonce(tx, asset.network, hot.address, quote.nonce)
            payload = self._payload(asset, call, quote, nonce, shares)
            sealed = seal_request(
                tx,
                context,
                order,
                source=hot.source,
                kind=Kind.EVM_BATCH,
                payload=payload,
                now_s=now_s,
            )
            new = NewPayment(
                id=context.new_id(),
                purpose=order.purpose,
                asset=asset.code,
                sealed=sealed.sealed,
                request=sealed.request,
                payload_digest=sealed.payload_digest,
                units=0,  # nothing leaves the sender; what arrives is booked from what is seen
                fee_units_max=quote.fee_wei_max,
                sender=hot.address,
                nonce=nonce,
            )
            payment = journal.create(tx, new, now_s)
            self._share_out(tx, payment, shares, now_s)
        return payment

    def _estimated(
        self, asset: AssetSettings, shares: Sequence[Share], hot: bytes, door: GatherDoor
    ) -> int:
        """The chain's own estimate and a quarter more. Raises WouldRevert."""
        to = from_text(self._context.networks[asset.network].sweeper)
        try:
            gas = door.estimate_gas(hot, to, 0, self._call(asset, shares).encode())
        except NodeRejected as error:
            raise WouldRevert(f"got a batch that the chain refuses: {error}") from error
        return gas + gas // 4

    @staticmethod
    def _call(asset: AssetSettings, shares: Sequence[Share]) -> SweepCall:
        token = ETHER if asset.contract is None else from_text(asset.contract)
        return SweepCall(token=token, accounts=tuple(share.heap.target for share in shares))

    def _share_out(
        self, tx: Connection, payment: Payment, shares: Sequence[Share], now_s: int
    ) -> None:
        for share in shares:
            tx.execute(
                insert(batch_shares).values(
                    payment_id=payment.id, address_id=share.heap.address_id, units=share.units
                )
            )
            if share.standing.authorization is not None:
                self._delegations.carry(tx, share.standing.authorization, payment.id, now_s)

    def _payload(
        self,
        asset: AssetSettings,
        call: SweepCall,
        quote: EvmQuote,
        nonce: int,
        shares: Sequence[Share],
    ) -> bytes:
        tx = UnsignedTx(
            chain_id=self._desk.evm.door(asset.network).chain_id,
            nonce=nonce,
            priority_fee_wei=quote.priority_fee_wei,
            max_fee_wei=quote.max_fee_wei,
            gas_limit=quote.gas_limit,
            to=from_text(self._context.networks[asset.network].sweeper),
            value_wei=0,
            data=call.encode(),
        )
        leaves: list[SignedAuthorization] = [
            share.standing.leave for share in shares if share.standing.leave is not None
        ]
        if not leaves:
            return tx.encode()
        return UnsignedSetCodeTx(call=tx, authorizations=tuple(leaves)).encode()


def _gas(shares: Sequence[Share]) -> int:
    return batch_gas_limit([share.candidate for share in shares])
