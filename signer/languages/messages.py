"""The languages there are, and every message that each of them must have."""

from enum import StrEnum


class Language(StrEnum):
    """A language of the confirmation, by its BCP 47 tag."""

    ENGLISH = "en"
    SIMPLIFIED_CHINESE = "zh-Hans"
    TRADITIONAL_CHINESE = "zh-Hant"
    JAPANESE = "ja"


class Message(StrEnum):
    """One text, by the name it has in every language."""

    TITLE = "title"
    WITHDRAWAL = "purpose.withdrawal"
    GATHER = "purpose.gather"
    TOP_UP = "purpose.top_up"
    SWEEP = "purpose.sweep"
    REFILL = "purpose.refill"
    RESHAPE = "purpose.reshape"
    GOVERNANCE = "purpose.governance"
    PAYS = "pays"
    TO = "to"
    OUTSIDE = "owner.none"
    HOT = "owner.hot"
    COLD = "owner.cold"
    DEPOSIT = "owner.deposit"
    CHANGE = "change"
    IN_ALL = "in_all"
    FEE = "fee"
    NONCE = "nonce"
    INTENT = "intent"
    NOBODY = "nobody"
    CHECK_WORDS = "check_words"
    POLICY = "policy"
    CAPS = "policy.caps.passed"
    DESTINATIONS = "policy.destinations.passed"
    APPROVALS = "policy.approvals.passed"
    FEES = "policy.fees.passed"
    LOOK_ALIKE = "look_alike"
    LOOK_ALIKE_KNOWN = "look_alike.known"
    SAFE = "note.safe"
    EXECUTES = "note.executes"
    CONTRACT = "note.token"
    REPLACES = "note.replaces"
    REPLACES_PAYMENTS = "note.replaces_payments"
    SIGN = "question.sign"
    SIGN_LOOK_ALIKE = "question.look_alike"
    YES = "yes"
    ANSWERS = "answers"
