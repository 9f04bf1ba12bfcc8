"""Pure decisions: facts in, decision with reasons out. No clock, no I/O, no package of ours."""

from policies.decision import Decision, Outcome, Reason
from policies.difference import Change, Effect, policy_changes
from policies.engine import Stage, decide, windows_s, windows_signatures
from policies.errors import PolicyError, PolicyInvalid
from policies.facts import FeeFacts, OrderFacts, Owner, PayeeFacts, PaymentFacts, Purpose
from policies.loader import load_policy
from policies.policy import Policy
from policies.thresholds import Direction, HotFacts, Mode, Move, Threshold, move

__all__ = [
    "Change",
    "Decision",
    "Direction",
    "Effect",
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
    "policy_changes",
    "windows_s",
    "windows_signatures",
]
