"""The example policies load, and hold what their first lines promise."""

import tomllib
from pathlib import Path

import pytest

from policies import Owner, Policy, Purpose, load_policy

FOLDER = Path(__file__).parents[3] / "config" / "policies"
ASSETS = {
    "BTC": "bitcoin-regtest",
    "LTC": "litecoin-regtest",
    "ETH": "ethereum-31337",
    "DUSD": "ethereum-31337",
    "DGLD": "ethereum-31337",
}


def load(name: str) -> Policy:
    return load_policy(tomllib.loads((FOLDER / name).read_text()))


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.toml")))
def test_every_payment_of_an_example_has_fee_caps(name: str) -> None:
    policy = load(name)
    assert policy.payments
    for rule in policy.payments:
        assert policy.fee_rule(rule.network, rule.purpose) is not None


@pytest.mark.parametrize("asset", ASSETS)
def test_a_keyholder_signs_refills_only_with_two_approvals(asset: str) -> None:
    policy = load("keyholder.toml")
    assert not policy.unattended
    assert {rule.purpose for rule in policy.payments} == {Purpose.REFILL}
    rule = policy.payment_rule(ASSETS[asset], asset, Purpose.REFILL, "any")
    assert rule is not None
    assert rule.owners == {Owner.HOT}
    assert {tier.approvals for tier in rule.tiers} == {2}


@pytest.mark.parametrize("name", ["service.toml", "hot-signer.toml"])
@pytest.mark.parametrize("asset", ASSETS)
def test_withdrawals_are_capped_in_a_window_and_large_ones_need_people(
    name: str, asset: str
) -> None:
    rule = load(name).payment_rule(ASSETS[asset], asset, Purpose.WITHDRAWAL, "any")
    assert rule is not None
    assert rule.windows
    # Other users' deposit addresses are payees like strangers'; our own hot and cold ones are not.
    assert rule.owners == {Owner.NONE, Owner.DEPOSIT}
    assert [tier.approvals for tier in rule.tiers] == [0, 2]
    assert rule.tiers[1].from_units < rule.order_units_max
