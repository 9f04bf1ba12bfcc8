"""The guard of EVM transactions: what passes, and one test for every refusal."""

import hashlib
from dataclasses import replace

import pytest
import rlp as second_rlp  # type: ignore[import-untyped]
from eth_account import Account

from chains.evm import erc20
from chains.evm.addresses import checksum
from chains.evm.legacy import UnsignedLegacyTx
from chains.evm.safe import EXEC_TRANSACTION, SafeTx
from chains.evm.safe_signatures import pack_signatures
from chains.evm.transactions import UnsignedTx
from signer.errors import Refused
from signer.guards.evm import check_evm_tx
from signer.guards.facts import (
    GuardContext,
    NetworkRules,
    Owner,
    PayeeFact,
    Role,
    SignatureForm,
    SignedPayment,
    payees_digest,
)
from signer.protocol import Intent, Kind, OwnOutput, Payee, Purpose, SignRequest
from tests.evm_world import (
    COLD,
    CUSTOMER,
    DEPOSIT,
    DEPOSIT_KEY,
    DEPOSIT_VAULT,
    DUSD,
    ETHER,
    GWEI,
    HOT,
    HOT_KEY,
    HOT_SENDER,
    HOT_VAULT,
    NETWORK,
    PEOPLE,
    RULES,
    SAFE,
    SAFE_VAULT,
    TestKey,
    a_context,
    a_request,
    a_safe_tx,
    a_token_tx,
    a_tx,
    an_intent,
    deposit_origin,
)


def code_of(request: SignRequest, context: GuardContext | None = None) -> str:
    with pytest.raises(Refused) as caught:
        check_evm_tx(request, context or a_context())
    return caught.value.code


def withdrawal(tx: UnsignedTx, **changes: object) -> SignRequest:
    return a_request(tx.encode(), an_intent(**changes))  # type: ignore[arg-type]


def gather(tx: UnsignedTx, payee: bytes = HOT_VAULT.address, index: int = 4) -> SignRequest:
    intent = an_intent(payee, tx.value_wei, purpose=Purpose.GATHER, source="ethereum-deposit")
    return a_request(tx.encode(), intent, source="ethereum-deposit", sender=deposit_origin(index))


def signed_by(tx: SafeTx, *people: TestKey) -> bytes:
    """Packed signatures over exactly this SafeTx."""
    signatures = [
        bytes(Account.unsafe_sign_hash(tx.safe_tx_hash, person.secret()).signature)
        for person in people
    ]
    return pack_signatures(tx.safe_tx_hash, signatures)


def executing(inner: SafeTx, packed: bytes | None = None, **changes: object) -> SignRequest:
    """Hot carries a Safe transaction to the chain, signed by two owners."""
    packed = signed_by(inner, *PEOPLE[:2]) if packed is None else packed
    fields: dict[str, object] = {"to": SAFE, "value_wei": 0, "gas_limit": 200_000}
    tx = a_tx(**{**fields, "data": inner.execution_calldata(packed), **changes})
    intent = an_intent(HOT_VAULT.address, ETHER, purpose=Purpose.REFILL, source="ethereum-cold")
    return a_request(tx.encode(), intent, safe_nonce=inner.nonce)


def test_a_native_withdrawal_is_told_as_it_is() -> None:
    tx = a_tx()

    facts = check_evm_tx(withdrawal(tx), a_context())

    assert (Purpose.WITHDRAWAL, "ETH", "ethereum-hot") == (facts.purpose, facts.asset, facts.source)
    payee = facts.payees[0]
    assert (checksum(CUSTOMER), ETHER, Owner.NONE) == (payee.address, payee.units, payee.owner)
    assert (21_000 * 30 * GWEI, 21_000, 30 * GWEI) == (facts.fee_units, facts.size, facts.feerate)
    assert (HOT_KEY.address(), 5) == facts.nonce
    assert hashlib.sha256(tx.encode()).digest() == facts.snapshot


def test_the_job_names_the_senders_own_key() -> None:
    facts = check_evm_tx(withdrawal(a_tx()), a_context())

    job = facts.jobs[0]
    account = Account.from_key(HOT_KEY.secret())
    assert a_tx().signing_hash == job.digest
    assert (*HOT_KEY.own.path, 0, 0) == job.path
    assert account.address == checksum(job.answer_key)
    assert HOT_VAULT.public_key_at(0) == job.public_key
    assert SignatureForm.RSV is job.form


def test_a_token_withdrawal_is_in_units_of_the_token() -> None:
    request = withdrawal(a_token_tx(CUSTOMER, 25_000_000), units=25_000_000, asset="DUSD")

    facts = check_evm_tx(request, a_context())

    assert ("DUSD", 25_000_000) == (facts.asset, facts.units)
    assert checksum(DUSD) in facts.notes[0]


def test_a_deposit_key_gathers_to_hot() -> None:
    facts = check_evm_tx(gather(a_tx(to=HOT_VAULT.address)), a_context())

    assert (Owner.HOT, "ethereum-hot") == (facts.payees[0].owner, facts.payees[0].source)
    assert DEPOSIT_VAULT.public_key_at(4) == facts.jobs[0].public_key
    assert (*DEPOSIT_KEY.own.path, 0, 4) == facts.jobs[0].path


def test_hot_tops_up_a_deposit_address_that_it_derives() -> None:
    target = DEPOSIT_VAULT.address_at(9)
    intent = an_intent(target, GWEI, purpose=Purpose.TOP_UP)
    request = a_request(a_tx(to=target, value_wei=GWEI).encode(), intent, own=(deposit_origin(9),))

    facts = check_evm_tx(request, a_context())

    assert Owner.DEPOSIT is facts.payees[0].owner


def test_hot_sweeps_to_the_registered_safe() -> None:
    intent = an_intent(SAFE, purpose=Purpose.SWEEP)

    facts = check_evm_tx(a_request(a_tx(to=SAFE).encode(), intent), a_context())

    assert (Owner.COLD, "ethereum-cold") == (facts.payees[0].owner, facts.payees[0].source)


def test_hot_carries_a_refill_of_the_safe() -> None:
    facts = check_evm_tx(executing(a_safe_tx()), a_context())

    assert (Purpose.REFILL, "ethereum-cold", ETHER) == (facts.purpose, facts.source, facts.units)
    assert Owner.HOT is facts.payees[0].owner
    assert 200_000 * 30 * GWEI == facts.fee_units
    assert (HOT_KEY.address(), 5) == facts.nonce


def test_hot_carries_a_token_refill() -> None:
    inner = a_safe_tx(
        to=DUSD, value_wei=0, data=erc20.transfer_calldata(HOT_VAULT.address, 7_000_000)
    )
    request = executing(inner)
    intent = replace(
        request.intents[0],
        asset="DUSD",
        payees=(Payee(address=checksum(HOT_VAULT.address), units=7_000_000),),
    )

    facts = check_evm_tx(replace(request, intents=(intent,)), a_context())

    assert ("DUSD", 7_000_000) == (facts.asset, facts.units)


def raw_with(index: int, item: object) -> bytes:
    items = second_rlp.decode(a_tx().encode()[1:])
    items[index] = item
    return b"\x02" + bytes(second_rlp.encode(items))


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (a_tx(chain_id=1).encode(), "evm.wrong_chain"),
        (a_tx(to=bytes(20)).encode(), "evm.zero_payee"),
        (raw_with(5, b""), "evm.creation"),
        (raw_with(8, [[CUSTOMER, []]]), "evm.access_list"),
        (b"\xc0", "evm.legacy"),
        (b"\x01\xc0", "evm.unknown_type"),
        (b"\x03\xc0", "evm.blob"),
        (b"\x04\xc0", "evm.set_code"),
        (b"\x02\xc0", "evm.malformed"),
        (b"", "evm.malformed"),
        (a_tx().encode() + b"\x00", "evm.malformed"),
        (a_tx(value_wei=0).encode(), "evm.zero_units"),
        (a_tx(value_wei=ETHER + 1).encode(), "payees.mismatch"),
        (a_tx(to=b"\x77" * 20).encode(), "payees.mismatch"),
        (a_tx(to=DUSD).encode(), "evm.token_contract_payee"),
        (a_tx(data=b"\x00").encode(), "evm.unknown_selector"),
        (a_tx(data=b"hello").encode(), "evm.unknown_selector"),
        (a_token_tx(CUSTOMER, 5).encode(), "intent.asset"),
        (a_tx(to=SAFE, value_wei=0, data=b"\x6a\x76\x12\x02").encode(), "safe.nonce_missing"),
        (a_tx(to=b"\xff\xff".rjust(20, b"\0")).encode(), "evm.reserved_payee"),
    ],
)
def test_bytes_that_are_not_the_payment(payload: bytes, code: str) -> None:
    assert code == code_of(a_request(payload))


@pytest.mark.parametrize(
    ("selector", "code"),
    [
        ("095ea7b3", "evm.approve"),
        ("39509351", "evm.increase_allowance"),
        ("d505accf", "evm.permit"),
        ("23b872dd", "evm.transfer_from"),
        ("a22cb465", "evm.approval_for_all"),
        ("40c10f19", "evm.unknown_selector"),
    ],
)
def test_token_calls_that_are_not_transfers(selector: str, code: str) -> None:
    data = bytes.fromhex(selector) + erc20.transfer_calldata(CUSTOMER, 5)[4:]

    assert code == code_of(withdrawal(a_tx(to=DUSD, value_wei=0, data=data), asset="DUSD"))


@pytest.mark.parametrize(
    ("tx", "code"),
    [
        (a_token_tx(CUSTOMER, 5, to=b"\x66" * 20), "evm.unlisted_token"),
        (a_token_tx(CUSTOMER, 5, value_wei=1), "evm.value_with_token"),
        (
            a_token_tx(CUSTOMER, 5, data=erc20.transfer_calldata(CUSTOMER, 5) + b"\0"),
            "evm.calldata",
        ),
        (a_token_tx(bytes(20), 5), "evm.zero_payee"),
        (a_token_tx(DUSD, 5), "evm.token_contract_payee"),
        (a_token_tx(CUSTOMER, 0), "evm.zero_units"),
        (a_token_tx(CUSTOMER, 6), "payees.mismatch"),
        (a_token_tx(HOT_VAULT.address, 5), "payees.mismatch"),
        (a_tx(value_wei=5), "intent.asset"),
    ],
)
def test_token_transfers_that_are_not_the_intents(tx: UnsignedTx, code: str) -> None:
    assert code == code_of(withdrawal(tx, units=5, asset="DUSD"))


def test_a_payee_in_another_spelling_is_another_payee() -> None:
    lower = Payee(address=checksum(CUSTOMER).lower(), units=ETHER)

    assert "payees.mismatch" == code_of(withdrawal(a_tx(), payees=(lower,)))


@pytest.mark.parametrize(
    ("intents", "code"),
    [
        ((an_intent(), an_intent(intent_id="i-2")), "intent.count"),
        (
            (an_intent(payees=(Payee(address=checksum(CUSTOMER), units=ETHER),) * 2),),
            "intent.count",
        ),
        ((an_intent(payees=()),), "intent.count"),
        ((an_intent(network="ethereum"),), "intent.network"),
        ((an_intent(source="ethereum-deposit"),), "intent.source"),
        ((an_intent(fee_units_max=21_000 * 30 * GWEI - 1),), "fee.intent"),
    ],
)
def test_intents_that_do_not_fit(intents: tuple[Intent, ...], code: str) -> None:
    assert code == code_of(a_request(a_tx().encode(), *intents))


@pytest.mark.parametrize(
    ("tx", "rules", "code"),
    [
        (a_tx(gas_limit=500_001, max_fee_wei=GWEI), RULES, "fee.gas_limit"),
        (a_tx(max_fee_wei=200 * GWEI + 1), RULES, "fee.rate"),
        (a_tx(), replace(RULES, fee_units_max=21_000 * 30 * GWEI - 1), "fee.absolute"),
        (a_tx(), replace(RULES, fee_ppm_max=629), "fee.share"),
    ],
)
def test_every_fee_cap_holds_by_itself(tx: UnsignedTx, rules: object, code: str) -> None:
    context = a_context(rules=rules)  # type: ignore[arg-type]

    assert code == code_of(withdrawal(tx), context)


def test_fees_at_their_caps_pass() -> None:
    rules = replace(RULES, fee_units_max=21_000 * 30 * GWEI, fee_ppm_max=630)

    check_evm_tx(withdrawal(a_tx(), fee_units_max=21_000 * 30 * GWEI), a_context(rules=rules))


@pytest.mark.parametrize(
    ("nonce", "code"), [(4, "nonce.used"), (5, "nonce.used"), (9, "nonce.gap")]
)
def test_nonces_only_rise_and_by_little(nonce: int, code: str) -> None:
    context = a_context(nonces={(NETWORK, HOT_KEY.address()): 5})

    assert code == code_of(withdrawal(a_tx(nonce=nonce)), context)


@pytest.mark.parametrize("nonce", [6, 8])
def test_the_next_nonces_pass(nonce: int) -> None:
    context = a_context(nonces={(NETWORK, HOT_KEY.address()): 5})

    check_evm_tx(withdrawal(a_tx(nonce=nonce)), context)


@pytest.mark.parametrize(
    ("sender", "code"),
    [
        (None, "sender.missing"),
        (replace(HOT_SENDER, source="ethereum-deposit"), "sender.source"),
        (replace(HOT_SENDER, address=checksum(CUSTOMER)), "sender.mismatch"),
        (replace(HOT_SENDER, branch=1), "sender.path"),
        (replace(HOT_SENDER, index=1), "sender.path"),
    ],
)
def test_senders_that_do_not_derive(sender: OwnOutput | None, code: str) -> None:
    assert code == code_of(a_request(a_tx().encode(), sender=sender))


def test_a_deposit_sender_at_another_index_is_refused() -> None:
    request = gather(a_tx(to=HOT_VAULT.address))

    assert "sender.mismatch" == code_of(
        replace(request, sender=replace(deposit_origin(4), index=5))
    )


def test_a_safe_is_no_sender() -> None:
    sender = OwnOutput(address=checksum(SAFE), source="ethereum-cold", branch=0, index=0)

    assert "sender.kind" == code_of(
        a_request(a_tx().encode(), source="ethereum-cold", sender=sender)
    )


@pytest.mark.parametrize(
    ("context", "code"),
    [
        (a_context(replace(HOT, own=None)), "request.not_our_key"),
        (a_context(DEPOSIT), "request.source_unknown"),
        (a_context(replace(HOT, network="ethereum")), "request.network"),
        (a_context(rules=replace(RULES, id="ethereum")), "request.network_unknown"),
        (a_context(rules=replace(RULES, chain_id=None)), "request.network"),
    ],
)
def test_what_is_not_registered_is_refused(context: GuardContext, code: str) -> None:
    assert code == code_of(withdrawal(a_tx()), context)


def test_another_kind_of_request_is_refused() -> None:
    assert "request.kind" == code_of(a_request(a_tx().encode(), kind=Kind.SAFE_TX))


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (gather(a_tx()), "payees.mismatch"),
        (gather(a_tx(), CUSTOMER), "purpose.wrong_payee"),
        (withdrawal(a_tx(), purpose=Purpose.GATHER), "purpose.wrong_source"),
        (withdrawal(a_tx(), purpose=Purpose.REFILL), "purpose.wrong_source"),
        (withdrawal(a_tx(), purpose=Purpose.RESHAPE), "purpose.wrong_source"),
        (withdrawal(a_tx(), purpose=Purpose.SWEEP), "purpose.wrong_payee"),
        (withdrawal(a_tx(), purpose=Purpose.TOP_UP), "purpose.wrong_payee"),
        (withdrawal(a_tx(to=SAFE), payee=SAFE), "purpose.wrong_payee"),
    ],
)
def test_each_purpose_has_its_own_ends(request_: SignRequest, code: str) -> None:
    assert code == code_of(request_)


@pytest.mark.parametrize("purpose", [p for p in Purpose if p is not Purpose.GATHER])
def test_a_deposit_key_pays_only_for_gathering(purpose: Purpose) -> None:
    """It may free its own nonce besides, which pays nobody."""
    request = gather(a_tx(), CUSTOMER)
    intent = replace(request.intents[0], purpose=purpose)
    code = "unstick.call" if purpose is Purpose.UNSTICK else "purpose.wrong_source"

    assert code == code_of(replace(request, intents=(intent,)))


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (executing(a_safe_tx(operation=1)), "safe.delegatecall"),
        (executing(a_safe_tx(safe_tx_gas=1)), "safe.gas"),
        (executing(a_safe_tx(refund_receiver=CUSTOMER)), "safe.refund"),
        (executing(a_safe_tx(to=SAFE)), "safe.self_call"),
        (executing(a_safe_tx(to=CUSTOMER)), "payees.mismatch"),
        (executing(a_safe_tx(value_wei=2)), "payees.mismatch"),
        (executing(a_safe_tx(), value_wei=1), "safe.value"),
        (executing(a_safe_tx(), to=b"\x5b" * 20), "safe.unregistered"),
        (executing(a_safe_tx(), data=EXEC_TRANSACTION + bytes(64)), "safe.malformed"),
        (replace(executing(a_safe_tx()), safe_nonce=None), "safe.nonce_missing"),
        (executing(a_safe_tx(nonce=0), gas_limit=500_001, max_fee_wei=GWEI), "fee.gas_limit"),
    ],
)
def test_executions_that_are_not_the_refill(request_: SignRequest, code: str) -> None:
    assert code == code_of(request_)


def test_an_execution_needs_a_pinned_safe() -> None:
    unpinned = replace(COLD, vault=replace(SAFE_VAULT, version="1.2.0"))

    assert "safe.not_pinned" == code_of(executing(a_safe_tx()), a_context(HOT, unpinned))


def test_a_hot_safe_would_be_no_refill() -> None:
    context = a_context(HOT, replace(COLD, role=Role.HOT))

    assert "purpose.wrong_source" == code_of(executing(a_safe_tx()), context)


FIRST, SECOND, THIRD = (signed_by(a_safe_tx(), person) for person in PEOPLE)
OWNERS = sorted(PEOPLE, key=lambda person: person.address().lower())


def with_v(signature: bytes, v: int) -> bytes:
    return signature[:64] + bytes([v])


@pytest.mark.parametrize(
    ("packed", "code"),
    [
        (b"", "safe.signature_invalid"),
        (FIRST, "safe.signatures"),
        (FIRST[:64], "safe.signature_invalid"),
        (signed_by(a_safe_tx(), *PEOPLE[:2]) + b"\x1b", "safe.signature_invalid"),
        (FIRST + FIRST, "safe.signature_order"),
        (
            signed_by(a_safe_tx(), OWNERS[1]) + signed_by(a_safe_tx(), OWNERS[0]),
            "safe.signature_order",
        ),
        (signed_by(a_safe_tx(), PEOPLE[0], HOT_KEY), "safe.signature_owner"),
        (signed_by(a_safe_tx(nonce=4), *PEOPLE[:2]), "safe.signature_owner"),
        (with_v(FIRST, 0) + SECOND, "safe.contract_signature"),
        (with_v(FIRST, 1) + SECOND, "safe.approved_hash"),
        (with_v(FIRST, 31) + SECOND, "safe.eth_sign"),
        (with_v(FIRST, 32) + SECOND, "safe.eth_sign"),
        (with_v(FIRST, 29) + SECOND, "safe.signature_invalid"),
        (b"\xff" * 64 + b"\x1b" + SECOND, "safe.signature_invalid"),
    ],
)
def test_a_safe_is_executed_only_for_enough_of_its_owners(packed: bytes, code: str) -> None:
    assert code == code_of(executing(a_safe_tx(), packed))


def test_all_owners_may_sign_an_execution() -> None:
    request = executing(a_safe_tx(), signed_by(a_safe_tx(), *PEOPLE))

    assert "nonce 3" in check_evm_tx(request, a_context()).notes[0]


@pytest.mark.parametrize(
    ("fee", "units", "code"),
    [(30, ETHER, "nonce.replacement_fee"), (29, ETHER, ""), (29, ETHER - 1, "nonce.used")],
)
def test_a_nonce_again_is_the_same_payment_at_a_higher_fee(fee: int, units: int, code: str) -> None:
    payee = PayeeFact(intent_id="i-0", address=checksum(CUSTOMER), units=units, owner=Owner.NONE)
    signed = SignedPayment(payees_digest("ETH", [payee]), 21_000 * fee * GWEI)
    place = (NETWORK, HOT_KEY.address())
    context = a_context(nonces={place: 6}, payments={(*place, 5): signed})

    if code:
        assert code == code_of(withdrawal(a_tx(nonce=5)), context)
    else:
        assert "REPLACES" in check_evm_tx(withdrawal(a_tx(nonce=5)), context).notes[-1]


LEGACY = UnsignedLegacyTx(
    chain_id=31337,
    nonce=5,
    max_fee_wei=30 * GWEI,
    gas_limit=21_000,
    to=CUSTOMER,
    value_wei=ETHER,
)
LEGACY_RULES = replace(RULES, legacy=True)


def test_a_legacy_payment_passes_where_the_rules_allow_it() -> None:
    facts = check_evm_tx(a_request(LEGACY.encode()), a_context(rules=LEGACY_RULES))

    assert (ETHER, LEGACY.signing_hash) == (facts.units, facts.jobs[0].digest)
    check_evm_tx(withdrawal(a_tx()), a_context(rules=LEGACY_RULES))


@pytest.mark.parametrize(
    ("payload", "rules", "code"),
    [
        (LEGACY.encode(), RULES, "evm.legacy"),
        (bytes(second_rlp.encode([b""] * 6)), LEGACY_RULES, "evm.unprotected"),
        (replace(LEGACY, chain_id=1).encode(), LEGACY_RULES, "evm.wrong_chain"),
        (bytes(second_rlp.encode([b"\x01"] * 9)), LEGACY_RULES, "evm.malformed"),
        (
            bytes(second_rlp.encode([b"\x05", b"\x01", b"\x01", b"", b"", b"", b"\x01", b"", b""])),
            LEGACY_RULES,
            "evm.creation",
        ),
        (LEGACY.encode() + b"\0", LEGACY_RULES, "evm.malformed"),
        (replace(LEGACY, max_fee_wei=201 * GWEI).encode(), LEGACY_RULES, "fee.rate"),
        (replace(LEGACY, value_wei=1).encode(), LEGACY_RULES, "payees.mismatch"),
    ],
)
def test_legacy_payments_that_are_refused(payload: bytes, rules: NetworkRules, code: str) -> None:
    assert code == code_of(a_request(payload), a_context(rules=rules))


def test_without_an_intent_nothing_is_signed() -> None:
    assert "intent.count" == code_of(replace(withdrawal(a_tx()), intents=()))
