"""EIP-7702: a deposit address may run the pinned sweeper, and nothing else is ever authorised."""

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account

from chains.evm.addresses import checksum
from chains.evm.authorizations import Authorization
from chains.evm.sweeper import sweeper_address
from policies import OrderFacts, load_policy
from policies.acts import decide_delegation
from signer.errors import Refused
from signer.guards.delegation import check_authorization
from signer.guards.facts import DelegationFact, GuardContext, NetworkRules, Role, SignedPayment
from signer.protocol import Intent, Kind, Payee, Purpose, SignRequest
from tests.evm_world import (
    CHAIN_ID,
    COLD,
    CUSTOMER,
    DEPOSIT,
    DEPOSIT_KEY,
    DEPOSIT_VAULT,
    HOT,
    HOT_SENDER,
    HOT_VAULT,
    NETWORK,
    RULES,
    a_context,
    a_request,
    an_intent,
    deposit_origin,
)

SWEEPER = sweeper_address(HOT_VAULT.address)
WITH_SWEEPER = replace(RULES, sweeper=checksum(SWEEPER))
GOOD = Authorization(chain_id=CHAIN_ID, delegate=SWEEPER, nonce=0)


def an_act(call: bytes, **changes: object) -> Intent:
    fields: dict[str, object] = {
        "purpose": Purpose.GATHER,
        "source": "ethereum-deposit",
        "payees": (),
        "call": call,
    }
    return an_intent(**{**fields, **changes})  # type: ignore[arg-type]


def authorizing(payload: bytes, intent: Intent | None = None, **changes: object) -> SignRequest:
    fields: dict[str, object] = {
        "source": "ethereum-deposit",
        "kind": Kind.EVM_AUTH,
        "sender": deposit_origin(4),
    }
    return a_request(payload, intent or an_act(payload), **{**fields, **changes})


def a_signer(rules: NetworkRules = WITH_SWEEPER, **changes: object) -> GuardContext:
    return a_context(rules=rules, **changes)  # type: ignore[arg-type]


def code_of(request: SignRequest, context: GuardContext | None = None) -> str:
    with pytest.raises(Refused) as caught:
        check_authorization(request, context or a_signer())
    return caught.value.code


def test_a_deposit_address_authorises_the_pinned_sweeper() -> None:
    facts = check_authorization(authorizing(GOOD.encode()), a_signer())

    job = facts.jobs[0]
    assert DelegationFact(delegate=checksum(SWEEPER)) == facts.act
    assert ((DEPOSIT_KEY.address(4), 0), ()) == (facts.nonce, facts.payees)
    assert (*DEPOSIT_KEY.own.path, 0, 4) == job.path
    assert DEPOSIT_VAULT.public_key_at(4) == job.public_key
    assert checksum(SWEEPER) in facts.notes[0]


def test_the_digest_is_what_eth_account_signs() -> None:
    account = Account.from_key(DEPOSIT_KEY.secret(4))
    signed = account.sign_authorization(
        {"chainId": CHAIN_ID, "address": checksum(SWEEPER), "nonce": 7}
    )

    mine = replace(GOOD, nonce=7)

    assert bytes(signed.authorization_hash) == mine.signing_hash
    assert mine == Authorization.decode(mine.encode())


def raw(chain_id: bytes, delegate: bytes, nonce: bytes, *more: bytes) -> bytes:
    items = b"".join(
        part if len(part) == 1 and part[0] < 0x80 else bytes([0x80 + len(part)]) + part
        for part in (chain_id, delegate, nonce, *more)
    )
    return b"\x05" + bytes([0xC0 + len(items)]) + items


CHAIN = CHAIN_ID.to_bytes(2, "big")


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (raw(b"", SWEEPER, b""), "delegation.any_chain"),
        (replace(GOOD, chain_id=1).encode(), "evm.wrong_chain"),
        (replace(GOOD, delegate=CUSTOMER).encode(), "delegation.not_sweeper"),
        (replace(GOOD, delegate=bytes(20)).encode(), "delegation.not_sweeper"),
        (b"", "delegation.malformed"),
        (b"\x04" + GOOD.encode()[1:], "delegation.malformed"),
        (GOOD.encode() + b"\0", "delegation.malformed"),
        (raw(CHAIN, SWEEPER, b"", b"\x01"), "delegation.malformed"),
        (raw(CHAIN, SWEEPER[1:], b""), "delegation.malformed"),
        (raw(CHAIN, SWEEPER, b"\x00"), "delegation.malformed"),
        (raw(b"\x00" + CHAIN, SWEEPER, b""), "delegation.malformed"),
        (raw(CHAIN, SWEEPER, b"\xff" * 8), "delegation.malformed"),
        (GOOD.encode() + bytes(64), "delegation.malformed"),
    ],
)
def test_authorisations_of_anything_else(payload: bytes, code: str) -> None:
    assert code == code_of(authorizing(payload))


def test_without_a_configured_sweeper_nothing_is_authorised() -> None:
    assert "delegation.no_sweeper" == code_of(authorizing(GOOD.encode()), a_signer(RULES))


@pytest.mark.parametrize(
    ("intent", "code"),
    [
        (an_act(GOOD.encode() + b"\0"), "intent.call"),
        (an_act(b""), "intent.call"),
        (an_act(GOOD.encode(), purpose=Purpose.SWEEP), "purpose.wrong_source"),
        (an_act(GOOD.encode(), asset="DUSD"), "delegation.purpose"),
        (an_act(GOOD.encode(), source="ethereum-hot"), "intent.source"),
        (an_act(GOOD.encode(), network="ethereum"), "intent.network"),
        (
            an_act(GOOD.encode(), payees=(Payee(address=checksum(CUSTOMER), units=1),)),
            "intent.act_pays",
        ),
    ],
)
def test_intents_that_approve_something_else(intent: Intent, code: str) -> None:
    assert code == code_of(authorizing(GOOD.encode(), intent))


def test_a_sweeper_that_pays_no_hot_account_of_ours_gets_no_power() -> None:
    stranger = sweeper_address(CUSTOMER)
    payload = replace(GOOD, delegate=stranger).encode()
    rules = replace(RULES, sweeper=checksum(stranger))

    assert "delegation.treasury" == code_of(authorizing(payload), a_signer(rules))


def test_the_hot_account_never_delegates() -> None:
    request = authorizing(
        GOOD.encode(),
        an_act(GOOD.encode(), source="ethereum-hot"),
        source="ethereum-hot",
        sender=HOT_SENDER,
    )

    assert "delegation.role" == code_of(request)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sender": None}, "sender.missing"),
        ({"sender": replace(deposit_origin(4), index=5)}, "sender.mismatch"),
        ({"kind": Kind.EVM_TX}, "request.kind"),
    ],
)
def test_senders_and_kinds_that_do_not_fit(changes: dict[str, Any], code: str) -> None:
    assert code == code_of(replace(authorizing(GOOD.encode()), **changes))


def test_a_foreign_deposit_vault_is_refused() -> None:
    context = a_context(HOT, COLD, replace(DEPOSIT, own=None), rules=WITH_SWEEPER)

    assert "request.not_our_key" == code_of(authorizing(GOOD.encode()), context)


def test_a_vault_of_deposits_in_another_role_is_refused() -> None:
    context = a_context(HOT, COLD, replace(DEPOSIT, role=Role.COLD), rules=WITH_SWEEPER)

    assert "delegation.role" == code_of(authorizing(GOOD.encode()), context)


@pytest.mark.parametrize(("nonce", "code"), [(5, "nonce.used"), (9, "nonce.gap")])
def test_nonces_only_rise(nonce: int, code: str) -> None:
    place = (NETWORK, DEPOSIT_KEY.address(4))
    payments = {(*place, 5): SignedPayment(b"", 0)}
    context = a_signer(nonces={place: 5}, payments=payments)

    assert code == code_of(authorizing(replace(GOOD, nonce=nonce).encode()), context)
    check_authorization(authorizing(replace(GOOD, nonce=6).encode()), context)


def a_policy(approvals: int) -> dict[str, object]:
    rule = {
        "network": NETWORK,
        "asset": "ETH",
        "purposes": ["gather"],
        "order_units_max": 1,
        "tx_units_max": 1,
        "tiers": [{"from_units": 0, "approvals": approvals}],
    }
    return {"version": 1, "name": "p", "payments": [rule]}


@pytest.mark.parametrize(
    ("approvals", "asset", "approvers", "code"),
    [
        (0, "ETH", (), "delegation.passed"),
        (1, "ETH", ("anna",), "delegation.passed"),
        (1, "ETH", (), "delegation.quorum"),
        (1, "ETH", ("service",), "delegation.quorum"),
        (0, "DUSD", (), "delegation.no_rule"),
    ],
)
def test_the_policy_must_let_the_source_gather(
    approvals: int, asset: str, approvers: tuple[str, ...], code: str
) -> None:
    order = OrderFacts(order_id="i", requester="service", payees=(), approvers=frozenset(approvers))

    decision = decide_delegation(load_policy(a_policy(approvals)), NETWORK, asset, "any", order)

    assert code == decision.code
