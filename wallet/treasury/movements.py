"""The treasury's recurring work: follow, look, ask, build. One step at a time, from rows alone.

Killed anywhere, the next step goes on: a request is written before its payment, the payment and
the request's new state in one transaction, and what moves already is counted.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from chains.errors import NodeError
from wallet import pauses
from wallet.clock import Clock
from wallet.milestones import Milestone
from wallet.payments.errors import NotBuilt
from wallet.settings import AssetSettings
from wallet.store.database import Database
from wallet.treasury import approvals, requests, runway
from wallet.treasury.approvals import ApprovalDesk
from wallet.treasury.errors import DeniedByPolicy, LostRace
from wallet.treasury.following import follow, is_behind
from wallet.treasury.planning import Planner
from wallet.treasury.ports import Attach, Movers
from wallet.treasury.requests import TreasuryRequest
from wallet.treasury.runway import Runway
from wallet.treasury.states import RequestStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round did: requests made, payments built, and what stands in the way."""

    made: tuple[str, ...]
    built: tuple[str, ...]
    held_back: tuple[str, ...]


class Movements:
    """Moves money between hot and cold as thresholds and people say."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        planner: Planner,
        desk: ApprovalDesk,
        movers: Movers,
        milestone: Milestone,
    ) -> None:
        self._database = database
        self._clock = clock
        self._planner = planner
        self._desk = desk
        self._movers = movers
        self._milestone = milestone

    def forecast(self) -> list[Runway]:
        """Look how long every asset's hot money lasts, and tell people of changes."""
        now_s, found = self._clock.now_s(), []
        for asset in self._planner.assets:
            if self._planner.runs(asset):
                with self._database.write() as tx:
                    found.append(runway.watch(tx, asset, now_s))
        return found

    def step(self) -> Round:
        """One round over all assets and all approved requests."""
        made, held_back = [], []
        self._follow()
        for asset in self._planner.assets:
            try:
                request = self._plan(asset)
            except DeniedByPolicy as error:
                held_back.append(f"{asset.code}: {error.message}")
                continue
            if request is not None:
                made.append(request.id)
                self._milestone("treasury.requested")
        built = []
        with self._database.read() as tx:
            approved = requests.in_states(tx, [RequestStatus.APPROVED])
        for request in approved:
            why = self._build(request)
            if why is None:
                built.append(request.id)
                self._milestone("treasury.exported")
            else:
                held_back.append(f"{request.id}: {why}")
        return Round(made=tuple(made), built=tuple(built), held_back=tuple(held_back))

    def _follow(self) -> None:
        now_s = self._clock.now_s()
        with self._database.read() as tx:
            if not is_behind(tx, now_s):
                return
        with self._database.write() as tx:
            follow(tx, now_s)

    def _plan(self, asset: AssetSettings) -> TreasuryRequest | None:
        if not self._planner.runs(asset):
            return None
        with self._database.read() as tx:
            if pauses.holding(tx, asset.network, asset.code):
                return None
            if self._planner.look(tx, asset).due is None:
                return None
        now_s = self._clock.now_s()
        with self._database.write() as tx:
            follow(tx, now_s)
            return self._planner.act(tx, asset, now_s)

    def _build(self, request: TreasuryRequest) -> str | None:
        """Build an approved request's transaction; None, or why not now."""
        now_s = self._clock.now_s()
        with self._database.read() as tx:
            tally = self._desk.tally(tx, approvals.subject_by_id(tx, request.id))
            kept = approvals.stored(tx, request.intent_digest)
        if not tally.reached:
            # Somebody who approved has left the roster since.
            return self._wait(request, "quorum_lost", now_s)
        counting = [approval for approval in kept if approval.approver in tally.approvers]
        try:
            self._movers.build_move(request.intent, counting, self._attach(request))
        except NotBuilt as error:
            return self._wait(request, error.code, now_s)
        except NodeError as error:
            return self._wait(request, error.code, now_s)
        except LostRace:
            return "changed meanwhile"
        return None

    def _attach(self, request: TreasuryRequest) -> Attach:
        def attach(tx: Connection, payment_id: str) -> None:
            now_s = self._clock.now_s()
            requests.move(tx, request, RequestStatus.EXPORTED, now_s, payment_id=payment_id)

        return attach

    def _wait(self, request: TreasuryRequest, why: str, now_s: int) -> str:
        with self._database.write() as tx:
            requests.note(tx, request, why, now_s)
        return why
