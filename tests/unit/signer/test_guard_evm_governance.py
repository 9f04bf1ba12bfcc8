"""A Safe changes itself only as an intent names it, and only into a Safe that can still work."""

from dataclasses import replace

import pytest
from eth_account import Account

from chains.evm import abi
from chains.evm.addresses import checksum, from_text
from chains.evm.safe import SafeTx
from chains.evm.safe_governance import SENTINEL, GovernanceCall, SelfCall
from chains.evm.safe_signatures import pack_signatures
from policies import load_policy
from policies.acts import GovernanceFacts, decide_governance
from policies.errors import PolicyInvalid
from signer.errors import Refused
from signer.guards.evm import check_evm_tx
from signer.guards.facts import GovernanceFact
from signer.guards.safe import check_safe_tx
from signer.protocol import Intent, Kind, Payee, Purpose, SignRequest
from tests.evm_world import (
    CUSTOMER,
    ETHER,
    HOT_VAULT,
    PEOPLE,
    SAFE,
    SAFE_VAULT,
    a_context,
    a_request,
    a_safe_tx,
    a_tx,
    an_intent,
)

ONE, TWO, THREE = SAFE_VAULT.owners
NEW = b"\x99" * 20


def a_call(action: SelfCall, *addresses: bytes, threshold: int | None = None) -> GovernanceCall:
    return GovernanceCall(action=action, addresses=addresses, threshold=threshold)


def an_act(call: bytes, **changes: object) -> Intent:
    fields: dict[str, object] = {
        "purpose": Purpose.GOVERNANCE,
        "source": "ethereum-cold",
        "payees": (),
        "call": call,
    }
    return an_intent(**{**fields, **changes})  # type: ignore[arg-type]


def changing(data: bytes, intent: Intent | None = None, **changes: object) -> SignRequest:
    fields: dict[str, object] = {"to": SAFE, "value_wei": 0, "data": data}
    return a_request(
        a_safe_tx(**{**fields, **changes}).encode(),
        intent or an_act(data),
        source="ethereum-cold",
        kind=Kind.SAFE_TX,
        sender=None,
    )


def code_of(request: SignRequest) -> str:
    with pytest.raises(Refused) as caught:
        check_safe_tx(request, a_context())
    return caught.value.code


ADD = a_call(SelfCall.ADD_OWNER, NEW, threshold=3)


@pytest.mark.parametrize(
    ("call", "binds", "words"),
    [
        (ADD, "", [f"ADDED {checksum(NEW)}", "from 2 of 3 to 3 of 4"]),
        (
            a_call(SelfCall.REMOVE_OWNER, SENTINEL, ONE, threshold=2),
            "",
            [f"REMOVED {checksum(ONE)}", "from 2 of 3 to 2 of 2"],
        ),
        (
            a_call(SelfCall.SWAP_OWNER, ONE, TWO, NEW),
            "",
            [f"REMOVED {checksum(TWO)}", f"ADDED {checksum(NEW)}", "stays 2 of 3"],
        ),
        (a_call(SelfCall.CHANGE_THRESHOLD, threshold=3), "", ["from 2 of 3 to 3 of 3"]),
        (a_call(SelfCall.ENABLE_MODULE, NEW), "modules", [checksum(NEW), "ENABLE MODULE"]),
        (a_call(SelfCall.DISABLE_MODULE, SENTINEL, NEW), "", [f"{checksum(NEW)} is DISABLED"]),
        (a_call(SelfCall.SET_GUARD, NEW), "guards", [checksum(NEW), "SET GUARD"]),
        (a_call(SelfCall.SET_MODULE_GUARD, NEW), "guards", [checksum(NEW), "SET MODULE GUARD"]),
        (
            a_call(SelfCall.SET_FALLBACK_HANDLER, NEW),
            "fallback_handlers",
            [checksum(NEW), "SET FALLBACK HANDLER"],
        ),
    ],
)
def test_a_change_is_told_in_words(call: GovernanceCall, binds: str, words: list[str]) -> None:
    facts = check_safe_tx(changing(call.encode()), a_context())

    address = checksum(NEW) if binds else ""
    assert GovernanceFact(action=str(call.action), binds=binds, address=address) == facts.act
    assert ((), 0, Purpose.GOVERNANCE) == (facts.payees, facts.units, facts.purpose)
    shown = "\n".join(facts.notes)
    assert all(part in shown for part in ["CHANGES THE SAFE", *words]), shown
    assert call == GovernanceCall.decode(call.encode())


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (a_call(SelfCall.ADD_OWNER, ONE, threshold=2), "governance.owner_known"),
        (a_call(SelfCall.ADD_OWNER, bytes(20), threshold=2), "governance.owner_reserved"),
        (a_call(SelfCall.ADD_OWNER, SENTINEL, threshold=2), "governance.owner_reserved"),
        (a_call(SelfCall.ADD_OWNER, SAFE, threshold=2), "governance.owner_reserved"),
        (a_call(SelfCall.ADD_OWNER, HOT_VAULT.address, threshold=2), "governance.owner_ours"),
        (a_call(SelfCall.ADD_OWNER, NEW, threshold=1), "governance.threshold"),
        (a_call(SelfCall.ADD_OWNER, NEW, threshold=5), "governance.threshold"),
        (a_call(SelfCall.REMOVE_OWNER, SENTINEL, NEW, threshold=2), "governance.owner_unknown"),
        (a_call(SelfCall.REMOVE_OWNER, NEW, ONE, threshold=2), "governance.prev_owner"),
        (a_call(SelfCall.REMOVE_OWNER, ONE, ONE, threshold=2), "governance.prev_owner"),
        (a_call(SelfCall.REMOVE_OWNER, SENTINEL, ONE, threshold=3), "governance.threshold"),
        (a_call(SelfCall.REMOVE_OWNER, SENTINEL, ONE, threshold=1), "governance.threshold"),
        (a_call(SelfCall.SWAP_OWNER, SENTINEL, NEW, b"\x98" * 20), "governance.owner_unknown"),
        (a_call(SelfCall.SWAP_OWNER, SENTINEL, ONE, TWO), "governance.owner_known"),
        (a_call(SelfCall.SWAP_OWNER, NEW, ONE, b"\x98" * 20), "governance.prev_owner"),
        (a_call(SelfCall.SWAP_OWNER, SENTINEL, ONE, HOT_VAULT.address), "governance.owner_ours"),
        (a_call(SelfCall.CHANGE_THRESHOLD, threshold=2), "governance.threshold"),
        (a_call(SelfCall.CHANGE_THRESHOLD, threshold=1), "governance.threshold"),
        (a_call(SelfCall.CHANGE_THRESHOLD, threshold=4), "governance.threshold"),
    ],
)
def test_changes_that_do_not_fit_the_registered_safe(call: GovernanceCall, code: str) -> None:
    assert code == code_of(changing(call.encode()))


DIRTY = ADD.encode()[:4] + b"\x01" + ADD.encode()[5:]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (changing(b"\x01\x02\x03\x04"), "governance.unknown_selector"),
        (changing(bytes.fromhex("b63e800d") + bytes(64)), "governance.unknown_selector"),
        (changing(ADD.encode() + b"\0"), "governance.calldata"),
        (changing(ADD.encode()[:-1]), "governance.calldata"),
        (changing(DIRTY), "governance.calldata"),
        (changing(ADD.encode(), value_wei=1), "governance.value"),
        (changing(ADD.encode(), operation=1), "safe.delegatecall"),
        (changing(ADD.encode(), to=CUSTOMER), "governance.no_self_call"),
        (changing(ADD.encode(), base_gas=1), "safe.gas"),
        (changing(ADD.encode(), an_act(ADD.encode() + b"\0")), "intent.call"),
        (changing(ADD.encode(), an_act(b"")), "intent.call"),
        (changing(ADD.encode(), an_act(ADD.encode(), purpose=Purpose.REFILL)), "safe.self_call"),
        (
            changing(
                ADD.encode(),
                an_act(ADD.encode(), payees=(Payee(address=checksum(CUSTOMER), units=1),)),
            ),
            "intent.act_pays",
        ),
        (changing(ADD.encode(), an_act(ADD.encode(), source="ethereum-hot")), "intent.source"),
        (changing(ADD.encode(), an_act(ADD.encode(), network="ethereum")), "intent.network"),
        (
            replace(
                changing(ADD.encode()),
                intents=(an_act(ADD.encode()), an_act(ADD.encode(), intent_id="i-2")),
            ),
            "intent.count",
        ),
    ],
)
def test_bytes_and_intents_that_are_not_one_change(request_: SignRequest, code: str) -> None:
    assert code == code_of(request_)


def executing(call: GovernanceCall) -> SignRequest:
    inner: SafeTx = a_safe_tx(to=SAFE, value_wei=0, data=call.encode())
    signatures = [
        bytes(Account.unsafe_sign_hash(inner.safe_tx_hash, person.secret()).signature)
        for person in PEOPLE[:2]
    ]
    data = inner.execution_calldata(pack_signatures(inner.safe_tx_hash, signatures))
    tx = a_tx(to=SAFE, value_wei=0, gas_limit=200_000, data=data)
    return a_request(tx.encode(), an_act(call.encode()), safe_nonce=3)


def test_hot_carries_a_change_and_reads_it_the_same() -> None:
    facts = check_evm_tx(executing(ADD), a_context())

    assert GovernanceFact(action="add_owner") == facts.act
    assert ("ethereum-cold", 0) == (facts.source, facts.units)
    assert "ADDED" in "\n".join(facts.notes)


def test_hot_carries_no_change_that_does_not_fit() -> None:
    with pytest.raises(Refused) as caught:
        check_evm_tx(executing(a_call(SelfCall.CHANGE_THRESHOLD, threshold=1)), a_context())
    assert "governance.threshold" == caught.value.code


def test_a_payment_is_no_governance() -> None:
    intent = an_intent(CUSTOMER, ETHER, purpose=Purpose.GOVERNANCE, source="ethereum-hot")

    with pytest.raises(Refused) as caught:
        check_evm_tx(a_request(a_tx().encode(), intent), a_context())
    assert "purpose.wrong_payee" == caught.value.code


def a_policy(**changes: object) -> dict[str, object]:
    rule: dict[str, object] = {
        "network": "ethereum",
        "source": "cold",
        "approvals": 2,
        "roles": ["officer"],
        "modules": [checksum(NEW)],
    }
    return {"version": 1, "name": "p", "governance": [{**rule, **changes}]}


def facts_of(**changes: object) -> GovernanceFacts:
    fields: dict[str, object] = {
        "network": "ethereum",
        "source": "cold",
        "action": "add_owner",
        "requester": "service",
        "approvers": {"anna": "officer", "ben": "officer"},
    }
    return GovernanceFacts(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "governance.passed"),
        ({"binds": "modules", "address": checksum(NEW)}, "governance.passed"),
        ({"source": "other"}, "governance.no_rule"),
        ({"network": "other"}, "governance.no_rule"),
        ({"binds": "modules", "address": checksum(ONE)}, "governance.not_pinned"),
        ({"binds": "guards", "address": checksum(NEW)}, "governance.not_pinned"),
        ({"binds": "fallback_handlers", "address": checksum(NEW)}, "governance.not_pinned"),
        ({"approvers": {"anna": "officer"}}, "governance.quorum"),
        ({"approvers": {"anna": "officer", "ben": "clerk"}}, "governance.quorum"),
        ({"requester": "anna"}, "governance.requester"),
    ],
)
def test_the_policy_asks_for_its_own_quorum_and_pins(changes: dict[str, object], code: str) -> None:
    decision = decide_governance(load_policy(a_policy()), facts_of(**changes))

    assert code == decision.code


@pytest.mark.parametrize(
    "changes",
    [{"approvals": 1}, {"roles": []}, {"roles": [1]}, {"source": ""}, {"modules": ["x", "x"]}],
)
def test_a_governance_rule_says_one_clear_thing(changes: dict[str, object]) -> None:
    with pytest.raises(PolicyInvalid):
        load_policy(a_policy(**changes))


def test_a_change_needs_more_people_than_a_payment() -> None:
    payment = {
        "network": "ethereum",
        "asset": "ETH",
        "purposes": ["refill"],
        "order_units_max": 1,
        "tx_units_max": 1,
        "tiers": [{"from_units": 0, "approvals": 2}],
    }

    with pytest.raises(PolicyInvalid, match="more than the 2"):
        load_policy({**a_policy(), "payments": [payment]})
    assert load_policy({**a_policy(approvals=3), "payments": [payment]}).governance


def test_selectors_are_the_contracts() -> None:
    assert from_text(checksum(NEW)) == NEW
    assert (
        "694e80c3" + abi.word(3).hex()
        == a_call(SelfCall.CHANGE_THRESHOLD, threshold=3).encode().hex()
    )
