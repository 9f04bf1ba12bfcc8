"""From what a user wants to pay to exact unsigned bytes, which their device will check.

`quote` asks the chain and touches no database; `prepare` touches the database and no network. Coins
and nonce are taken only when signed bytes come back: preparing is free and holds nothing.
"""

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection, insert, select

from chains.errors import NodeRejected, invariant
from chains.evm.addresses import from_text
from chains.evm.erc20 import transfer_calldata
from chains.evm.transactions import UnsignedTx
from chains.ports import Chain
from chains.types import Family, OutPoint
from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.psbt_roles import build
from chains.utxo.selection import InsufficientFunds, Market, SelectionError, plan_spend
from chains.utxo.sources import SingleKey
from wallet.hosted_keys import journal
from wallet.hosted_keys.context import HostedContext
from wallet.hosted_keys.errors import HostedFundsMissing, HostedUnpayable, HostedWouldRevert
from wallet.hosted_keys.journal import HostedPayment, find_payment
from wallet.hosted_keys.records import HostedKey
from wallet.hosted_keys.states import HostedPaymentStatus
from wallet.store.schema import hosted_coins, hosted_payments

LIFETIME_S = 15 * 60
"""How long prepared bytes may be submitted."""

INPUTS_MAX = 150
"""Coins of one payment: what devices sign at most."""

PLAIN_GAS = 21_000
"""A plain transfer to an account without code takes exactly this."""

_PLACE = OwnPlace(source="hosted", branch=0, index=0)


class EvmFees(Protocol):
    """Fees of the next blocks, wei for each unit of gas."""

    @property
    def max_fee_wei(self) -> int:
        """The most that a unit of gas may cost."""
        ...

    @property
    def priority_fee_wei(self) -> int:
        """The tip in it."""
        ...


class EvmDoor(Chain, Protocol):
    """What preparing needs of an EVM chain beyond the common port."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a user wants: base units of an asset to a payee's target and address."""

    asset: str
    address: str
    target: bytes
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UtxoQuote:
    """The price of block space now: sats per 1000 vbytes."""

    feerate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvmQuote:
    """What the chain said of a call just before preparing; wei, except where named otherwise."""

    chain_id: int
    nonce: int
    to: bytes
    value_wei: int
    data: bytes
    gas_limit: int
    max_fee_wei: int
    priority_fee_wei: int
    native_units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unsigned:
    """Exact bytes, what they can cost at most, and the nonce where there is one."""

    payload: bytes
    fee_units_max: int
    nonce: int | None = None


class Preparer:
    """Prepares payments of hosted keys."""

    def __init__(self, context: HostedContext) -> None:
        self._context = context

    def wish(self, key: HostedKey, asset: str, address: str, units: int) -> Wish:
        """What is asked, checked. Raises AssetElsewhere, AddressError or HostedUnpayable."""
        listed = self._context.asset(key.network, asset)
        if units <= 0:
            raise HostedUnpayable("got nothing to pay, expected an amount")
        payee = self._context.chains[key.network].destination(address)
        return Wish(asset=listed.code, address=payee.address, target=payee.target, units=units)

    def quote(self, key: HostedKey, wish: Wish) -> UtxoQuote | EvmQuote:
        """Ask the chain. Raises NodeError, HostedFundsMissing or HostedWouldRevert."""
        chain = self._context.chains[key.network]
        if chain.family is Family.UTXO:
            return UtxoQuote(feerate=chain.feerate_units())
        return self._evm_quote(key, wish)

    def prepare(
        self, tx: Connection, key: HostedKey, wish: Wish, quote: UtxoQuote | EvmQuote
    ) -> HostedPayment:
        """Store the unsigned bytes of a wish. Raises HostedFundsMissing or HostedUnpayable."""
        if isinstance(quote, UtxoQuote):
            unsigned = self._psbt(tx, key, wish, quote)
        else:
            unsigned = self._call(tx, key, quote)
        now_s = self._context.clock.now_s()
        payment_id = self._context.new_id()
        tx.execute(
            insert(hosted_payments).values(
                id=payment_id,
                key_id=key.id,
                network=key.network,
                asset=wish.asset,
                address=wish.address,
                units=wish.units,
                fee_units_max=unsigned.fee_units_max,
                unsigned=unsigned.payload,
                nonce=unsigned.nonce,
                status=HostedPaymentStatus.PREPARED,
                sub_status="",
                sends=0,
                sent_s=0,
                created_s=now_s,
                updated_s=now_s,
                since_s=now_s,
                expires_s=now_s + LIFETIME_S,
            )
        )
        return find_payment(tx, key.id, payment_id)

    def _psbt(self, tx: Connection, key: HostedKey, wish: Wish, quote: UtxoQuote) -> _Unsigned:
        own = SingleKey(key.public_key)
        try:
            plan = plan_spend(
                coins=free_coins(tx, key.id),
                payouts=[Payout(script=wish.target, sats=wish.units)],
                change=Payout(script=own.script_pubkey, sats=0, place=_PLACE),
                vaults={_PLACE.source: own},
                # A person pays now: what coins will cost to spend later decides nothing here.
                market=Market(feerate=quote.feerate, feerate_long_term=quote.feerate),
                dust_sats=self._context.params[key.network].dust_sats,
                inputs_max=INPUTS_MAX,
            )
        except InsufficientFunds as error:
            raise HostedFundsMissing(
                f"got {error.usable_sats} confirmed and free at {key.address},"
                f" expected {error.needed_sats} with the fee"
            ) from error
        except SelectionError as error:
            raise HostedUnpayable(str(error)) from error
        payload = build(coins=plan.coins, outputs=plan.outputs, vaults={_PLACE.source: own})
        return _Unsigned(payload=payload, fee_units_max=plan.fee_sats)

    def _evm_quote(self, key: HostedKey, wish: Wish) -> EvmQuote:
        context, chain = self._context, _door(self._context, key.network)
        contract = context.asset(key.network, wish.asset).contract
        tip = chain.tip()
        native_units = chain.balance_units(key.target, context.native(key.network), tip)
        held = native_units
        if contract is not None:
            held = chain.balance_units(key.target, wish.asset, tip)
        if held < wish.units:
            # Asked first: a node words a lack of funds like any other failing call.
            raise HostedFundsMissing(
                f"got {held} {wish.asset} at {key.address}, expected {wish.units}"
            )
        to, value_wei, data = wish.target, wish.units, b""
        if contract is not None:
            to, value_wei = from_text(contract), 0
            data = transfer_calldata(wish.target, wish.units)
        try:
            gas = chain.estimate_gas(key.target, to, value_wei, data)
        except NodeRejected as error:
            raise HostedWouldRevert(f"got a payment that the chain refuses: {error}") from error
        fees = chain.fees()
        return EvmQuote(
            chain_id=chain.chain_id,
            nonce=chain.nonce(key.target),
            to=to,
            value_wei=value_wei,
            data=data,
            # A quarter more than estimated: storage may change until the block is made.
            gas_limit=gas if gas == PLAIN_GAS else gas + gas // 4,
            max_fee_wei=fees.max_fee_wei,
            priority_fee_wei=fees.priority_fee_wei,
            native_units=native_units,
        )

    def _call(self, tx: Connection, key: HostedKey, quote: EvmQuote) -> _Unsigned:
        pending = [
            one
            for one in journal.in_flight_of(tx, key.id)
            if one.nonce is not None and one.nonce >= quote.nonce
        ]
        taken = {one.nonce for one in pending}
        nonce = quote.nonce
        while nonce in taken:
            nonce += 1
        unsigned = UnsignedTx(
            chain_id=quote.chain_id,
            nonce=nonce,
            priority_fee_wei=quote.priority_fee_wei,
            max_fee_wei=quote.max_fee_wei,
            gas_limit=quote.gas_limit,
            to=quote.to,
            value_wei=quote.value_wei,
            data=quote.data,
        )
        native = self._context.native(key.network)
        promised = sum(one.fee_units_max for one in pending)
        promised += sum(one.units for one in pending if one.asset == native)
        needed = promised + unsigned.fee_wei_max + unsigned.value_wei
        if needed > quote.native_units:
            raise HostedFundsMissing(
                f"got {quote.native_units} {native} at {key.address}, expected {needed} with fees"
            )
        return _Unsigned(payload=unsigned.encode(), fee_units_max=unsigned.fee_wei_max, nonce=nonce)


def free_coins(tx: Connection, key_id: str) -> list[Coin]:
    """Confirmed coins of a key that no submitted payment spends."""
    rows = tx.execute(
        select(hosted_coins)
        .where(
            hosted_coins.c.key_id == key_id,
            hosted_coins.c.height.is_not(None),
            hosted_coins.c.spent_txid.is_(None),
            hosted_coins.c.payment_id.is_(None),
        )
        .order_by(hosted_coins.c.txid, hosted_coins.c.vout)
    )
    return [
        Coin(
            outpoint=OutPoint(row.txid, row.vout),
            sats=row.units,
            place=_PLACE,
            raw_tx=bytes(row.raw_tx),
        )
        for row in rows
    ]


def _door(context: HostedContext, network: str) -> EvmDoor:
    chain = context.chains[network]
    invariant(hasattr(chain, "estimate_gas"), f"{network} is no EVM network")
    return chain  # type: ignore[return-value]
