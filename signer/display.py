"""What a person reads before saying yes: only from decoded bytes, never from claims."""

import unicodedata
from collections.abc import Mapping, Sequence

from embit.wordlists.bip39 import WORDLIST

from chains.units import to_text
from policies.decision import Decision
from signer.guards.facts import NetworkRules, Owner, SpendFacts
from signer.protocol import Intent

CHECK_WORDS = 6
"""66 bits: enough to read over the phone and too many to collide on purpose while waiting."""

_GROUP = 4
_OWNERS: Mapping[Owner, str] = {
    Owner.NONE: "OUTSIDE",
    Owner.HOT: "our hot wallet",
    Owner.COLD: "our cold vault",
    Owner.DEPOSIT: "our deposit address",
}


def clean(text: str) -> str:
    """Text without anything that a terminal would obey or hide."""
    return "".join(
        char if char.isprintable() and unicodedata.category(char) != "Cf" else "?" for char in text
    )


def grouped(address: str) -> str:
    """An address in full, in groups that an eye can follow."""
    plain = clean(address)
    return " ".join(plain[at : at + _GROUP] for at in range(0, len(plain), _GROUP))


def check_words(digest: bytes) -> str:
    """Six words of a digest, to be read aloud on both sides."""
    number = int.from_bytes(digest[:9], "big") >> 6
    words = [WORDLIST[number >> 11 * at & 2047] for at in reversed(range(CHECK_WORDS))]
    return " ".join(words)


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
) -> list[str]:
    """The whole payment, one fact a line."""
    purpose = str(facts.purpose).upper()
    lines = [f"{purpose} of {clean(facts.asset)} on {facts.network} from {facts.source}"]
    for payee in facts.payees:
        origin = f", {payee.source} {payee.path}" if payee.source else ""
        lines.append(f"pays {amount(payee.units, rules, facts.asset)}")
        lines.append(f"  to {grouped(payee.address)} [{_OWNERS[payee.owner]}{origin}]")
    for change in facts.change:
        lines.append(f"change {amount(change.units, rules, facts.asset)}")
        lines.append(f"  to {grouped(change.address)} [{change.branch}/{change.index}]")
    if facts.payees:
        lines.append(f"in all {amount(facts.units, rules, facts.asset)}")
    lines.append(_fee_line(facts, rules))
    if facts.nonce is not None:
        lines.append(f"nonce {facts.nonce[1]} of {grouped(facts.nonce[0])}")
    lines.extend(clean(note) for note in facts.notes)
    for intent in intents:
        names = ", ".join(sorted(approvers.get(intent.digest, frozenset()))) or "nobody"
        lines.append(
            f"intent {clean(intent.intent_id)}: asked by {clean(intent.requester)},"
            f" approved by {clean(names)}"
        )
        lines.append(f"  check words: {check_words(intent.digest)}")
    lines.extend(f"policy {one.code}: {clean(one.text)}" for one in decision.reasons)
    return lines


def _fee_line(facts: SpendFacts, rules: NetworkRules) -> str:
    fee = f"fee at most {amount(facts.fee_units, rules, rules.asset)}"
    if facts.asset == rules.asset and facts.units:
        ppm = facts.fee_units * 1_000_000 // facts.units
        fee += f", {to_text(ppm, 4)} %"
    if rules.chain_id is None:
        return f"{fee}, {to_text(facts.feerate, 3)} sat/vB, {facts.size} vB"
    return f"{fee}, {facts.feerate} wei/gas, {facts.size} gas"
