"""Batches by the sweeper: hot empties deposit addresses of ours to itself, and nothing else."""

from dataclasses import replace

import pytest
from eth_account import Account

from chains.evm.addresses import checksum, from_text
from chains.evm.authorizations import Authorization, SignedAuthorization
from chains.evm.set_code import UnsignedSetCodeTx
from chains.evm.sweeper import ETHER as NO_TOKEN
from chains.evm.sweeper import SweepCall, sweeper_address
from chains.evm.transactions import UnsignedTx
from policies import FeeFacts, OrderFacts, PaymentFacts, load_policy
from policies.acts import decide_batch
from signer.errors import Refused
from signer.guards.batch import check_batch
from signer.guards.envelope import check_intents, kinds_of
from signer.guards.facts import BatchFact, GuardContext, NetworkRules, Role, SignedPayment
from signer.protocol import Intent, Kind, Payee, Purpose, SignRequest
from tests.evm_world import (
    CHAIN_ID,
    COLD,
    CUSTOMER,
    DEPOSIT,
    DEPOSIT_KEY,
    DUSD,
    GWEI,
    HOT,
    HOT_KEY,
    HOT_VAULT,
    NETWORK,
    RULES,
    a_context,
    a_request,
    an_intent,
    deposit_origin,
)

SWEEPER = sweeper_address(HOT_VAULT.address)
WITH_SWEEPER = replace(RULES, sweeper=checksum(SWEEPER), batch_gas_limit_max=1_000_000)
INDEXES = (3, 4)


def account(index: int) -> bytes:
    return from_text(DEPOSIT_KEY.address(index))


def leave(index: int = 3, **changes: object) -> SignedAuthorization:
    fields: dict[str, object] = {"chain_id": CHAIN_ID, "delegate": SWEEPER, "nonce": 0}
    one = Authorization(**{**fields, **changes})  # type: ignore[arg-type]
    made = Account.unsafe_sign_hash(one.signing_hash, DEPOSIT_KEY.secret(index))
    return one.with_signature(bytes(made.signature))


def a_sweep(token: bytes = DUSD, indexes: tuple[int, ...] = INDEXES) -> bytes:
    return SweepCall(token=token, accounts=tuple(account(n) for n in indexes)).encode()


def a_call(**changes: object) -> UnsignedTx:
    fields: dict[str, object] = {
        "chain_id": CHAIN_ID,
        "nonce": 5,
        "priority_fee_wei": GWEI,
        "max_fee_wei": 30 * GWEI,
        "gas_limit": 300_000,
        "to": SWEEPER,
        "value_wei": 0,
        "data": a_sweep(),
    }
    return UnsignedTx(**{**fields, **changes})  # type: ignore[arg-type]


def an_act(call: bytes, **changes: object) -> Intent:
    fields: dict[str, object] = {
        "purpose": Purpose.GATHER,
        "asset": "DUSD",
        "payees": (),
        "call": call,
    }
    return an_intent(**{**fields, **changes})  # type: ignore[arg-type]


def batch(
    call: UnsignedTx | None = None,
    authorizations: tuple[SignedAuthorization, ...] = (),
    **changes: object,
) -> SignRequest:
    call = call or a_call()
    payload = call.encode()
    if authorizations:
        payload = UnsignedSetCodeTx(call=call, authorizations=authorizations).encode()
    intent = changes.pop("intent", an_act(call.data))
    fields: dict[str, object] = {
        "kind": Kind.EVM_BATCH,
        "own": tuple(deposit_origin(n) for n in INDEXES),
    }
    return a_request(payload, intent, **{**fields, **changes})  # type: ignore[arg-type]


def a_signer(rules: NetworkRules = WITH_SWEEPER, **changes: object) -> GuardContext:
    return a_context(rules=rules, **changes)  # type: ignore[arg-type]


def code_of(request: SignRequest, context: GuardContext | None = None) -> str:
    with pytest.raises(Refused) as caught:
        check_batch(request, context or a_signer())
    return caught.value.code


def test_hot_empties_own_deposit_addresses_to_itself() -> None:
    facts = check_batch(batch(authorizations=(leave(3),)), a_signer())

    assert BatchFact(sweeper=checksum(SWEEPER), accounts=2, authorizations=1) == facts.act
    assert ((HOT_KEY.address(), 5), ()) == (facts.nonce, facts.payees)
    assert (*HOT_KEY.own.path, 0, 0) == facts.jobs[0].path
    assert ("DUSD", "ethereum-hot", 300_000 * 30 * GWEI) == (
        facts.asset,
        facts.source,
        facts.fee_units,
    )
    shown = "\n".join(facts.notes)
    assert all(DEPOSIT_KEY.address(n) in shown for n in INDEXES)
    assert "2 deposit addresses, 1 new" in shown


def test_without_new_addresses_it_is_an_ordinary_transaction() -> None:
    facts = check_batch(batch(), a_signer())

    assert a_call().signing_hash == facts.jobs[0].digest
    assert isinstance(facts.act, BatchFact) and facts.act.authorizations == 0


def test_ether_is_emptied_as_the_native_asset() -> None:
    call = a_call(data=a_sweep(NO_TOKEN))

    facts = check_batch(batch(call, intent=an_act(call.data, asset="ETH")), a_signer())

    assert "ETH" == facts.asset


def other_batch(data: bytes) -> SignRequest:
    return batch(a_call(data=data))


STRANGERS = SweepCall(token=DUSD, accounts=(account(3), CUSTOMER)).encode()


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (batch(a_call(chain_id=1)), "evm.wrong_chain"),
        (batch(a_call(to=CUSTOMER)), "batch.not_sweeper"),
        (batch(a_call(value_wei=1)), "batch.value"),
        (other_batch(b""), "batch.calldata"),
        (other_batch(a_sweep()[:-1]), "batch.calldata"),
        (other_batch(b"\x01\x68\x1a\x62" + bytes(32)), "batch.calldata"),
        (other_batch(a_sweep(CUSTOMER)), "batch.token_unknown"),
        (batch(intent=an_act(a_sweep(), asset="ETH")), "batch.purpose"),
        (batch(intent=an_act(a_sweep(), purpose=Purpose.SWEEP)), "batch.purpose"),
        (batch(intent=an_act(a_sweep(), source="ethereum-deposit")), "intent.source"),
        (batch(intent=an_act(a_sweep()[:-1])), "intent.call"),
        (
            batch(intent=an_act(a_sweep(), payees=(Payee(address=checksum(CUSTOMER), units=1),))),
            "intent.act_pays",
        ),
        (batch(own=(deposit_origin(3),)), "batch.foreign_address"),
        (other_batch(STRANGERS), "batch.foreign_address"),
        (other_batch(a_sweep(indexes=(3,))), "batch.unused_origin"),
        (batch(own=(deposit_origin(3), replace(deposit_origin(4), index=5))), "own.mismatch"),
        (batch(authorizations=(leave(delegate=CUSTOMER),)), "batch.delegate"),
        (batch(authorizations=(leave(chain_id=1),)), "batch.authorization_chain"),
        (batch(authorizations=(leave(7),)), "batch.authority"),
        (batch(authorizations=(leave(3), leave(3, nonce=1))), "batch.authority_twice"),
        (batch(a_call(gas_limit=1_000_001)), "fee.gas_limit"),
        (batch(a_call(max_fee_wei=201 * GWEI)), "fee.rate"),
        (batch(a_call(gas_limit=600_000, max_fee_wei=190 * GWEI)), "fee.absolute"),
        (batch(intent=an_act(a_sweep(), fee_units_max=1)), "fee.intent"),
        (replace(batch(), payload=b"\xc0"), "evm.legacy"),
        (replace(batch(), payload=b"\x02"), "batch.malformed"),
        (replace(batch(), payload=b"\x04\xc0"), "batch.malformed"),
        (batch(sender=None), "sender.missing"),
        (batch(kind=Kind.EVM_TX), "request.kind"),
    ],
)
def test_everything_else_is_refused(request_: SignRequest, code: str) -> None:
    assert code == code_of(request_)


def test_without_a_sweeper_there_is_no_batch() -> None:
    assert "batch.no_sweeper" == code_of(batch(), a_signer(RULES))


def test_without_a_gas_limit_of_its_own_there_is_no_batch() -> None:
    rules = replace(WITH_SWEEPER, batch_gas_limit_max=0)
    assert "fee.gas_limit" == code_of(batch(), a_signer(rules))


def test_a_sweeper_that_pays_somebody_else_is_refused_though_it_is_configured() -> None:
    stranger = sweeper_address(CUSTOMER)
    rules = replace(WITH_SWEEPER, sweeper=checksum(stranger))
    assert "batch.treasury" == code_of(batch(a_call(to=stranger)), a_signer(rules))


def test_a_deposit_address_sends_no_batch() -> None:
    request = batch(source="ethereum-deposit", sender=deposit_origin(3))
    assert "batch.role" == code_of(request)


def test_only_deposit_addresses_are_emptied() -> None:
    """Also not addresses of ours: what is not a deposit address holds money for longer."""
    other = replace(DEPOSIT, role=Role.COLD)
    context = a_context(HOT, other, COLD, rules=WITH_SWEEPER)
    assert "batch.foreign_address" == code_of(batch(), context)


def test_the_same_batch_may_replace_itself_at_a_higher_fee_and_nothing_else_may() -> None:
    facts = check_batch(batch(), a_signer())
    place = (NETWORK, HOT_KEY.address())
    before = SignedPayment(facts.payees_digest, facts.fee_units - 1)
    context = a_signer(nonces={place: 5}, payments={(*place, 5): before})

    assert "REPLACES" in "".join(check_batch(batch(), context).notes)
    assert "nonce.used" == code_of(other_batch(a_sweep(indexes=(4, 3))), context)
    same = SignedPayment(facts.payees_digest, facts.fee_units)
    again = a_signer(nonces={place: 5}, payments={(*place, 5): same})
    assert "nonce.replacement_fee" == code_of(batch(), again)


@pytest.mark.parametrize(
    "other",
    [
        batch(),
        batch(authorizations=(leave(3), leave(4))),
        batch(authorizations=(leave(3, nonce=1),)),
        batch(a_call(gas_limit=290_000, max_fee_wei=40 * GWEI), (leave(3),)),
        batch(
            a_call(data=a_sweep(token=NO_TOKEN)),
            (leave(3),),
            intent=an_act(a_sweep(token=NO_TOKEN), asset="ETH"),
        ),
    ],
    ids=["no leave", "more leave", "other leave", "other gas", "other call"],
)
def test_a_batch_with_anything_else_does_not_replace_it(other: SignRequest) -> None:
    first = check_batch(batch(authorizations=(leave(3),)), a_signer())
    place = (NETWORK, HOT_KEY.address())
    before = SignedPayment(first.payees_digest, 0)
    context = a_signer(nonces={place: 5}, payments={(*place, 5): before})

    check_batch(batch(authorizations=(leave(3),)), context)
    assert "nonce.used" == code_of(other, context)


def test_who_is_asked_for_a_batch() -> None:
    assert Kind.EVM_BATCH in kinds_of(HOT)
    assert Kind.EVM_BATCH not in kinds_of(DEPOSIT)
    assert Kind.EVM_BATCH not in kinds_of(COLD)


@pytest.mark.parametrize(
    ("intent", "code"),
    [
        (an_act(a_sweep()), ""),
        (an_act(b""), "intent.act"),
        (
            an_act(a_sweep(), payees=(Payee(address=checksum(CUSTOMER), units=1),)),
            "intent.act",
        ),
    ],
)
def test_a_batchs_intent_names_its_bytes_and_pays_nobody(intent: Intent, code: str) -> None:
    def checked() -> None:
        check_intents(batch(intent=intent), a_signer())

    if not code:
        checked()
        return
    with pytest.raises(Refused) as caught:
        checked()
    assert code == caught.value.code


def a_policy(approvals: int = 0, units_max: int = 10**16) -> dict[str, object]:
    return {
        "version": 1,
        "name": "batches",
        "payments": [
            {
                "network": NETWORK,
                "asset": "DUSD",
                "purposes": ["gather"],
                "order_units_max": 1,
                "tx_units_max": 1,
                "tiers": [{"from_units": 0, "approvals": approvals}],
            }
        ],
        "fees": [
            {
                "network": NETWORK,
                "purposes": ["gather"],
                "units_max": units_max,
                "ppm_max": 1,
                "rate_max": 30 * GWEI,
            }
        ],
    }


@pytest.mark.parametrize(
    ("policy", "asset", "approvers", "rate_wei", "code"),
    [
        (a_policy(), "DUSD", (), 30 * GWEI, "batch.passed"),
        (a_policy(), "ETH", (), 30 * GWEI, "batch.no_rule"),
        (a_policy(1), "DUSD", (), 30 * GWEI, "batch.quorum"),
        (a_policy(1), "DUSD", ("service",), 30 * GWEI, "batch.quorum"),
        (a_policy(1), "DUSD", ("anna",), 30 * GWEI, "batch.passed"),
        (a_policy(units_max=1), "DUSD", (), 30 * GWEI, "fees.absolute"),
        (a_policy(), "DUSD", (), 31 * GWEI, "fees.rate"),
    ],
)
def test_the_policy_lets_the_source_gather_at_a_fee(
    policy: dict[str, object], asset: str, approvers: tuple[str, ...], rate_wei: int, code: str
) -> None:
    order = OrderFacts(order_id="b", requester="service", payees=(), approvers=frozenset(approvers))
    payment = PaymentFacts(
        purpose="gather",
        network=NETWORK,
        asset=asset,
        source="ethereum-hot",
        orders=(order,),
        now_s=0,
        fee=FeeFacts(units=10**15, rate_units=rate_wei, basis_units=None),
        spent_units={},
    )

    assert code == decide_batch(load_policy(policy), payment, order).code
