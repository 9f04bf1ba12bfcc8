"""What a thief, a careless hand or a token may do beside the service: one fault a break has."""

from collections.abc import Callable
from dataclasses import dataclass

import coincurve
from sqlalchemy import select, update

from chains.evm.transactions import UnsignedTx
from chains.types import OutPoint
from chains.utxo.transactions import Transaction, TxInput, TxOutput
from tests import evm_world
from tests.payments_world import BTC, ETH
from tests.simulation.founding import CHAIN_OF
from tests.simulation.life import Life
from wallet.payments.states import PaymentStatus
from wallet.reconciliation.settling import LATE_S
from wallet.reconciliation.states import BreakCode
from wallet.store.schema import deposits, payments, utxos

STRANGER = b"\x66" * 20
STRANGERS_SCRIPT = b"\x00\x14" + STRANGER


@dataclass(frozen=True, slots=True)
class Fault:
    """`act` does it and returns the units that the break will name; then all jobs run."""

    name: str
    code: BreakCode
    asset: str
    act: Callable[[Life], int]


def steal_coin(life: Life) -> int:
    """Somebody with the vault's keys spends a coin of ours."""
    with life.database.read() as tx:
        row = tx.execute(
            select(utxos).where(
                utxos.c.network == BTC, utxos.c.spent_txid.is_(None), utxos.c.height.is_not(None)
            )
        ).first()
    assert row is not None
    coin = OutPoint(row.txid, row.vout)
    theft = Transaction(
        inputs=(TxInput(txid=coin.txid, vout=coin.vout),),
        outputs=(TxOutput(sats=row.units - 100_000, script=STRANGERS_SCRIPT),),
    )
    life.btc.history.take(theft)
    life.btc.mine(2)
    return -int(row.units)


def steal_ether(life: Life) -> int:
    """Somebody with the hot account's key pays himself."""
    history = life.eth.history
    key, hot = evm_world.HOT_KEY, life.hot[ETH].target
    fee_wei = history.base_fee_wei + history.tip_wei
    tx = UnsignedTx(
        chain_id=evm_world.CHAIN_ID,
        nonce=history.nonce(hot),
        priority_fee_wei=history.tip_wei,
        max_fee_wei=fee_wei,
        gas_limit=21_000,
        to=STRANGER,
        value_wei=5 * 10**17,
    )
    made = coincurve.PrivateKey(key.secret()).sign_recoverable(tx.signing_hash, hasher=None)
    signed = tx.with_signature(made)
    history.take(signed.raw)
    life.eth.mine(2)
    found = history.find(signed.txid)
    assert found is not None, "the theft was not mined"
    return -(5 * 10**17 + 21_000 * fee_wei)


def token_leaves(life: Life) -> int:
    """A token takes from an account without telling."""
    life.eth.history.state.move("DUSD", life.hot[ETH].target, STRANGER, 12_345)
    return -12_345


def ether_appears(life: Life) -> int:
    """What a block's proposer is paid shows in no transaction."""
    life.eth.history.state.add(life.cold[ETH].target, "ETH", 777)
    return 777


def deposit_forgotten(life: Life) -> int:
    """The scan saw a deposit, and its row is gone."""
    life.btc.fund(life.deposit_address(life.users[0], BTC, fresh=True).target, 3_000_000)
    life.btc.mine()
    _watch(life, BTC)
    with life.database.write() as tx:
        tx.execute(deposits.delete().where(deposits.c.units == 3_000_000))
    return 3_000_000


def deposit_invented(life: Life) -> int:
    """A deposit that no block has."""
    life.btc.fund(life.deposit_address(life.users[0], BTC, fresh=True).target, 3_000_000)
    life.btc.mine()
    _watch(life, BTC)
    with life.database.write() as tx:
        row = tx.execute(select(deposits).where(deposits.c.units == 3_000_000)).one()
        copy = {**row._mapping, "id": "invented", "position": "out:7", "units": 9_000_000}
        tx.execute(deposits.insert().values(**copy))
    return -9_000_000


def deposit_raised(life: Life) -> int:
    """A deposit's amount is changed before it is credited."""
    life.eth.fund(life.deposit_address(life.users[1], ETH, fresh=True).target, "ETH", 4 * 10**16)
    life.eth.mine()
    _watch(life, ETH)
    _statements(life, ETH)
    with life.database.write() as tx:
        tx.execute(update(deposits).where(deposits.c.units == 4 * 10**16).values(units=9 * 10**16))
    life.eth.mine(6)  # so much is credited only once validators stand by its block
    return -5 * 10**16


def fee_lowered(life: Life) -> int:
    """A payment's record says that the network took less."""
    payment_id, fee = _pay(life, "BTC", settled=True)
    with life.database.write() as tx:
        tx.execute(update(payments).where(payments.c.id == payment_id).values(fee_units=fee - 7))
    return -7


def payment_denied(life: Life) -> int:
    """A payment that was mined is called failed."""
    payment_id, _ = _pay(life, "BTC", settled=True)
    with life.database.write() as tx:
        tx.execute(
            update(payments)
            .where(payments.c.id == payment_id)
            .values(status=str(PaymentStatus.FAILED))
        )
    return -1_000_000


def payment_left(life: Life) -> int:
    """Nobody settles a payment that was mined."""
    _, fee = _pay(life, "BTC", settled=False)
    _statements(life, BTC)
    life.keep.clock.time_s += LATE_S + 1
    return -fee


def _pay(life: Life, asset: str, *, settled: bool) -> tuple[str, int]:
    """A withdrawal, mined, with its statement to come; the payment's id and fee."""
    network = CHAIN_OF[asset]
    address, target = life.payee(network)
    taken = life.world.withdraw(life.users[0], asset, address, 1_000_000, f"w-{len(life.asked)}")
    life.expect(taken, target)
    with life.database.read() as tx:
        before = set(tx.execute(select(payments.c.id)).scalars())
    life.world.work()
    life.btc.mine(3)
    if settled:
        life.world.work()
    else:
        _watch(life, network)
    with life.database.read() as tx:
        rows = tx.execute(select(payments).where(payments.c.id.not_in(before))).all()
        (row,) = [row for row in rows if row.asset == asset]
    if settled:
        assert row.status == str(PaymentStatus.COMPLETED), row.status
    return row.id, row.fee_units if row.fee_units is not None else row.fee_units_max


def _watch(life: Life, network: str) -> None:
    life.world.scan()


def _statements(life: Life, network: str) -> None:
    life.reconcilers[network].run()


FAULTS = (
    Fault("a stolen coin", BreakCode.FOREIGN_SPEND, "BTC", steal_coin),
    Fault("a stolen key", BreakCode.FOREIGN_SPEND, "ETH", steal_ether),
    Fault("a silent token", BreakCode.UNKNOWN_OUTFLOW, "DUSD", token_leaves),
    Fault("a proposer's tip", BreakCode.UNKNOWN_INFLOW, "ETH", ether_appears),
    Fault("a forgotten deposit", BreakCode.LATE_DEPOSIT, "BTC", deposit_forgotten),
    Fault("an invented deposit", BreakCode.PHANTOM_DEPOSIT, "BTC", deposit_invented),
    Fault("a raised deposit", BreakCode.OTHER_AMOUNT, "ETH", deposit_raised),
    Fault("a lowered fee", BreakCode.UNBOOKED_FEE, "BTC", fee_lowered),
    Fault("a denied payment", BreakCode.DENIED_PAYMENT, "BTC", payment_denied),
    Fault("a payment left alone", BreakCode.MISSING_SETTLEMENT, "BTC", payment_left),
)
