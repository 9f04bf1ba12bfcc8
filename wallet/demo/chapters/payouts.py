"""Withdrawals: on every asset, one by people's approval, and one across a power cut."""

import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from chains.evm.addresses import checksum
from chains.utxo import addresses
from chains.utxo.params import BUILTIN
from wallet.client import connect
from wallet.client.types import Deposit
from wallet.demo import commands
from wallet.demo.deployment import BTC, ETH, LTC
from wallet.demo.onchain import paid_on_chain
from wallet.demo.settings_text import CANARY
from wallet.demo.stage import Stage, StoryFailed

_NETWORKS = (BTC, LTC, ETH)
ORDERS = (
    ("w-btc-1", "alice", "BTC", "0.3"),
    ("w-btc-2", "bob", "BTC", "0.25"),
    ("w-ltc-1", "alice", "LTC", "5"),
    ("w-eth-1", "bob", "ETH", "1.5"),
    ("w-dusd-1", "alice", "DUSD", "400"),
    ("w-dgld-1", "bob", "DGLD", "3"),
)
"""External id, user, asset, amount: all below what needs people's approval."""

_LARGE = ("w-btc-large", "alice", "BTC", "2.2")
_CRASHED = ("w-btc-crash", "bob", "BTC", "0.2")
_NETWORK_OF = {"BTC": BTC, "LTC": LTC, "ETH": ETH, "DUSD": ETH, "DGLD": ETH}


def outside(network: str) -> str:
    """An address that is nobody's: a fresh payee outside of our wallet."""
    if network == ETH:
        return checksum(secrets.token_bytes(20))
    return addresses.encode(BUILTIN[network], b"\x00\x14" + secrets.token_bytes(20))


def withdrawals(stage: Stage) -> None:
    """One on every asset, two bitcoin payouts batched into one transaction."""
    stage.screen.chapter("withdrawals on every asset")
    payees = {order[0]: _ask(stage, order) for order in ORDERS}
    for external_id, _, _, _ in ORDERS:
        _completed(stage, external_id, payees[external_id])


def approved(stage: Stage) -> None:
    """A large withdrawal waits for two members of staff."""
    stage.screen.chapter("a large withdrawal waits for two of three members of staff")
    payee = _ask(stage, _LARGE)
    waiting = stage.client.withdrawal_of(_LARGE[0])
    if waiting.status != "pending_approval":
        raise StoryFailed(f"got {waiting.status}, expected a large withdrawal to wait for people")
    stage.tell("withdrawal", BTC, "BTC", "pending_approval", units=waiting.amount_units)
    approve(stage, waiting.id, "anna", "chen")
    _completed(stage, _LARGE[0], payee)


def approve(stage: Stage, subject_id: str, *names: str) -> None:
    """Members of staff read and approve, each at a desk of their own. Raises StoryFailed."""

    def one(name: str) -> commands.Outcome:
        options = ("treasury", "approve", subject_id, *stage.place.staff_options(name))
        return commands.wallet(stage.place.config, *options, answer="y\n")

    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(one, names))
    for name, done in zip(names, outcomes, strict=True):
        if done.returncode:
            raise StoryFailed(f"{name} could not approve: {done.stderr.strip()[-300:]}")
        stage.tell("approval", "", "", f"approved by {name}")


def killed(stage: Stage) -> None:
    """The service dies between signing and broadcast; restarted, it pays exactly once."""
    stage.screen.chapter("the service is killed between signing and broadcast")
    stage.service.stop()
    stage.service.start(kill_at="payment.signed")
    payee = _ask(stage, _CRASHED)
    code = stage.service.wait_killed(lambda: None, timeout_s=240)
    if code != -9:
        raise StoryFailed(f"got exit code {code}, expected death by SIGKILL")
    if paid_on_chain(stage.devnet, BTC, payee):
        raise StoryFailed("got a payment on the chain, expected death before the broadcast")
    stage.tell("crash", BTC, "BTC", "killed after signing, before broadcast")
    stage.service.start()
    stage.client.close()
    stage.client = connect(stage.place.credentials)
    _completed(stage, _CRASHED[0], payee)
    paid = paid_on_chain(stage.devnet, BTC, payee)
    if len(paid) != 1:
        raise StoryFailed(f"got {len(paid)} payments of one withdrawal, expected 1")
    stage.tell("crash", BTC, "BTC", "paid exactly once", txid=paid[0].txid, units=paid[0].units)


def _ask(stage: Stage, order: Sequence[str]) -> str:
    external_id, user, asset, amount = order
    payee = outside(_NETWORK_OF[asset])
    stage.client.create_withdrawal(
        external_id=external_id,
        account_id=stage.users[user],
        asset=asset,
        address=payee,
        amount=amount,
    )
    return payee


def _completed(stage: Stage, external_id: str, payee: str) -> None:
    done = stage.wait(
        f"withdrawal {external_id}",
        lambda: stage.withdrawal(external_id, "completed"),
        mine=_NETWORKS,
    )
    paid = [p for p in paid_on_chain(stage.devnet, done.network, payee) if p.asset == done.asset]
    if [(p.txid, p.units) for p in paid] != [(done.txid, done.amount_units)]:
        raise StoryFailed(f"{external_id}: the chain shows {paid}, expected {done.txid} once")
    stage.tell(
        "withdrawal",
        done.network,
        done.asset,
        done.status,
        txid=done.txid or "",
        units=done.amount_units,
    )


def canaries(stage: Stage) -> None:
    """Tiny withdrawals that the service sends itself on every asset come back as deposits."""
    stage.screen.chapter("canaries fly on every asset, and come back")

    def back() -> dict[str, Deposit] | None:
        found = _canaries_back(stage)
        return found if set(found) == set(_NETWORK_OF) else None

    for asset, landed in stage.wait("canaries", back, mine=_NETWORKS).items():
        units = landed.amount_units
        stage.tell("canary", landed.network, asset, "came back", txid=landed.txid, units=units)


def _canaries_back(stage: Stage) -> dict[str, Deposit]:
    """Credited deposits of the canaries' own payments, by asset."""
    account = stage.users[CANARY]
    flown = stage.client.list_withdrawals(account_id=account).data
    landed = stage.client.list_deposits(account_id=account).data
    paid = {one.txid for one in flown if one.status == "completed"}
    return {one.asset: one for one in landed if one.status == "credited" and one.txid in paid}
