"""EVM payments: one intent becomes one EIP-1559 transaction of one sender.

`quote` asks the chain and touches no database; `build` touches the database and no network. A
sender has at most one unsigned payment, so that a nonce given up is always its highest one and
can be used again without a gap.
"""

from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Connection, bindparam, select

from chains.errors import NodeRejected
from chains.evm.addresses import from_text
from chains.evm.erc20 import transfer_calldata
from chains.evm.transactions import UnsignedTx
from chains.ports import Chain
from chains.types import BlockRef
from signer.protocol import Kind, OwnOutput, Purpose
from wallet.deposits.crediting import unbooked_units
from wallet.deposits.watcher import last_scanned
from wallet.fees.desk import EvmFees
from wallet.payments import journal
from wallet.payments.building.judging import Fee, check_caps, judge
from wallet.payments.building.orders import SpendOrder
from wallet.payments.building.requesting import seal_request
from wallet.payments.building.tokens import check_answer, check_turn, revert_reason
from wallet.payments.context import PaymentContext
from wallet.payments.errors import BadOrder, FundsMissing, SenderBusy, UnknownSource, WouldRevert
from wallet.payments.journal import NewPayment, Payment
from wallet.payments.states import PaymentStatus
from wallet.store.schema import payments

PLAIN_GAS = 21_000
"""A plain transfer to an account without code takes exactly this."""

_UNMINED = (
    PaymentStatus.BUILT,
    PaymentStatus.SIGNING,
    PaymentStatus.SIGNED,
    PaymentStatus.BROADCAST,
)

_OF_SENDER = (payments.c.network == bindparam("on"), payments.c.sender == bindparam("paid_by"))
_PROMISED = select(
    payments.c.status,
    payments.c.asset,
    payments.c.units,
    payments.c.fee_units_max,
    payments.c.parent_id,
).where(
    *_OF_SENDER,
    payments.c.status.in_([str(status) for status in _UNMINED]),
    payments.c.nonce.is_not(None),
)
_NONCES = select(payments.c.nonce).where(*_OF_SENDER, payments.c.nonce >= bindparam("from"))


class EvmDoor(Chain, Protocol):
    """What building needs of an EVM chain beyond the common port."""

    @property
    def chain_id(self) -> int:
        """The EIP-155 chain id."""
        ...

    def nonce(self, address: bytes) -> int:
        """Transactions of an address that are mined: its next nonce."""
        ...

    def fees(self) -> EvmFees:
        """What to offer now."""
        ...

    def estimate_gas(self, sender: bytes, to: bytes, value_wei: int, data: bytes) -> int:
        """Gas that a call takes. Raises NodeRejected when it would revert."""
        ...

    def call(self, to: bytes, data: bytes) -> bytes:
        """The answer of a read-only call."""
        ...

    def answer_to(self, sender: bytes, to: bytes, data: bytes) -> bytes:
        """What a call would answer, were it sent now. Raises NodeRejected."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EvmCall:
    """What a transaction does: a payee, native value, and calldata."""

    to: bytes
    value_wei: int
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvmQuote:
    """What the chain said just before building; wei, except where named otherwise."""

    nonce: int
    gas_limit: int
    max_fee_wei: int
    priority_fee_wei: int
    native_units: int
    asset_units: int

    @property
    def fee_wei_max(self) -> int:
        """What the transaction can cost at most."""
        return self.gas_limit * self.max_fee_wei


@dataclass(slots=True)
class Standing:
    """A sender at one block, which never changes: its nonce, and its balances once asked for.

    Payments of ours since then are counted from our own rows, so an older block only errs low.
    """

    chain: Chain
    address: bytes
    at: BlockRef
    nonce: int
    units: dict[str, int] = field(default_factory=dict)

    def held(self, asset: str) -> int:
        """What it has of an asset. Raises NodeError."""
        if asset not in self.units:
            self.units[asset] = self.chain.balance_units(self.address, asset, self.at)
        return self.units[asset]


class EvmBuilder:
    """Builds payments of EVM networks."""

    def __init__(self, context: PaymentContext) -> None:
        self._context = context
        self._standings: dict[str, tuple[str, dict[bytes, Standing]]] = {}

    def door(self, network: str) -> EvmDoor:
        """The chain with what building needs. Raises UnknownSource."""
        chain = self._context.chains.get(network)
        if chain is None or not hasattr(chain, "estimate_gas"):
            raise UnknownSource(f"got network {network!r}, expected an EVM network")
        return chain  # type: ignore[return-value]

    def transfer_call(self, order: SpendOrder) -> EvmCall:
        """The call that pays an order's only payee. Raises BadOrder."""
        payees = [payee for intent in order.intents for payee in intent.payees]
        if len(payees) != 1:
            raise BadOrder(f"got {len(payees)} payees, expected one in an EVM transaction")
        target = self._context.chains[order.network].destination(payees[0].address).target
        return self.transfer_to(order.asset, target, payees[0].units)

    def transfer_to(self, asset: str, target: bytes, units: int) -> EvmCall:
        """The call that moves units of an asset to an address."""
        contract = self._context.assets[asset].contract
        if contract is None:
            return EvmCall(to=target, value_wei=units)
        return EvmCall(to=from_text(contract), value_wei=0, data=transfer_calldata(target, units))

    def quote(
        self, network: str, asset: str, sender: OwnOutput, call: EvmCall, units: int
    ) -> EvmQuote:
        """Ask the chain about a call that moves `units` of the sender's asset.

        Raises FundsMissing, WouldRevert, or NodeError when there is no answer.
        """
        chain = self.door(network)
        address = from_text(sender.address)
        standing = self._standing(network, chain, address)
        native_units = standing.held(self._context.native_asset(network))
        asset_units = standing.held(asset)
        if asset_units < units:
            # Asked first: a node words a lack of funds like any other failing call.
            raise FundsMissing(f"got {asset_units} {asset} at {sender.address}, expected {units}")
        try:
            gas = chain.estimate_gas(address, call.to, call.value_wei, call.data)
        except NodeRejected as error:
            reason = {"reason": revert_reason(error)}
            raise WouldRevert(f"got a call that the chain refuses: {error}", reason) from error
        if call.data:
            check_answer(call.data, chain.answer_to(address, call.to, call.data))
        fees = self._context.prices.evm_fees(network, chain)
        return EvmQuote(
            nonce=standing.nonce,
            # A quarter more than estimated: storage may change until the block is made.
            gas_limit=gas if gas == PLAIN_GAS else gas + gas // 4,
            max_fee_wei=fees.max_fee_wei,
            priority_fee_wei=fees.priority_fee_wei,
            native_units=native_units,
            asset_units=asset_units,
        )

    def final_native_units(self, network: str, sender: str) -> int:
        """Wei at a sender's address that are on the books, and that no small reorg takes away.

        What is signed on more waits for ever when a block is lost. Raises NodeError.
        """
        native, door = self._context.native_asset(network), self.door(network)
        with self._context.database.read() as tx:
            at = last_scanned(tx, network)
            coming = unbooked_units(tx, network, native, sender)
        if at is None:
            return 0
        address = from_text(sender)
        newest = self._standing(network, door, address).held(native)
        return max(0, min(newest, door.balance_units(address, native, at) - coming))

    def _standing(self, network: str, chain: EvmDoor, address: bytes) -> "Standing":
        """What a sender has at the newest block; a burst of payments asks once a block."""
        tip = chain.tip()
        at, known = self._standings.get(network, ("", {}))
        if at != tip.hash:
            known = {}
            self._standings[network] = (tip.hash, known)
        if address not in known:
            known[address] = Standing(chain, address, tip, chain.nonce(address))
        return known[address]

    def build(
        self,
        tx: Connection,
        order: SpendOrder,
        call: EvmCall,
        quote: EvmQuote,
        parent: Payment | None = None,
    ) -> Payment:
        """Store a payment with its nonce. Raises NotBuilt with the reason's code."""
        context, sender = self._context, order.sender
        if sender is None:
            raise BadOrder("got an order without sender, expected the paying address")
        native = context.native_asset(order.network)
        fee = Fee(
            units=quote.fee_wei_max,
            rate_units=quote.max_fee_wei,
            # A top-up is only as large as the fee it pays for: a share of it says nothing.
            basis_units=(
                order.units
                if order.asset == native and order.purpose is not Purpose.TOP_UP
                else None
            ),
        )
        now_s = context.clock.now_s()
        if parent is None:
            check_turn(tx, order, context.assets[order.asset])
        self.check_sender(tx, order, sender.address, quote, moves_asset=parent is None)
        check_caps(context.networks[order.network], order, fee)
        chain = self.door(order.network)
        judge(tx, context.policy, chain, order, fee, now_s, parent.id if parent else None)
        nonce = next_nonce(tx, order.network, sender.address, quote.nonce)
        unsigned = UnsignedTx(
            chain_id=chain.chain_id,
            nonce=nonce,
            priority_fee_wei=quote.priority_fee_wei,
            max_fee_wei=quote.max_fee_wei,
            gas_limit=quote.gas_limit,
            to=call.to,
            value_wei=call.value_wei,
            data=call.data,
        )
        sealed = seal_request(
            tx,
            context,
            order,
            source=sender.source,
            kind=Kind.EVM_TX,
            payload=unsigned.encode(),
            now_s=now_s,
        )
        new = NewPayment(
            id=context.new_id(),
            purpose=order.purpose,
            asset=order.asset,
            sealed=sealed.sealed,
            request=sealed.request,
            payload_digest=sealed.payload_digest,
            units=order.units,
            fee_units_max=unsigned.fee_wei_max,
            sender=sender.address,
            nonce=nonce,
            parent_id=parent.id if parent else None,
        )
        return journal.create(tx, new, now_s)

    def check_sender(
        self,
        tx: Connection,
        order: SpendOrder,
        sender: str,
        quote: EvmQuote,
        *,
        moves_asset: bool,
    ) -> None:
        """The sender is free and has the money, counting what it has already promised.

        Raises SenderBusy or FundsMissing.
        """
        rows = tx.execute(_PROMISED, {"on": order.network, "paid_by": sender}).all()
        unsigned = (str(PaymentStatus.BUILT), str(PaymentStatus.SIGNING))
        if any(row.status in unsigned for row in rows):
            raise SenderBusy(f"got an unsigned payment of {sender} before this one")
        native = self._context.native_asset(order.network)
        # Executing a Safe payload moves the Safe's money, not the sender's.
        own = [row for row in rows if row.parent_id is None]
        need_fees = quote.fee_wei_max + sum(row.fee_units_max for row in rows)
        if order.asset != native:
            need_fees += sum(row.units for row in own if row.asset == native)
        need_asset = sum(row.units for row in own if row.asset == order.asset)
        need_asset += order.units if moves_asset else 0
        if order.asset == native:
            need_asset, need_fees = need_asset + need_fees, 0
        if need_asset > quote.asset_units or need_fees > quote.native_units:
            raise FundsMissing(
                f"got {quote.asset_units} {order.asset} and {quote.native_units} {native} at "
                f"{sender}, expected {need_asset} and {need_fees}"
            )


def next_nonce(tx: Connection, network: str, sender: str, mined: int) -> int:
    """The lowest nonce that is neither mined nor given to a payment of ours."""
    asked = {"on": network, "paid_by": sender, "from": mined}
    taken = set(tx.execute(_NONCES, asked).scalars())
    nonce = mined
    while nonce in taken:
        nonce += 1
    return nonce
