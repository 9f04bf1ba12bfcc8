"""What a decision may look at. Whoever asks fills it in; nothing here is looked up.

Amounts are base units; `fee` is in those of the network's native asset. Times are Unix seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Purpose(StrEnum):
    """Why money moves. A purpose that is not here is denied."""

    WITHDRAWAL = "withdrawal"
    GATHER = "gather"
    TOP_UP = "top_up"
    SWEEP = "sweep"
    REFILL = "refill"
    RESHAPE = "reshape"
    UNSTICK = "unstick"


class Owner(StrEnum):
    """Whose address a payee is, as the asker derived it itself. NONE is somebody outside."""

    NONE = "none"
    DEPOSIT = "deposit"
    HOT = "hot"
    COLD = "cold"
    CHANGE = "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayeeFacts:
    """One payee. `known_since_s` is when the asker's own address book first held the address."""

    address: str
    units: int
    owner: Owner = Owner.NONE
    known_since_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
    """One intent: who asked for it and who said yes, by names the asker has verified."""

    order_id: str
    requester: str
    payees: tuple[PayeeFacts, ...]
    approvers: frozenset[str] = frozenset()

    @property
    def units(self) -> int:
        """All payees of this order together."""
        return sum(payee.units for payee in self.payees)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeFacts:
    """What the chain may take, at most.

    `rate_units` is sats per 1000 vbytes, rounded up, or the max wei per gas. `basis_units` is the
    native value that the transaction moves, for the share; None when it moves only a token.
    """

    units: int
    rate_units: int
    basis_units: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFacts:
    """One transaction, or one order that asks to become part of one (then `fee` is None).

    `spent_units[w]` is what the asker's own record says left for the same network, asset, source
    and purpose in the last `w` seconds, without this payment; `engine.windows_s` names each `w`.
    `spent_signatures[n]` is the same for the last `n - 1` payments; `engine.windows_signatures`
    names each `n`.
    `hot_units` is what hot holds of the asset as a refill reports it.
    """

    purpose: str
    network: str
    asset: str
    source: str
    orders: tuple[OrderFacts, ...]
    now_s: int
    fee: FeeFacts | None = None
    spent_units: Mapping[int, int] = field(default_factory=dict)
    spent_signatures: Mapping[int, int] = field(default_factory=dict)
    hot_units: int | None = None

    @property
    def units(self) -> int:
        """All orders together."""
        return sum(order.units for order in self.orders)

    @property
    def payees(self) -> tuple[PayeeFacts, ...]:
        """The payees of all orders."""
        return tuple(payee for order in self.orders for payee in order.payees)
