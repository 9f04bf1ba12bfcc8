"""Mutants of EIP-7702 authorisations: an account handed over to code that is not the sweeper's."""

from dataclasses import replace

from chains.evm import rlp
from chains.evm.authorizations import Authorization
from signer.protocol import Intent, Kind, OwnOutput, Payee, Purpose, SignRequest
from tests.mutants.bench import SWEEPER, Bench, Change, Mutant, payment
from tests.signer_world import CUSTOMER_EVM, ETH, NOW_S, an_intent

THIEF = b"\x66" * 20
LOOK_ALIKE = SWEEPER[:2] + b"\x66" * 16 + SWEEPER[-2:]
PLACE = 4
GOOD = Authorization(chain_id=31337, delegate=SWEEPER, nonce=0)


def authorization(bench: Bench, name: str) -> SignRequest:
    """A deposit address lets the pinned sweeper act for it."""
    payload = GOOD.encode()
    return SignRequest(
        request_id=f"request of {name}",
        created_s=NOW_S,
        expires_s=NOW_S + 600,
        network=ETH,
        source="ethereum-deposit",
        kind=Kind.EVM_AUTH,
        payload=payload,
        intents=(_intent(name, payload),),
        sender=_sender(bench, "ethereum-deposit", PLACE),
    )


def _intent(name: str, call: bytes) -> Intent:
    return an_intent(
        name,
        purpose=Purpose.GATHER,
        network=ETH,
        asset="ETH",
        source="ethereum-deposit",
        payees=(),
        fee_units_max=0,
        call=call,
    )


def _sender(bench: Bench, source: str, index: int) -> OwnOutput:
    address = bench.hot.vaults[source].vault.address_text(index)
    return OwnOutput(address=address, source=source, branch=0, index=index)


def raw(payload: bytes) -> Change:
    """Other bytes, which the intent approves too: nobody is to be saved by that alone."""

    def change(_bench: Bench, request: SignRequest) -> SignRequest:
        intents = (replace(request.intents[0], call=payload),)
        return replace(request, payload=payload, intents=intents)

    return change


def fields(chain: int, delegate: bytes, nonce: int, *more: bytes) -> bytes:
    """Bytes of an authorisation, right or wrong."""
    items: list[rlp.Item] = [rlp.encode_int(chain), delegate, rlp.encode_int(nonce), *more]
    return b"\x05" + rlp.encode(items)


def intent(**changes: object) -> Change:
    """Change what the request says was asked for."""
    return lambda _bench, request: replace(
        request,
        intents=(replace(request.intents[0], **changes),),  # type: ignore[arg-type]
    )


def twice(_bench: Bench, request: SignRequest) -> SignRequest:
    """One act under two intents."""
    again = replace(request.intents[0], intent_id="another")
    return replace(request, intents=(request.intents[0], again))


def by_hot(bench: Bench, request: SignRequest) -> SignRequest:
    """The hot account in place of a deposit address."""
    changed = intent(source="ethereum-hot")(bench, request)
    return replace(changed, source="ethereum-hot", sender=_sender(bench, "ethereum-hot", 0))


def earlier(bench: Bench, _request: SignRequest) -> SignRequest:
    return authorization(bench, "earlier")


def next_nonce(nonce: int) -> Change:
    return raw(replace(GOOD, nonce=nonce).encode())


DELEGATION_MUTANTS = (
    *(
        Mutant(name=name, proves=proves, base=authorization, change=raw(payload), code=code)
        for name, proves, payload, code in (
            (
                "an authorisation for another chain",
                ("19",),
                fields(1, SWEEPER, 0),
                "evm.wrong_chain",
            ),
            (
                "an authorisation for every chain",
                ("19",),
                fields(0, SWEEPER, 0),
                "delegation.any_chain",
            ),
            (
                "an authorisation of a thief's contract",
                ("15", "16"),
                fields(31337, THIEF, 0),
                "delegation.not_sweeper",
            ),
            (
                "an authorisation of a look-alike of the sweeper",
                ("22",),
                fields(31337, LOOK_ALIKE, 0),
                "delegation.not_sweeper",
            ),
            (
                "an authorisation of nobody, which undoes the sweeper's",
                ("16",),
                fields(31337, bytes(20), 0),
                "delegation.not_sweeper",
            ),
            (
                "bytes behind an authorisation",
                ("25",),
                GOOD.encode() + b"\x00",
                "delegation.malformed",
            ),
            (
                "a fourth field in an authorisation",
                ("25",),
                fields(31337, SWEEPER, 0, b"\x01"),
                "delegation.malformed",
            ),
            (
                "a delegate of 19 bytes",
                ("25",),
                fields(31337, SWEEPER[1:], 0),
                "delegation.malformed",
            ),
            (
                "the last nonce, which EIP-2681 forbids",
                ("17",),
                fields(31337, SWEEPER, 2**64 - 1),
                "delegation.malformed",
            ),
            (
                "a hash in place of an authorisation",
                ("10",),
                GOOD.signing_hash,
                "delegation.malformed",
            ),
        )
    ),
    Mutant(
        name="an authorisation that the intent does not name",
        proves=("16",),
        base=authorization,
        change=lambda bench, request: replace(
            request, payload=replace(GOOD, nonce=1).encode(), intents=request.intents
        ),
        code="intent.call",
    ),
    Mutant(
        name="an authorisation whose intent pays somebody",
        proves=("16",),
        base=authorization,
        change=intent(payees=(Payee(address=CUSTOMER_EVM, units=1),)),
        code="intent.act",
    ),
    Mutant(
        name="one authorisation under two intents",
        proves=("16",),
        base=authorization,
        change=twice,
        code="intent.count",
    ),
    Mutant(
        name="the hot account handed over",
        proves=("6", "16"),
        base=authorization,
        change=by_hot,
        code="request.kind",
    ),
    Mutant(
        name="an authorisation approved for another vault",
        proves=("16",),
        base=authorization,
        change=intent(source="ethereum-hot"),
        code="intent.source",
    ),
    Mutant(
        name="an authorisation for a purpose other than gathering",
        proves=("16",),
        base=authorization,
        change=intent(purpose=Purpose.SWEEP),
        code="purpose.wrong_source",
    ),
    Mutant(
        name="an authorisation approved for a token",
        proves=("16",),
        base=authorization,
        change=intent(asset="DUSD"),
        code="delegation.purpose",
    ),
    Mutant(
        name="an authorisation by an address that its origin does not derive",
        proves=("6", "16"),
        base=authorization,
        change=lambda bench, request: replace(
            request,
            sender=replace(_sender(bench, "ethereum-deposit", PLACE), index=PLACE + 1),
        ),
        code="sender.mismatch",
    ),
    Mutant(
        name="an authorisation by nobody",
        proves=("6",),
        base=authorization,
        change=lambda _bench, request: replace(request, sender=None),
        code="sender.missing",
    ),
    Mutant(
        name="an authorisation of a nonce used before",
        proves=("13", "17"),
        base=authorization,
        first=(earlier,),
        code="nonce.used",
    ),
    Mutant(
        name="an authorisation of a nonce far ahead, to be kept for later",
        proves=("17",),
        base=authorization,
        first=(earlier,),
        change=next_nonce(7),
        code="nonce.gap",
    ),
    Mutant(
        name="an authorisation in place of a transaction",
        proves=("10", "25"),
        base=authorization,
        change=lambda _bench, request: replace(request, kind=Kind.EVM_TX),
        code="intent.call",
    ),
    Mutant(
        name="an act in place of a PSBT",
        proves=("10", "16"),
        base=payment,
        change=lambda _bench, request: replace(
            request,
            intents=(
                replace(
                    request.intents[0], purpose=Purpose.GOVERNANCE, payees=(), call=request.payload
                ),
            ),
        ),
        code="intent.act",
    ),
)
