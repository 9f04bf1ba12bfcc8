"""A policy that does not say one clear thing is not loaded; equal policies have equal hashes."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from policies import Owner, PolicyInvalid, Purpose, load_policy

BASE: dict[str, Any] = {
    "version": 1,
    "name": "test",
    "payments": [
        {
            "network": "ethereum-31337",
            "asset": "ETH",
            "purposes": ["withdrawal", "sweep"],
            "order_units_max": "1000000000000000000000",
            "tx_units_max": 10**22,
            "windows": [
                {"seconds": 86400, "units_max": 5},
                {"seconds": 3600, "units_max": 1},
            ],
            "tiers": [{"from_units": 10, "approvals": 2}, {"from_units": 0, "approvals": 1}],
        },
        {
            "network": "bitcoin-regtest",
            "asset": "BTC",
            "purposes": ["refill"],
            "order_units_max": 5,
            "tx_units_max": 5,
            "tiers": [{"from_units": 0, "approvals": 2}],
        },
    ],
    "fees": [
        {"network": "ethereum-31337", "units_max": 1, "ppm_max": 2, "rate_max": 3},
        {
            "network": "bitcoin-regtest",
            "purposes": ["refill"],
            "units_max": 1,
            "ppm_max": 2,
            "rate_max": 3,
        },
    ],
    "book": [{"network": "ethereum-31337", "address": "0xAb", "added_s": 5}],
}


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    text = copy.deepcopy(BASE)
    change(text)
    return text


def test_a_policy_reads_as_written() -> None:
    policy = load_policy(BASE)
    rule = policy.payment_rule("ethereum-31337", "ETH", "sweep", "x")
    assert rule is not None
    assert rule.order_units_max == 10**21
    assert rule.owners == {Owner.COLD}
    assert [window.seconds for window in rule.windows] == [3600, 86400]
    assert [tier.from_units for tier in rule.tiers] == [0, 10]
    withdrawal = policy.payment_rule("ethereum-31337", "ETH", "withdrawal", "x")
    assert withdrawal is not None
    assert withdrawal.owners == {Owner.NONE}
    assert policy.fee_rule("ethereum-31337", Purpose.TOP_UP) is not None
    assert policy.fee_rule("bitcoin-regtest", Purpose.SWEEP) is None
    assert not policy.unattended


WRONG: dict[str, Callable[[dict[str, Any]], object]] = {
    "unknown keys colour, shape": lambda t: t.update(colour=1, shape=2),
    "payments[0]: got unknown keys limit": lambda t: t["payments"][0].update(limit=1),
    "windows[1]: got unknown keys days": lambda t: t["payments"][0]["windows"][1].update(days=1),
    "policy version": lambda t: t.update(version=2),
    "got no name": lambda t: t.pop("name"),
    "unattended: got 1": lambda t: t.update(unattended=1),
    "order_units_max: got 1.5": lambda t: t["payments"][0].update(order_units_max=1.5),
    "order_units_max: got -1": lambda t: t["payments"][0].update(order_units_max=-1),
    "order_units_max: got True": lambda t: t["payments"][0].update(order_units_max=True),
    "order_units_max: got '1e3'": lambda t: t["payments"][0].update(order_units_max="1e3"),
    "order_units_max: got 1157": lambda t: t["payments"][0].update(order_units_max=2**256),
    "payments[0]: got no tx_units_max": lambda t: t["payments"][0].pop("tx_units_max"),
    "purposes: got 'gift'": lambda t: t["payments"][0].update(purposes=["gift"]),
    "purposes: got []": lambda t: t["payments"][0].update(purposes=[]),
    "purposes: got the same entry": lambda t: t["payments"][0].update(purposes=["sweep"] * 2),
    "payments: got the same entry": lambda t: t["payments"].append(t["payments"][0]),
    "fees: got the same entry": lambda t: t["fees"].append(t["fees"][0]),
    "book: got the same entry": lambda t: t["book"].append({**t["book"][0], "address": "0xaB"}),
    "windows: got the same entry": lambda t: t["payments"][0]["windows"].append(
        {"seconds": 3600, "units_max": 9}
    ),
    "seconds: got 0": lambda t: t["payments"][0]["windows"][0].update(seconds=0),
    "expected a first tier": lambda t: t["payments"][0].update(tiers=[]),
    "fewer approvals for more": lambda t: t["payments"][0]["tiers"][0].update(approvals=0),
    "that sweep never pays": lambda t: t["payments"][0].update(purposes=["sweep"], owners=["none"]),
    "owners: got 'friend'": lambda t: t["payments"][0].update(owners=["friend"]),
    "listing: got 'maybe'": lambda t: t["book"][0].update(listing="maybe"),
    "destinations: got 'all'": lambda t: t["payments"][0].update(destinations="all"),
    "payments: got {}": lambda t: t.update(payments={}),
    "payments[0]: got 5": lambda t: t.update(payments=[5]),
    "payments[0].asset: got ''": lambda t: t["payments"][0].update(asset=""),
}


@pytest.mark.parametrize("words", WRONG)
def test_an_unclear_policy_is_refused_in_words(words: str) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        load_policy(changed(WRONG[words]))
    assert words in str(caught.value)


def test_the_hash_ignores_order_and_spelling_of_numbers() -> None:
    text = changed(lambda t: t["payments"].reverse())
    text["payments"][1]["windows"].reverse()
    text["payments"][1]["order_units_max"] = 10**21
    assert load_policy(text).hash == load_policy(BASE).hash


CHANGES: list[Callable[[dict[str, Any]], object]] = [
    lambda t: t.update(name="other"),
    lambda t: t.update(unattended=True),
    lambda t: t["payments"][0].update(source="vault"),
    lambda t: t["payments"][0].update(payees_max=1),
    lambda t: t["payments"][0].update(tx_units_max=1),
    lambda t: t["payments"][0].update(order_units_max=1),
    lambda t: t["payments"][0].update(destinations="book"),
    lambda t: t["payments"][0].update(age_s_min=1),
    lambda t: t["payments"][0]["windows"][0].update(units_max=6),
    lambda t: t["payments"][0]["tiers"][0].update(approvals=3),
    lambda t: t["fees"][0].update(rate_max=4),
    lambda t: t["book"][0].update(listing="deny"),
    lambda t: t["book"][0].update(added_s=6),
]


@pytest.mark.parametrize("position", range(len(CHANGES)))
def test_any_change_of_a_rule_changes_the_hash(position: int) -> None:
    assert load_policy(changed(CHANGES[position])).hash != load_policy(BASE).hash


def test_the_hash_is_pinned() -> None:
    """Signers compare it by eye across machines and versions, so it must not drift."""
    assert load_policy(BASE).hash == (
        "9a55a54fa040ca2f31b79120e7bb04549c3d0b0293cbee7b8a7aff8eb3fa51ad"
    )
