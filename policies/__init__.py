"""Pure decisions: facts in, decision with reasons out. No clock, no I/O, no package of ours."""

from policies.decision import Decision, Outcome, Reason
from policies.engine import Stage, decide, windows_s
from policies.errors import PolicyError, PolicyInvalid
from policies.facts import FeeFacts, OrderFacts, Owner, PayeeFacts, PaymentFacts, Purpose
from policies.loader import load_policy
from policies.policy import Policy
from policies.thresholds import Direction, HotFacts, Mode, Move, Threshold, move

__all__ = [
    "Decision",
    "Direction",
    "FeeFacts",
    "HotFacts",
    "Mode",
    "Move",
    "OrderFacts",
    "Outcome",
    "Owner",
    "PayeeFacts",
    "PaymentFacts",
    "Policy",
    "PolicyError",
    "PolicyInvalid",
    "Purpose",
    "Reason",
    "Stage",
    "Threshold",
    "decide",
    "load_policy",
    "move",
    "windows_s",
]
