"""What may happen in a step: people who pay, ask and mine, and everything that goes wrong."""

from collections.abc import Callable

from sqlalchemy import Connection, select

from chains.simulated.line import Fault, Lie
from chains.simulated.randomness import Seeded
from signer.protocol import Approval, Intent, Payee, Purpose
from tests.fakes import SignerFault
from tests.payments_world import BTC
from tests.simulation.founding import CHAIN_OF, MINIMUM
from tests.simulation.life import Life
from wallet.pauses import Scope, pause
from wallet.payments.states import UNFINISHED, PaymentStatus
from wallet.store.schema import payments
from wallet.withdrawals.requests import WithdrawalOrder

Rule = Callable[[Life, Seeded], str]

UNIT = {"BTC": 100_000, "ETH": 2 * 10**14, "DUSD": 20_000}
"""Amounts are some of these."""

DAY_S = 86_400


def work(life: Life, _random: Seeded) -> str:
    life.work()
    return "all jobs"


def one_job(life: Life, random: Seeded) -> str:
    jobs = life.jobs()
    number = random.below(len(jobs))
    life.live(jobs[number])
    return f"job {number}"


def kill(life: Life, random: Seeded) -> str:
    """Work, and die at one of the next milestones."""
    before = life.deaths
    life.deadly_in = random.below(12)
    life.work()
    life.deadly_in = None
    return f"died {life.deaths - before} times"


def mine(life: Life, random: Seeded) -> str:
    chain, count = life.either(random), random.between(1, 3)
    chain.mine(count)
    life.keep.clock.time_s += random.between(0, 60)
    return f"{count} blocks of {chain.network}"


def deposit(life: Life, random: Seeded) -> str:
    """One transaction from outside with one payment or several, some too small to credit."""
    asset = random.pick(["BTC", "ETH", "DUSD"])
    network = CHAIN_OF[asset]
    paid: list[tuple[bytes, int]] = []
    for _ in range(random.pick([1, 1, 1, 2, 4])):
        user = random.pick(life.users)
        address = life.deposit_address(user, network, fresh=random.one_in(2))
        small = random.one_in(6)
        units = MINIMUM[asset] - 1 if small else UNIT[asset] * random.between(1, 120)
        paid.append((address.target, units))
    if network == BTC:
        life.btc.history.pay(paid)
    else:
        through = random.one_in(3)
        life.eth.history.pay([(t, asset, u) for t, u in paid], through=through)
    return f"{len(paid)} x {asset}"


def withdraw(life: Life, random: Seeded) -> str:
    asset, user = random.pick(["BTC", "ETH", "DUSD"]), random.pick(life.users)
    network, units = CHAIN_OF[asset], UNIT[asset] * random.between(1, 40)
    inside = None
    if random.one_in(8):
        inside = random.pick([name for name in life.users if name != user])
        own = life.world.address(inside, network)
        address, target = own.address, own.target
    else:
        address, target = life.payee(network)
    external_id = f"w-{len(life.asked)}"

    def submit() -> None:
        taken = life.world.withdraw(user, asset, address, units, external_id)
        life.expect(taken, target, inside)

    done = life.try_order(submit)
    return f"{external_id}: {units} {asset}" if done else f"refused {units} {asset}"


def withdraw_again(life: Life, random: Seeded) -> str:
    """The exchange repeats an order whose answer it did not get."""
    if not life.asked:
        return "nothing asked yet"
    asked = random.pick(life.asked)
    order = WithdrawalOrder(
        external_id=asked.external_id,
        account_id=asked.account_id,
        asset=asked.asset,
        address=asked.address,
        units=asked.units,
        requester="api-key-1",
    )

    def submit() -> None:
        with life.database.write() as tx:
            life.world.withdrawals.submit(tx, order)

    if life.try_order(submit):
        raise AssertionError(f"{asked.external_id} was taken a second time")
    return asked.external_id


def cancel(life: Life, random: Seeded) -> str:
    if not life.asked:
        return "nothing asked yet"
    asked = random.pick(life.asked)

    def act() -> None:
        with life.database.write() as tx:
            life.world.withdrawals.cancel(tx, asked.id)

    return f"{asked.external_id}: {life.try_order(act)}"


def reorg(life: Life, random: Seeded) -> str:
    """A shallow one may drop or replace what it undoes; a deep one brings all of it back.

    What was final and then vanishes for ever is a loss that no wallet can undo, so after a deep
    reorg of a chain nothing vanishes there any more.
    """
    chain = life.either(random)
    deep = random.one_in(3)
    depth = random.between(2, 8) if deep else 1
    fate = random.pick(["kept", "dropped", "conflicting"])
    if deep or chain.network in life.shaken:
        fate = "kept"
    if deep:
        life.shaken.add(chain.network)
    chain.reorg(depth, keep=fate != "dropped", conflicting=fate == "conflicting")
    return f"{depth} blocks of {chain.network}, {fate}"


def stop(life: Life, random: Seeded) -> str:
    """Staff pause withdrawals of an asset, or lift what is paused."""
    asset = random.pick(list(CHAIN_OF))
    if random.one_in(3):
        with life.database.write() as tx:
            pause(tx, Scope.ASSET, asset, "looking into it", "anna", life.keep.clock.now_s())
        return f"{asset} paused"
    return f"{asset} resumed: {life.resume(asset)}"


def broadcast_fault(life: Life, random: Seeded) -> str:
    chain, fault = life.either(random), random.pick(list(Fault))
    chain.faults.append(fault)
    return f"{fault} on {chain.network}"


def signer_fault(life: Life, random: Seeded) -> str:
    name, fault = random.pick(["hot-a", "hot-b"]), random.pick(list(SignerFault))
    life.keep.signers[name].faults.append(fault)
    return f"{name} {fault}"


def node_fault(life: Life, random: Seeded) -> str:
    name, line = life.lines(random)
    fault = random.pick(["down", "cut", "lag", "lie"])
    match fault:
        case "down":
            line.is_down = True
        case "cut":
            line.cut_after = random.below(20)
        case "lag":
            line.lag = random.between(1, 3)
        case _:
            line.lie = random.pick(list(Lie))
    return f"{fault} on {name}"


def node_mended(life: Life, random: Seeded) -> str:
    name, line = life.lines(random)
    line.mend()
    return name


def prices(life: Life, random: Seeded) -> str:
    if random.one_in(2):
        btc = life.btc.history
        btc.feerate = random.pick([1_000, 5_000, 20_000, 90_000, 1_000_000])
        btc.floor = random.pick([0, 0, btc.feerate // 2])
        return f"{btc.feerate} sats, floor {btc.floor}"
    eth = life.eth.history
    eth.base_fee_wei = 10**9 * random.pick([1, 2, 10, 60])
    return f"{eth.base_fee_wei} wei"


def evict(life: Life, random: Seeded) -> str:
    chain = life.either(random)
    waiting = sorted(chain.history.mempool)
    if not waiting or chain.network in life.shaken:
        return "nothing waits, or nothing may vanish"
    txid = random.pick(waiting)
    chain.history.evict(txid)
    return txid[:12]


def clock(life: Life, random: Seeded) -> str:
    jump_s = random.pick([-30, 5, 60, 300, 700, 3_700])
    life.keep.clock.time_s += jump_s
    return f"{jump_s} s"


def move(life: Life, random: Seeded) -> str:
    """A sweep to cold storage, or a refill from it."""
    asset, refill = random.pick(["BTC", "ETH", "DUSD"]), random.one_in(3)
    done = order_move(life, asset, UNIT[asset] * random.between(10, 300), refill=refill)
    return f"{'refill' if refill else 'sweep'} {asset}: {done}"


def order_move(life: Life, asset: str, units: int, *, refill: bool) -> bool:
    """What the treasury asks for once people approved it; False where the wallet refuses."""
    network = CHAIN_OF[asset]
    cold, hot = ("bitcoin-cold", "bitcoin-hot") if network == BTC else ("ethereum-cold", ETH_HOT)
    to = life.hot[network] if refill else life.cold[network]
    now_s = life.keep.clock.now_s()
    intent = Intent(
        intent_id=life.keep.ids(),
        purpose=Purpose.REFILL if refill else Purpose.SWEEP,
        network=network,
        asset=asset,
        source=cold if refill else hot,
        payees=(Payee(address=to.address, units=units),),
        fee_units_max=life.world.networks[network].fee_units_max,
        requester="treasury:automatic",
        created_s=now_s,
        expires_s=now_s + DAY_S,
    )
    approvals = [
        Approval(body=Approval.body_of(name, intent.digest, now_s), sig=b"verified elsewhere")
        for name in ("ann", "ben")
    ]
    return life.try_order(lambda: life.world.moves.build_move(intent, approvals, _attach))


def keyholders(life: Life, random: Seeded) -> str:
    """Two of three keyholders take what waits for them to their machines and bring it back."""
    waiting = cold_payments(life)
    if not waiting:
        return "nothing waits"
    payment_id = random.pick(waiting)
    return f"{payment_id}: {sign_offline(life, payment_id)}"


def sign_offline(life: Life, payment_id: str) -> bool:
    """Both answers of a cold payment, unless something failed on the way."""

    def act() -> None:
        file = life.world.desk.export(payment_id)
        for name in ("keyholder-1", "keyholder-2"):
            life.world.desk.attach(payment_id, life.keep.signers[name].answer(file))

    return life.try_order(act)


def cold_payments(life: Life) -> list[str]:
    """Payments from cold vaults that still need signatures."""
    unsigned = [str(s) for s in UNFINISHED if s in (PaymentStatus.BUILT, PaymentStatus.SIGNING)]
    with life.database.read() as tx:
        rows = tx.execute(
            select(payments.c.id)
            .where(payments.c.source.like("%-cold"), payments.c.status.in_(unsigned))
            .order_by(payments.c.id)
        )
        return list(rows.scalars())


def _attach(tx: Connection, payment_id: str) -> None:
    """The treasury's own row is not part of this world."""


ETH_HOT = "ethereum-hot"

RULES: tuple[tuple[Rule, int], ...] = (
    (work, 10),
    (one_job, 20),
    (kill, 6),
    (mine, 16),
    (deposit, 10),
    (withdraw, 12),
    (withdraw_again, 2),
    (cancel, 1),
    (reorg, 5),
    (stop, 4),
    (broadcast_fault, 5),
    (signer_fault, 3),
    (node_fault, 5),
    (node_mended, 5),
    (prices, 3),
    (evict, 2),
    (clock, 3),
    (move, 2),
    (keyholders, 2),
)
