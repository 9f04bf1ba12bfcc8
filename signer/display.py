"""What a person reads before saying yes: only from decoded bytes, never from claims."""

import re
from collections.abc import Mapping, Sequence
from functools import partial

from chains.units import to_text
from policies.decision import Decision, Reason
from signer.guards.facts import NetworkRules, SpendFacts
from signer.languages import Language, Message, say
from signer.lookalike import LookAlike
from signer.protocol import Intent, check_words, clean

_GROUP = 4
_NOTES: Mapping[Message, re.Pattern[str]] = {
    Message.SAFE: re.compile(
        r"Safe (?P<address>0x\w{40}) version (?P<version>[\w.+]+), nonce (?P<nonce>\d+)"
    ),
    Message.EXECUTES: re.compile(r"executes Safe (?P<name>[\w.-]+), (?P<address>0x\w{40})"),
    Message.CONTRACT: re.compile(
        r"token (?P<symbol>\S+), (?P<decimals>\d+) decimals, contract (?P<address>0x\w{40})"
    ),
    Message.PROVES_COINS: re.compile(
        r"PROVES that (?P<count>\d+) coins of (?P<units>\d+) base units are ours, pays nobody"
    ),
    Message.PROVES_ACCOUNT: re.compile(r"PROVES that (?P<address>0x\w{40}) is ours, moves nothing"),
    Message.REPLACES: re.compile(
        r"REPLACES what this signer signed before with nonce (?P<nonce>\d+)"
    ),
    Message.REPLACES_PAYMENTS: re.compile(
        r"REPLACES a transaction of the same payments, whose fee was (?P<fee>\d+)"
    ),
}
"""Notes of the guards that have words in every language; hashes and the rest stay as they are."""


def grouped(address: str) -> str:
    """An address in full, in groups that an eye can follow."""
    plain = clean(address)
    return " ".join(plain[at : at + _GROUP] for at in range(0, len(plain), _GROUP))


def amount(units: int, rules: NetworkRules, asset: str) -> str:
    """An amount in coin and in base units."""
    decimals = rules.decimals if asset == rules.asset else rules.tokens[asset].decimals
    return f"{to_text(units, decimals)} {clean(asset)} ({units})"


def review_lines(
    facts: SpendFacts,
    rules: NetworkRules,
    intents: Sequence[Intent],
    approvers: Mapping[bytes, frozenset[str]],
    decision: Decision,
    alarms: Sequence[LookAlike] = (),
    language: Language = Language.ENGLISH,
) -> list[str]:
    """The whole payment, one fact a line, in a person's language."""
    said = partial(say, language)
    lines = []
    for alarm in alarms:
        lines.append(said(Message.LOOK_ALIKE, address=grouped(alarm.payee)))
        lines.append(said(Message.LOOK_ALIKE_KNOWN, address=grouped(alarm.known)))
    purpose = said(Message(f"purpose.{facts.purpose}"))
    names = {"asset": clean(facts.asset), "network": facts.network, "source": facts.source}
    lines.append(said(Message.TITLE, purpose=purpose, **names))
    for payee in facts.payees:
        origin = f", {payee.source} {payee.path}" if payee.source else ""
        owner = said(Message(f"owner.{payee.owner}")) + origin
        lines.append(said(Message.PAYS, amount=amount(payee.units, rules, facts.asset)))
        lines.append("  " + said(Message.TO, address=grouped(payee.address), owner=owner))
    for change in facts.change:
        place = f"{change.branch}/{change.index}"
        lines.append(said(Message.CHANGE, amount=amount(change.units, rules, facts.asset)))
        lines.append("  " + said(Message.TO, address=grouped(change.address), owner=place))
    if facts.payees:
        lines.append(said(Message.IN_ALL, amount=amount(facts.units, rules, facts.asset)))
    fee = said(Message.FEE, amount=amount(facts.fee_units, rules, rules.asset))
    lines.append(fee + _fee_rates(facts, rules))
    if facts.nonce is not None:
        address, nonce = facts.nonce
        lines.append(said(Message.NONCE, nonce=nonce, address=grouped(address)))
    lines.extend(clean(_note(note, language)) for note in facts.notes)
    for intent in intents:
        names = {"intent": clean(intent.intent_id), "requester": clean(intent.requester)}
        people = ", ".join(sorted(approvers.get(intent.digest, frozenset())))
        lines.append(said(Message.INTENT, approvers=clean(people) or said(Message.NOBODY), **names))
        lines.append("  " + said(Message.CHECK_WORDS, words=check_words(intent.digest)))
    lines.extend(_reason(reason, language) for reason in decision.reasons)
    return lines


def _note(note: str, language: Language) -> str:
    """A guard's note in the person's language; one without words of its own stays as it is."""
    for message, pattern in _NOTES.items():
        if found := pattern.fullmatch(note):
            return say(language, message, **found.groupdict())
    return note


def _reason(reason: Reason, language: Language) -> str:
    """What a rule found; its own English text stays beside the words that people know."""
    text = clean(reason.text)
    key = f"policy.{reason.code}"
    if language is not Language.ENGLISH and key in list(Message):
        text = f"{say(language, Message(key))} [{text}]"
    return say(language, Message.POLICY, code=reason.code, text=text)


def _fee_rates(facts: SpendFacts, rules: NetworkRules) -> str:
    share = ""
    if facts.asset == rules.asset and facts.units:
        ppm = facts.fee_units * 1_000_000 // facts.units
        share = f", {to_text(ppm, 4)} %"
    if rules.chain_id is None:
        return f"{share}, {to_text(facts.feerate, 3)} sat/vB, {facts.size} vB"
    return f"{share}, {facts.feerate} wei/gas, {facts.size} gas"
