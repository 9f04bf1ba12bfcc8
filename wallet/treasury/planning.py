"""Which movements between hot and cold are due, and the intent of each.

Thresholds decide, the policy may say no, and the row is written before anything else happens.
What is on its way already is counted, so looking twice never asks twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from chains.types import Family
from policies import (
    Decision,
    Direction,
    HotFacts,
    Mode,
    Move,
    OrderFacts,
    Outcome,
    Owner,
    PayeeFacts,
    PaymentFacts,
    Policy,
    Stage,
    Threshold,
    decide,
    move,
    windows_s,
)
from signer.protocol import Intent, Payee, Purpose
from wallet.addresses import issuing
from wallet.addresses.derivation import Deriver
from wallet.addresses.issuing import issue_own
from wallet.errors import Invalid
from wallet.settings import AssetSettings, NetworkSettings
from wallet.treasury import requests, standing
from wallet.treasury.errors import DeniedByPolicy, NotRunning
from wallet.treasury.requests import AUTOMATIC, TreasuryRequest
from wallet.treasury.runway import is_low
from wallet.treasury.thresholds import AssetThreshold, asset_named, threshold_of

LIFETIME_S = 86_400
"""A request that is not through its signers within a day ends by itself."""

PAUSE_S = 600
"""How long the service waits after a request of its own came to nothing before the next."""

_PURPOSES = {Direction.SWEEP: Purpose.SWEEP, Direction.REFILL: Purpose.REFILL}


NO_MAX = 2**256
"""More than there is of anything."""


class BadAmount(Invalid):
    """An amount that is not more than nothing."""

    code = "treasury.bad_amount"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Where an asset stands against its bounds; `due` is what should move, or None."""

    asset: str
    threshold: AssetThreshold
    facts: HotFacts
    due: Move | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A movement that somebody, or the thresholds, asks for; base units of the asset."""

    purpose: Purpose
    asset: str
    units: int
    requester: str


class Planner:
    """Looks at every asset and asks for what is due."""

    def __init__(
        self,
        *,
        networks: Sequence[NetworkSettings],
        assets: Sequence[AssetSettings],
        policy: Policy,
        approvals_required: int,
        deriver: Deriver,
        new_id: Callable[[], str],
        lifetime_s: int = LIFETIME_S,
        pause_s: int = PAUSE_S,
    ) -> None:
        self.assets = tuple(assets)
        self._networks: Mapping[str, NetworkSettings] = {n.id: n for n in networks}
        self._policy = policy
        self._approvals_required = approvals_required
        self._deriver = deriver
        self._new_id = new_id
        self._lifetime_s = lifetime_s
        self._pause_s = pause_s

    def runs(self, asset: AssetSettings) -> bool:
        """Whether this asset's network has a hot and a cold vault to move money between."""
        network = self._networks.get(asset.network)
        return network is not None and bool(network.hot and network.cold)

    def look(self, tx: Connection, asset: AssetSettings) -> Look:
        """Where an asset stands now."""
        threshold = threshold_of(tx, asset)
        facts = standing.hot_facts(tx, asset, self._cold_reserve_units(asset))
        due = move(threshold.bounds, facts) if threshold.is_set else None
        if due is None and threshold.is_set and asset.runway_hours_min:
            due = _early_refill(threshold.bounds, facts) if is_low(tx, asset.code) else None
        return Look(asset=asset.code, threshold=threshold, facts=facts, due=due)

    def act(self, tx: Connection, asset: AssetSettings, now_s: int) -> TreasuryRequest | None:
        """Ask for what is due of one asset, or nothing. Raises DeniedByPolicy.

        A movement larger than one order may be is asked for in parts, one each time. After one that
        was refused, cancelled or timed out there is a pause, so that people are not flooded.
        """
        due = self.look(tx, asset).due
        if due is None:
            return None
        purpose = _PURPOSES[due.direction]
        undone_s = requests.last_undone_s(tx, asset.code, purpose)
        if undone_s is not None and now_s < undone_s + self._pause_s:
            return None
        wanted = Wanted(purpose=purpose, asset=asset.code, units=due.units, requester=AUTOMATIC)
        source, _ = self._way(wanted.purpose, self._network(asset.network))
        rule = self._policy.payment_rule(asset.network, asset.code, wanted.purpose, source)
        if rule is not None and wanted.units > rule.order_units_max > 0:
            wanted = Wanted(
                purpose=wanted.purpose,
                asset=asset.code,
                units=rule.order_units_max,
                requester=AUTOMATIC,
            )
        return self.ask(tx, wanted, now_s)

    def ask(self, tx: Connection, wanted: Wanted, now_s: int) -> TreasuryRequest:
        """Write a request for a movement. Raises DeniedByPolicy, BadAmount or NotRunning."""
        asset = asset_named(self.assets, wanted.asset)
        network = self._network(asset.network)
        if wanted.units <= 0:
            raise BadAmount(f"got {wanted.units} units, expected more than 0")
        source, destination = self._way(wanted.purpose, network)
        hot_units = self._hot_units(tx, asset) if wanted.purpose is Purpose.REFILL else None
        decision = self._judge(tx, wanted, asset, source, hot_units, now_s)
        if decision.outcome is Outcome.DENY:
            raise DeniedByPolicy(
                f"{wanted.purpose} of {wanted.units} {asset.code}: {decision.text}",
                {"reasons": [r.code for r in decision.reasons if r.outcome is Outcome.DENY]},
            )
        payee = issue_own(
            tx,
            self._deriver,
            network=network.id,
            source=destination,
            purpose=_address_purpose(wanted.purpose),
            now_s=now_s,
        )
        intent = Intent(
            intent_id=self._new_id(),
            purpose=wanted.purpose,
            network=network.id,
            asset=asset.code,
            source=source,
            payees=(Payee(address=payee.address, units=wanted.units),),
            fee_units_max=network.fee_units_max,
            requester=wanted.requester,
            created_s=now_s,
            expires_s=now_s + self._lifetime_s,
            hot_units=hot_units,
        )
        return requests.create(tx, intent, self._approvals_needed(wanted, decision), now_s)

    def _hot_units(self, tx: Connection, asset: AssetSettings) -> int:
        """What hot holds and expects, less what it owes out: signers bound a refill by it."""
        facts = standing.hot_facts(tx, asset, 0)
        return max(facts.hot_units + facts.arriving_units - facts.leaving_units, 0)

    def _judge(
        self,
        tx: Connection,
        wanted: Wanted,
        asset: AssetSettings,
        source: str,
        hot_units: int | None,
        now_s: int,
    ) -> Decision:
        owner = Owner(_address_purpose(wanted.purpose))
        payee = PayeeFacts(address=owner, units=wanted.units, owner=owner)
        order = OrderFacts(order_id="new", requester=wanted.requester, payees=(payee,))
        windows = windows_s(self._policy, asset.network, asset.code, wanted.purpose, source)
        facts = PaymentFacts(
            purpose=wanted.purpose,
            network=asset.network,
            asset=asset.code,
            source=source,
            orders=(order,),
            now_s=now_s,
            spent_units={
                window: standing.asked_units(tx, asset.code, wanted.purpose, now_s - window)
                for window in windows
            },
            hot_units=hot_units,
        )
        return decide(self._policy, facts, Stage.ORDER)

    def _approvals_needed(self, wanted: Wanted, decision: Decision) -> int:
        """Cold money always needs the deployment's quorum; the policy can only ask for more."""
        if wanted.purpose is Purpose.REFILL:
            return max(decision.approvals_required, self._approvals_required)
        return decision.approvals_required

    def _cold_reserve_units(self, asset: AssetSettings) -> int:
        """A UTXO vault pays its own fee; on an EVM chain the hot account pays for the Safe."""
        network = self._networks.get(asset.network)
        if network is None or network.family != Family.UTXO:
            return 0
        return network.fee_units_max

    def _network(self, network_id: str) -> NetworkSettings:
        network = self._networks.get(network_id)
        if network is None or not network.hot or not network.cold:
            raise NotRunning(f"got network {network_id}, expected one with a hot and a cold vault")
        return network

    @staticmethod
    def _way(purpose: Purpose, network: NetworkSettings) -> tuple[str, str]:
        """From which vault and to which."""
        match purpose:
            case Purpose.SWEEP:
                return network.hot, network.cold
            case Purpose.REFILL:
                return network.cold, network.hot
            case _:
                raise NotRunning(f"got {purpose}, expected sweep or refill")


def _early_refill(bounds: Threshold, facts: HotFacts) -> Move | None:
    """What a short runway asks for before the minimum does: a refill up to the target."""
    _, target, _ = bounds.bounds(facts.liabilities_units)
    # As if the minimum were the target; what is on its way already counts.
    low = Threshold(mode=Mode.ABSOLUTE, hot_min=target, hot_target=target, hot_max=NO_MAX)
    return move(low, facts)


def _address_purpose(purpose: Purpose) -> issuing.Purpose:
    """What a movement pays to: a cold address of ours, or a hot one."""
    return issuing.Purpose.COLD if purpose is Purpose.SWEEP else issuing.Purpose.HOT
