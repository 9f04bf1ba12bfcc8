"""Safe requests through the whole engine: quorum, pins, replacement, refill bound, delegation."""

import tomllib
from dataclasses import replace
from typing import Any

import pytest

from chains.evm.addresses import checksum, from_text
from chains.evm.authorizations import Authorization
from chains.evm.safe import SafeTx
from chains.evm.safe_governance import SENTINEL, GovernanceCall, SelfCall
from chains.evm.sweeper import sweeper_address
from policies import load_policy
from signer.errors import Refused
from signer.home import Home
from signer.log import Log
from signer.protocol import Intent, Kind, OwnOutput, Payee, Purpose, Result, SignAnswer, SignRequest
from signer.replay import replay
from tests.signer_world import (
    CONFIG,
    CUSTOMER_EVM,
    ETH,
    NOW_S,
    POLICY,
    SAFE,
    a_request,
    an_approval,
    an_intent,
    answer_of,
    engine,
    safe_text,
    sealed,
)

ETHER = 10**18
MODULE = checksum(bytes.fromhex("c0ffee01".rjust(40, "0")))
SAFE_BYTES = bytes.fromhex(SAFE[2:])

GOVERNED = (
    POLICY
    + f"""
[[payments]]
network = "{ETH}"
asset = "ETH"
purposes = ["refill"]
order_units_max = "5000000000000000000"
tx_units_max = "5000000000000000000"
hot_max = "3000000000000000000"
tiers = [{{ from_units = 0, approvals = 0 }}]

[[governance]]
network = "{ETH}"
source = "ethereum-cold"
approvals = 2
roles = ["treasurer"]
fallback_handlers = ["{MODULE}"]
"""
)


@pytest.fixture
def safe(cold: Home) -> Home:
    """The cold home under a policy with governance."""
    cold.configure(CONFIG.encode(), GOVERNED.encode(), NOW_S)
    return cold


def asked(home: Home, request: SignRequest) -> SignAnswer:
    return answer_of(engine(home).sign(sealed(request)), home)


def code_of(home: Home, request: SignRequest) -> str:
    answer = asked(home, request)
    assert (Result.REFUSED, ()) == (answer.result, answer.signatures)
    log = Log(home.path / "log", home.path / "mark")
    last = list(log.replay())[-1]
    log.close()
    return str(last.data["code"])


def a_safe_request(tx: SafeTx, intent: Intent, *approvers: str, **changes: Any) -> SignRequest:
    fields: dict[str, Any] = {
        "network": ETH,
        "source": "ethereum-cold",
        "kind": Kind.SAFE_TX,
        "approvals": tuple(an_approval(name, intent) for name in approvers),
    }
    return a_request(tx.encode(), intent, **{**fields, **changes})


def a_change(act: GovernanceCall, name: str = "g1", **changes: Any) -> tuple[SafeTx, Intent]:
    tx = SafeTx(
        chain_id=31337, safe=SAFE_BYTES, to=SAFE_BYTES, value_wei=0, data=act.encode(), nonce=0
    )
    fields: dict[str, Any] = {
        "purpose": Purpose.GOVERNANCE,
        "network": ETH,
        "asset": "ETH",
        "source": "ethereum-cold",
        "payees": (),
        "call": act.encode(),
    }
    return tx, an_intent(name, **{**fields, **changes})


THREE = GovernanceCall(action=SelfCall.CHANGE_THRESHOLD, threshold=3)


def test_a_change_is_signed_by_the_governance_quorum_and_shown(safe: Home) -> None:
    request = a_safe_request(*a_change(THREE), "alice", "bob")

    review = engine(safe).review(sealed(request))
    answer = asked(safe, request)

    assert (Result.SIGNED, 1) == (answer.result, len(answer.signatures))
    shown = "\n".join(review.lines)
    assert "GOVERNANCE" in shown
    assert "threshold from 2 of 3 to 3 of 3" in shown
    assert "in all" not in shown
    assert "governance.passed" in shown


@pytest.mark.parametrize("approvers", [(), ("alice",)])
def test_a_change_needs_the_whole_quorum(safe: Home, approvers: tuple[str, ...]) -> None:
    assert "policy.governance.quorum" == code_of(safe, a_safe_request(*a_change(THREE), *approvers))


def test_without_a_governance_rule_nobody_changes_a_safe(cold: Home) -> None:
    request = a_safe_request(*a_change(THREE), "alice", "bob")

    assert "policy.governance.no_rule" == code_of(cold, request)


@pytest.mark.parametrize(
    ("address", "code"), [(MODULE, ""), (CUSTOMER_EVM, "policy.governance.not_pinned")]
)
def test_only_pinned_contracts_are_given_power(safe: Home, address: str, code: str) -> None:
    call = GovernanceCall(action=SelfCall.SET_FALLBACK_HANDLER, addresses=(from_text(address),))
    request = a_safe_request(*a_change(call), "alice", "bob")

    if code:
        assert code == code_of(safe, request)
    else:
        assert Result.SIGNED is asked(safe, request).result


@pytest.mark.parametrize("action", [SelfCall.ENABLE_MODULE, SelfCall.SET_GUARD])
def test_modules_and_guards_are_denied_by_default(safe: Home, action: SelfCall) -> None:
    call = GovernanceCall(action=action, addresses=(from_text(MODULE),))
    request = a_safe_request(*a_change(call), "alice", "bob")

    assert "policy.governance.not_pinned" == code_of(safe, request)


def test_disabling_a_module_takes_power_away_and_needs_no_pin(safe: Home) -> None:
    call = GovernanceCall(
        action=SelfCall.DISABLE_MODULE, addresses=(SENTINEL, from_text(CUSTOMER_EVM))
    )

    assert Result.SIGNED is asked(safe, a_safe_request(*a_change(call), "alice", "bob")).result


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"call": b""}, "intent.act"),
        ({"payees": (Payee(address=CUSTOMER_EVM, units=1),)}, "intent.act"),
        ({"purpose": Purpose.REFILL}, "intent.call"),
    ],
)
def test_an_intent_pays_or_acts(safe: Home, changes: dict[str, Any], code: str) -> None:
    assert code == code_of(safe, a_safe_request(*a_change(THREE, **changes), "alice", "bob"))


def a_refill(home: Home, name: str = "f1", nonce: int = 0, **changes: Any) -> tuple[SafeTx, Intent]:
    hot = home.vaults["ethereum-hot"].vault
    units = changes.pop("units", ETHER)
    tx = SafeTx(chain_id=31337, safe=SAFE_BYTES, to=hot.address, value_wei=units, nonce=nonce)
    fields: dict[str, Any] = {
        "purpose": Purpose.REFILL,
        "network": ETH,
        "asset": "ETH",
        "source": "ethereum-cold",
        "payees": (Payee(address=hot.address_text(0), units=units),),
        "hot_units": 0,
    }
    return tx, an_intent(name, **{**fields, **changes})


@pytest.mark.parametrize(
    ("hot", "code"),
    [
        (2 * ETHER, ""),
        (2 * ETHER + 1, "policy.caps.hot_max"),
        (None, "policy.caps.hot_unknown"),
    ],
)
def test_a_refill_is_bounded_by_what_hot_reports(safe: Home, hot: int | None, code: str) -> None:
    request = a_safe_request(*a_refill(safe, hot_units=hot))

    if code:
        assert code == code_of(safe, request)
    else:
        assert Result.SIGNED is asked(safe, request).result


def test_a_safe_nonce_again_needs_somebody_who_approves(safe: Home) -> None:
    asked(safe, a_safe_request(*a_refill(safe, "f1")))

    again = a_refill(safe, "f2", units=2 * ETHER)
    assert "nonce.replacement_unapproved" == code_of(safe, a_safe_request(*again))
    approved = a_safe_request(*again, "alice", request_id="r-again")
    assert Result.SIGNED is asked(safe, approved).result
    assert Result.SIGNED is asked(safe, a_safe_request(*a_refill(safe, "f3", 1))).result


def an_authorization(home: Home, name: str = "d1", **changes: Any) -> SignRequest:
    deposit = home.vaults["ethereum-deposit"].vault
    payload = Authorization(
        chain_id=31337, delegate=sweeper_of(home), nonce=changes.pop("nonce", 0)
    ).encode()
    fields: dict[str, Any] = {
        "purpose": Purpose.GATHER,
        "network": ETH,
        "asset": "ETH",
        "source": "ethereum-deposit",
        "payees": (),
        "call": payload,
    }
    sender = OwnOutput(
        address=deposit.address_text(2), source="ethereum-deposit", branch=0, index=2
    )
    return a_request(
        payload,
        an_intent(name, **{**fields, **changes}),
        network=ETH,
        source="ethereum-deposit",
        kind=Kind.EVM_AUTH,
        sender=sender,
    )


def sweeper_of(home: Home) -> bytes:
    return sweeper_address(home.vaults["ethereum-hot"].vault.address)


def with_sweeper(home: Home, policy: str = POLICY) -> None:
    lines = f'chain_id = 31337\nsweeper = "{checksum(sweeper_of(home))}"\n'
    config = CONFIG.replace("chain_id = 31337\n", lines)
    home.configure(config.encode(), policy.encode(), NOW_S)


def test_a_deposit_address_is_delegated_to_the_configured_sweeper(hot: Home) -> None:
    assert "delegation.no_sweeper" == code_of(hot, an_authorization(hot, "d0"))
    with_sweeper(hot)

    answer = asked(hot, an_authorization(hot))

    assert (Result.SIGNED, 65) == (answer.result, len(answer.signatures[0].signature))
    assert "nonce.used" == code_of(hot, an_authorization(hot, "d2"))
    assert Result.SIGNED is asked(hot, an_authorization(hot, "d3", nonce=1)).result


def test_a_delegation_needs_a_policy_that_lets_gather(hot: Home) -> None:
    with_sweeper(hot, POLICY.replace('"withdrawal", "gather", "sweep"', '"withdrawal", "sweep"'))

    assert "policy.delegation.no_rule" == code_of(hot, an_authorization(hot))


def test_only_deposit_addresses_are_asked_for_an_authorisation(hot: Home) -> None:
    with_sweeper(hot)
    request = an_authorization(hot)
    intent = replace(request.intents[0], source="ethereum-hot")
    elsewhere = replace(request, source="ethereum-hot", intents=(intent,))

    assert "request.kind" == code_of(hot, elsewhere)


def test_an_authorisation_that_pays_is_refused(hot: Home) -> None:
    with_sweeper(hot)
    payees = (Payee(address=safe_text(), units=1),)

    assert "intent.act" == code_of(hot, an_authorization(hot, payees=payees))


def test_the_memory_of_payments_survives_a_restart(world: Any) -> None:
    home = world.open("cold")
    home.configure(CONFIG.encode(), GOVERNED.encode(), NOW_S)
    asked(home, a_safe_request(*a_refill(home, "f1")))
    home.close()

    home = world.open("cold")
    assert home.state.signed_payment(ETH, safe_text(), 0) is not None
    with pytest.raises(Refused):
        engine(home).review(sealed(a_safe_request(*a_refill(home, "f2"))))
    home.close()


def test_a_replay_judges_refills_by_what_hot_held_and_leaves_acts_alone(safe: Home) -> None:
    asked(safe, a_safe_request(*a_change(THREE), "alice", "bob"))
    asked(safe, a_safe_request(*a_refill(safe, hot_units=ETHER, nonce=1)))
    policy = load_policy(tomllib.loads(GOVERNED))
    tighter = load_policy(
        tomllib.loads(GOVERNED.replace("3000000000000000000", "1000000000000000000"))
    )
    log = Log(safe.path / "log", safe.path / "mark")
    records = list(log.replay())
    log.close()

    assert [(False, ""), (True, "")] == [(v.known, v.code) for v in replay(records, policy)]
    assert "caps.hot_max" == list(replay(records, tighter))[1].code
