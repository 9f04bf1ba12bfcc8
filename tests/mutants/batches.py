"""Mutants of batches by the sweeper: what a thief of the online side would ask hot to sign."""

from collections.abc import Callable
from dataclasses import replace

from chains.evm.authorizations import Authorization, SignedAuthorization
from chains.evm.set_code import UnsignedSetCodeTx
from chains.evm.sweeper import SweepCall
from chains.evm.transactions import UnsignedTx
from signer.protocol import Kind, OwnOutput, Purpose, SignRequest
from signer.secp import sign_rsv
from tests.mutants.bench import DUSD, GWEI, Bench, Change, Mutant, sweeper_of
from tests.signer_world import ETH, EVM_DEPOSIT, EVM_HOT, NOW_S, SOFT, an_intent

INDEXES = (2, 5)
THIEF = b"\x66" * 20


def deposits(bench: Bench) -> tuple[OwnOutput, ...]:
    vault = bench.hot.vaults["ethereum-deposit"].vault
    return tuple(
        OwnOutput(address=vault.address_text(n), source="ethereum-deposit", branch=0, index=n)
        for n in INDEXES
    )


def leave(bench: Bench, index: int = INDEXES[0], **changes: object) -> SignedAuthorization:
    """A deposit address's authorisation, as its signer gave it."""
    fields: dict[str, object] = {"chain_id": 31337, "delegate": sweeper_of(bench.hot), "nonce": 0}
    one = Authorization(**{**fields, **changes})  # type: ignore[arg-type]
    assert bench.hot.keys is not None
    secret = bench.hot.keys.chain.secret((*EVM_DEPOSIT, 0, index))
    return one.with_signature(sign_rsv(secret, one.signing_hash))


def foreign_leave(bench: Bench) -> SignedAuthorization:
    """Another account's authorisation for our sweeper."""
    one = Authorization(chain_id=31337, delegate=sweeper_of(bench.hot), nonce=0)
    secret = SOFT["second"].secret((*EVM_HOT, 0, 0))
    return one.with_signature(sign_rsv(secret, one.signing_hash))


def a_batch(bench: Bench, name: str) -> SignRequest:
    """Two deposit addresses emptied of DUSD by hot; one of them gives its leave here."""
    own = deposits(bench)
    accounts = tuple(bytes.fromhex(one.address[2:]) for one in own)
    call = UnsignedTx(
        chain_id=31337,
        nonce=7,
        priority_fee_wei=GWEI,
        max_fee_wei=20 * GWEI,
        gas_limit=250_000,
        to=sweeper_of(bench.hot),
        value_wei=0,
        data=SweepCall(token=DUSD, accounts=accounts).encode(),
    )
    payload = UnsignedSetCodeTx(call=call, authorizations=(leave(bench),)).encode()
    intent = an_intent(
        name,
        network=ETH,
        asset="DUSD",
        source="ethereum-hot",
        purpose=Purpose.GATHER,
        payees=(),
        call=call.data,
        fee_units_max=10**16,
    )
    hot = bench.hot.vaults["ethereum-hot"].vault.address_text(0)
    return SignRequest(
        request_id=f"request of {name}",
        created_s=NOW_S,
        expires_s=NOW_S + 600,
        network=ETH,
        source="ethereum-hot",
        kind=Kind.EVM_BATCH,
        payload=payload,
        intents=(intent,),
        sender=OwnOutput(address=hot, source="ethereum-hot", branch=0, index=0),
        own=own,
    )


def call(**changes: object) -> Change:
    """Change fields of the call; the intent approves what the bytes then do."""

    def change(_bench: Bench, request: SignRequest) -> SignRequest:
        tx = UnsignedSetCodeTx.decode(request.payload)
        made = replace(tx, call=replace(tx.call, **changes))  # type: ignore[arg-type]
        intent = replace(request.intents[0], call=made.call.data)
        return replace(request, payload=made.encode(), intents=(intent,))

    return change


def sweep(make: Callable[[SweepCall], SweepCall]) -> Change:
    """Change what is emptied."""

    def change(bench: Bench, request: SignRequest) -> SignRequest:
        before = SweepCall.decode(UnsignedSetCodeTx.decode(request.payload).call.data)
        return call(data=make(before).encode())(bench, request)

    return change


def granted(*make: Callable[[Bench], SignedAuthorization]) -> Change:
    """Other authorisations in the transaction."""

    def change(bench: Bench, request: SignRequest) -> SignRequest:
        tx = UnsignedSetCodeTx.decode(request.payload)
        made = replace(tx, authorizations=tuple(one(bench) for one in make))
        return replace(request, payload=made.encode())

    return change


def intent(**changes: object) -> Change:
    return lambda _bench, request: replace(
        request,
        intents=(replace(request.intents[0], **changes),),  # type: ignore[arg-type]
    )


BATCH_MUTANTS = tuple(
    Mutant(name=name, proves=("16",), base=a_batch, change=change, code=code)
    for name, change, code in (
        ("a batch on another chain", call(chain_id=1), "evm.wrong_chain"),
        ("a batch by another contract", call(to=THIEF), "batch.not_sweeper"),
        ("ether beside a batch", call(value_wei=1), "batch.value"),
        (
            "another call of the sweeper",
            call(data=b"\x01\x68\x1a\x62" + bytes(32)),
            "batch.calldata",
        ),
        (
            "a batch of a token nobody listed",
            sweep(lambda one: replace(one, token=THIEF)),
            "batch.token_unknown",
        ),
        (
            "a stranger's address in the batch",
            sweep(lambda one: replace(one, accounts=(*one.accounts, THIEF))),
            "batch.foreign_address",
        ),
        (
            "an origin that the batch does not empty",
            sweep(lambda one: replace(one, accounts=one.accounts[:1])),
            "batch.unused_origin",
        ),
        (
            "leave for another contract",
            granted(lambda bench: leave(bench, delegate=THIEF)),
            "batch.delegate",
        ),
        (
            "leave on another chain",
            granted(lambda bench: leave(bench, chain_id=1)),
            "batch.authorization_chain",
        ),
        ("leave of an account outside the batch", granted(foreign_leave), "batch.authority"),
        ("leave given twice", granted(leave, leave), "batch.authority_twice"),
        ("a batch of more gas than its limit", call(gas_limit=1_000_001), "fee.gas_limit"),
        ("a batch at an absurd price", call(max_fee_wei=201 * GWEI), "fee.rate"),
        ("a batch whose intent is for another token", intent(asset="ETH"), "batch.purpose"),
        ("a batch whose intent approves other bytes", intent(call=b"\x01"), "intent.call"),
    )
)
"""Each is refused for its own reason."""
