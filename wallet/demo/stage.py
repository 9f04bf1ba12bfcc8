"""What every chapter of the story works with: chains, service, screen and report."""

import json
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from wallet.client import Client
from wallet.client.types import Deposit, Event, Withdrawal
from wallet.demo import commands
from wallet.demo.deployment import DemoDeployment
from wallet.demo.process import ServiceProcess
from wallet.demo.report import RefusalRow, Report, StepRow
from wallet.demo.screen import Screen
from wallet.devnet.devnet import Devnet
from wallet.errors import WalletError
from wallet.treasury.staff_desk import StaffDesk

WAIT_S = 300
"""Nothing in the story takes longer; what does has failed."""

EVENTS_PAGE = 100
"""Events read at once."""

_POLL_S = 0.25
_Found = TypeVar("_Found")


class StoryFailed(WalletError):
    """Something did not happen as it had to."""

    code = "demo.story_failed"


@dataclass(slots=True)
class Stage:
    """The state of the story. `users` maps names to account ids, `addresses` (name, network)."""

    devnet: Devnet
    place: DemoDeployment
    service: ServiceProcess
    client: Client
    desk: StaffDesk
    screen: Screen
    report: Report
    users: dict[str, str] = field(default_factory=dict)
    addresses: dict[tuple[str, str], str] = field(default_factory=dict)

    def tell(
        self, step: str, network: str, asset: str, status: str, *, txid: str = "", units: int = 0
    ) -> None:
        """Add a row to table and report."""
        row = StepRow(
            step=step,
            network=network,
            asset=asset,
            txid=txid,
            status=status,
            amount_units=str(units) if units else "",
        )
        self.report.steps.append(row)
        self.screen.row(row)

    def refused(self, what: str, code: str, expected: str) -> None:
        """Add a refusal; it must be for the expected reason. Raises StoryFailed."""
        self.report.refused.append(RefusalRow(what=what, code=code))
        self.screen.row(StepRow(step=what, network="", asset="", txid="", status=f"refused {code}"))
        if code != expected:
            raise StoryFailed(f"{what}: got {code or 'no refusal'}, expected {expected}")

    def wait(
        self,
        what: str,
        find: Callable[[], _Found | None],
        *,
        mine: Sequence[str] = (),
    ) -> _Found:
        """Wait until `find` finds; meanwhile a block at a time is mined on the named networks.

        Raises StoryFailed after WAIT_S.
        """
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            found = find()
            if found is not None:
                return found
            if mine and self._caught_up(mine):
                for network in mine:
                    self.devnet.mine(network)
            time.sleep(_POLL_S)
        raise StoryFailed(f"{what}: not after {WAIT_S} s")

    def _caught_up(self, networks: Sequence[str]) -> bool:
        """Mine no faster than the service scans, so that depths mean something."""
        lags = {row.network: row.lag_blocks for row in self.client.health().networks}
        return all(lags.get(network) == 0 for network in networks)

    def deposit(self, txid: str, statuses: Sequence[str], count: int = 1) -> list[Deposit] | None:
        """The deposits of a transaction once there are `count` in one of the states."""
        page = self.client.list_deposits(txid=txid)
        fit = [deposit for deposit in page.data if deposit.status in statuses]
        return fit if len(fit) == count == len(page.data) else None

    def withdrawal(self, external_id: str, status: str) -> Withdrawal | None:
        """A withdrawal once it is in a state. Raises StoryFailed when it ended otherwise."""
        found = self.client.withdrawal_of(external_id)
        if found.status == status:
            return found
        if found.status in ("failed", "rejected", "cancelled", "blocked"):
            raise StoryFailed(f"{external_id}: got {found.status} ({found.sub_status})")
        return None

    def events(self) -> list[Event]:
        """Every event so far, in order."""
        found: list[Event] = []
        while page := self.client.events(after=len(found), limit=EVENTS_PAGE).data:
            found += page
        return found

    def tell_payment(self, step: str, body: Mapping[str, object]) -> None:
        """Add a payment's event."""
        self.tell(
            step,
            str(body["network"]),
            str(body["asset"]),
            str(body["status"]),
            txid=str(body["txid"]),
            units=int(str(body["amount_units"])),
        )

    @property
    def hot_account(self) -> str:
        """The address of the hot EVM account."""
        vault = tomllib.loads(self.place.vault("ethereum-hot").read_text())
        return str(vault["address"])

    def reconcile(self) -> list[dict[str, str]]:
        """Ledger beside chain by our own command, for every asset."""
        done = commands.wallet(self.place.config, "reconcile", "--json")
        if not done.stdout.strip():
            raise StoryFailed(f"reconcile: {done.stderr.strip()[-500:]}")
        rows: list[dict[str, str]] = json.loads(done.stdout)["assets"]
        return rows

    def require_balanced(self, when: str) -> None:
        """Every asset's difference is 0. Raises StoryFailed."""
        off = [row for row in self.reconcile() if row["difference"] != "0"]
        if off:
            raise StoryFailed(f"books and chain differ {when}: {json.dumps(off)[:500]}")
        self.tell("reconcile", "", "", f"books equal chains {when}")
