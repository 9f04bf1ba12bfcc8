"""Users, their addresses, and money that arrives: seen, confirmed, credited, or reorged away."""

from typing import Any

from wallet.demo.deployment import BTC, ETH, LTC
from wallet.demo.report import StepRow
from wallet.demo.settings_text import CANARY
from wallet.demo.stage import Stage, StoryFailed

USERS = ("alice", "bob", "carol", "dora", "emil", CANARY)
_NETWORKS = (BTC, LTC, ETH)
_GAS_WEI = 2 * 10**18

DEPOSITS = (
    ("alice", LTC, "LTC", 40 * 10**8),
    ("bob", ETH, "ETH", 6 * 10**18),
    ("alice", ETH, "DUSD", 2_500 * 10**6),
    ("carol", ETH, "DUSD", 800 * 10**6),
    ("dora", ETH, "DUSD", 600 * 10**6),
    ("emil", ETH, "DUSD", 400 * 10**6),
    ("bob", ETH, "DGLD", 12 * 10**18),
)
"""Who deposits what, besides the bitcoins and the ether that comes out of a contract."""

SEEDS = (
    (LTC, "LTC", 2_000_000),
    (ETH, "ETH", 9 * 10**15),
    (ETH, "DUSD", 9 * 10**6),
    (ETH, "DGLD", 9 * 10**16),
)
"""What canaries fly with: too little to be gathered."""

_BITCOINS = (
    ("alice", 3 * 10**8),
    ("alice", 150_000_000),
    ("bob", 80_000_000),
    (CANARY, 200_000),
)
_CONTRACT_WEI = 2 * 10**18


def users(stage: Stage) -> None:
    """Accounts and a fresh address for each on every network."""
    stage.screen.chapter("users and their addresses")
    for name in USERS:
        stage.users[name] = stage.client.create_account(name).id
        for network in _NETWORKS:
            fresh = stage.client.create_address(stage.users[name], network, label=name)
            stage.addresses[name, network] = fresh.address
            stage.tell("address", network, "", f"{name}: {fresh.address}")


def gas(stage: Stage) -> None:
    """The house puts ether into the hot account, so that it can pay fees."""
    stage.screen.chapter("the house funds the hot account with ether for fees")
    txid = stage.devnet.fund(ETH, "ETH", stage.hot_account, _GAS_WEI)
    stage.wait("house funds", lambda: stage.deposit(txid, ["credited"]), mine=[ETH])
    stage.tell("house funds", ETH, "ETH", "booked", txid=txid, units=_GAS_WEI)


def deposits(stage: Stage) -> None:
    """Deposits in every asset: seen, confirmed, credited."""
    stage.screen.chapter("deposits in BTC, LTC, ETH and two tokens")
    payouts = [(stage.addresses[name, BTC], units) for name, units in _BITCOINS]
    sent = [(BTC, "BTC", stage.devnet.fund_many(BTC, payouts), len(payouts))]
    seeds = [(CANARY, *seed) for seed in SEEDS]
    for name, network, asset, units in (*DEPOSITS, *seeds):
        txid = stage.devnet.fund(network, asset, stage.addresses[name, network], units)
        sent.append((network, asset, txid, 1))
    inside = stage.devnet.fund_from_contract([stage.addresses["alice", ETH]], _CONTRACT_WEI)
    sent.append((ETH, "ETH", inside, 1))
    for network in _NETWORKS:
        stage.devnet.mine(network)
    for statuses, said in ((("confirming", "credited"), "seen"), (("credited",), "credited")):
        for network, asset, txid, count in sent:
            found = stage.wait(
                f"deposit {txid} {said}",
                lambda txid=txid, count=count, statuses=statuses: stage.deposit(  # type: ignore[misc]
                    txid, statuses, count
                ),
                mine=_NETWORKS if said == "credited" else (),
            )
            for deposit in found:
                status = f"{said} ({deposit.evidence})"
                units = deposit.amount_units
                stage.tell("deposit", network, asset, status, txid=txid, units=units)


def reorganised(stage: Stage) -> None:
    """A block with an uncredited deposit is replaced; the deposit is gone and the books agree."""
    stage.screen.chapter("a block is reorganised away before its deposit was credited")
    units = 10_000_000
    txid = stage.devnet.fund(BTC, "BTC", stage.addresses["bob", BTC], units)
    stage.devnet.mine(BTC)
    stage.wait("deposit seen", lambda: stage.deposit(txid, ["confirming"]))
    stage.tell("reorg", BTC, "BTC", "seen, not credited", txid=txid, units=units)
    stage.devnet.reorg(BTC, 1, drop=[txid])
    gone = stage.wait(
        "deposit gone", lambda: stage.deposit(txid, ["orphaned", "replaced"]), mine=[BTC]
    )
    said = f"orphaned, now {gone[0].status}, never credited"
    stage.tell("reorg", BTC, "BTC", said, txid=txid, units=units)
    stage.require_balanced("after the reorg")


def gathered(stage: Stage) -> None:
    """What lies on deposit addresses of the EVM chain moves to the hot account by itself."""
    stage.screen.chapter("ether and tokens gather in the hot account, many at a time by a sweeper")
    wanted = {"DUSD": 4_300 * 10**6, "DGLD": 12 * 10**18}

    def done() -> bool | None:
        moved = gathered_units(stage)
        return True if all(moved.get(asset) == units for asset, units in wanted.items()) else None

    stage.wait("gathering", done, mine=[ETH])
    for event in stage.events():
        if event.type == "payment.completed" and event.body["purpose"] in ("gather", "top_up"):
            stage.tell_payment(str(event.body["purpose"]), event.body)
    swept = [leaves for row in stage.report.steps if (leaves := _leaves(stage, row)) > 1]
    if not swept:
        raise StoryFailed("got no transaction that empties several addresses, expected one")
    stage.tell("gather", ETH, "DUSD", f"{sum(swept)} addresses emptied by {len(swept)} transaction")


def _leaves(stage: Stage, row: StepRow) -> int:
    """How many addresses gave the sweeper their leave in a transaction (EIP-7702)."""
    if row.step != "gather":
        return 0
    sent: Any = stage.devnet.rpc(ETH, "eth_getTransactionByHash", row.txid)
    return len(sent.get("authorizationList") or ())


def gathered_units(stage: Stage) -> dict[str, int]:
    """What has been gathered so far, by asset."""
    moved: dict[str, int] = {}
    for event in stage.events():
        if event.type == "payment.completed" and event.body["purpose"] == "gather":
            asset = str(event.body["asset"])
            moved[asset] = moved.get(asset, 0) + int(str(event.body["amount_units"]))
    return moved
