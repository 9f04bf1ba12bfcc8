"""Mutants of PSBTs: at least one for each check (a) to (j) that a signer must make."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from chains.hd import HARDENED
from chains.types import OutPoint
from chains.utxo.coins import Coin, Payout
from chains.utxo.descriptors import DescriptorVault, Template, multisig_descriptor
from chains.utxo.params import BUILTIN
from chains.utxo.psbt import MAGIC, PSBT_BYTES_MAX, Psbt
from chains.utxo.psbt_fields import write_map
from chains.utxo.transactions import Transaction, TxOutput, serialize_output
from signer import secp
from signer.derive import KeyChain
from signer.engine import Review
from signer.protocol import Payee, SignRequest
from tests.mutants.bench import (
    Bench,
    Change,
    Mutant,
    approved_payment,
    litecoin_payment,
    payment,
    payment_v2,
    refill,
    sweep,
)
from tests.signer_world import (
    BTC,
    CUSTOMER,
    CUSTOMER_SCRIPT,
    MULTISIG_BTC,
    change_to,
    coin,
    origin,
    utxo_vault,
)

THIEF_SCRIPT = b"\x00\x14" + b"\x66" * 20
LOOK_ALIKE_SCRIPT = CUSTOMER_SCRIPT[:6] + b"\x66" * 12 + CUSTOMER_SCRIPT[-4:]
"""First and last bytes as the customer's, so that a glance takes it for theirs."""

Fields = Mapping[bytes, bytes | None]


def edited(
    tx: Callable[[Transaction], Transaction] = lambda tx: tx,
    into: Callable[[Psbt], Fields] = lambda psbt: {},
    out: Callable[[Psbt], Fields] = lambda psbt: {},
) -> Change:
    """Change the transaction, fields of the first input, or fields of the last output."""

    def change(_bench: Bench, request: SignRequest) -> SignRequest:
        psbt = Psbt.parse(request.payload)
        head = {**psbt.pairs, b"\x00": tx(psbt.tx).serialize(witness=False)}
        maps = [dict(one) for one in maps_of(psbt)]
        for pairs, fields in ((maps[0], into(psbt)), (maps[-1], out(psbt))):
            pairs.update({key: value for key, value in fields.items() if value is not None})
            for key in [key for key, value in fields.items() if value is None]:
                pairs.pop(key)
        return replace(request, payload=MAGIC + b"".join(map(write_map, (head, *maps))))

    return change


def maps_of(psbt: Psbt) -> list[Mapping[bytes, bytes]]:
    """The fields of all inputs, then of all outputs."""
    return [*(one.pairs for one in psbt.inputs), *(one.pairs for one in psbt.outputs)]


def into(**fields: bytes | None) -> Change:
    """Set fields of the first input; `x03` is field 0x03, None removes it."""
    named = {bytes([int(name[1:], 16)]): value for name, value in fields.items()}
    return edited(into=lambda psbt: named)


def output(at: int, **changes: object) -> Change:
    """Change one output of the transaction."""

    def change(tx: Transaction) -> Transaction:
        outputs = list(tx.outputs)
        outputs[at] = replace(outputs[at], **changes)  # type: ignore[arg-type]
        return replace(tx, outputs=tuple(outputs))

    return edited(tx=change)


def payload(change: Callable[[bytes], bytes]) -> Change:
    """Change the bytes themselves."""
    return lambda bench, request: replace(request, payload=change(request.payload))


def built(make: Callable[[Bench, SignRequest], tuple[list[Coin], list[Payout]]]) -> Change:
    """Another spend for the same intents."""

    def change(bench: Bench, request: SignRequest) -> SignRequest:
        coins, outputs = make(bench, request)
        return replace(request, payload=bench.spend(request.source, coins, outputs))

    return change


def hot(bench: Bench) -> DescriptorVault:
    return utxo_vault(bench.hot, "bitcoin-hot")


def customer(sats: int = 100_000_000) -> Payout:
    return Payout(script=CUSTOMER_SCRIPT, sats=sats)


def spend(*more: Payout, change_sats: int = 49_990_000, **place: int) -> Change:
    """The payment with further outputs, and other change."""
    return built(
        lambda bench, request: (
            [coin(hot(bench), 150_000_000)],
            [customer(), *more, change_to(hot(bench), change_sats, **place)],
        )
    )


def coins_of(make: Callable[[DescriptorVault], list[Coin]], change_sats: int) -> Change:
    """The payment out of other coins."""
    return built(
        lambda bench, request: (
            make(hot(bench)),
            [customer(), change_to(hot(bench), change_sats)],
        )
    )


def stranger_beside_us(bench: Bench, request: SignRequest) -> SignRequest:
    """Our proven coin and one of another vault: would a library sign both?"""
    cold = utxo_vault(bench.hot, "bitcoin-cold")
    coins = [coin(hot(bench), 150_000_000), coin(cold, 10_000)]
    back = change_to(hot(bench), 50_000_000)
    return replace(request, payload=bench.spend("bitcoin-hot", coins, [customer(), back]))


def change_with_a_thiefs_key(bench: Bench, request: SignRequest) -> SignRequest:
    """2-of-3 again, ours among the keys, but one is the thief's; our origins are still claimed."""
    keys = list(hot(bench).keys)
    thief = KeyChain(b"\x66" * 32)
    keys[-1] = origin(thief, MULTISIG_BTC, BUILTIN[BTC].xpub_version)
    text = multisig_descriptor(Template.WSH_MULTI, 2, keys)
    theirs = DescriptorVault.parse("bitcoin-hot", BUILTIN[BTC], text)
    script = theirs.script_pubkey_at(1, 1)
    return output(-1, script=script)(bench, request)


def moved_origins(branch: int, index: int, hardened: bool = False) -> Change:
    """Change whose origins claim another place."""

    def fields(psbt: Psbt) -> Fields:
        step = HARDENED if hardened else 0
        end = b"".join((number + step).to_bytes(4, "little") for number in (branch, index))
        pairs = psbt.outputs[-1].pairs
        return {key: value[:-8] + end for key, value in pairs.items() if key[:1] == b"\x02"}

    return edited(out=fields)


def remember_another_amount(bench: Bench, request: SignRequest) -> None:
    """In an earlier session the same coin had another amount."""
    outpoint: OutPoint = Psbt.parse(request.payload).inputs[0].outpoint
    bench.hot.state._outpoints[(BTC, str(outpoint))] = 149_999_999


def swap_the_bytes(review: Review) -> None:
    """The machine's malware rewrites the payload while a person reads the review."""
    raw = review.request.payload.replace(CUSTOMER_SCRIPT, THIEF_SCRIPT)
    object.__setattr__(review.request, "payload", raw)


def lying_amount(psbt: Psbt) -> Fields:
    spent = psbt.spent_output(0)
    return {b"\x01": serialize_output(TxOutput(sats=spent.sats - 1, script=spent.script))}


def strange_origin(field: int) -> Callable[[Psbt], Fields]:
    def fields(psbt: Psbt) -> Fields:
        stranger = KeyChain(b"\x66" * 32).node((7,)).public_key
        pairs = psbt.inputs[0].pairs if field == 0x06 else psbt.outputs[-1].pairs
        value = next(value for key, value in pairs.items() if key[0] == field)
        return {bytes([field]) + stranger: value}

    return fields


def key_twice(raw: bytes) -> bytes:
    tx_pair = raw[len(MAGIC) :]
    return MAGIC + b"\x01\x00\x00" + tx_pair


def sequence(number: int) -> Change:
    return edited(
        tx=lambda tx: replace(tx, inputs=tuple(replace(one, sequence=number) for one in tx.inputs))
    )


def bitcoin_address_on_litecoin(bench: Bench, request: SignRequest) -> SignRequest:
    payees = (Payee(address=CUSTOMER, units=100_000_000),)
    return replace(request, intents=(replace(request.intents[0], payees=payees),))


def bitcoin_coin_as_litecoin(bench: Bench, request: SignRequest) -> SignRequest:
    """A BTC spend presented under the Litecoin vault: the signature would be good on both."""
    return replace(request, payload=payment(bench, "elsewhere").payload)


_WRONG = secp.sign_low_r(b"\x01" * 32, bytes(32))


def _without_previous(raw: bytes) -> bytes:
    psbt = Psbt.parse(raw)
    maps = [dict(one) for one in (psbt.pairs, *maps_of(psbt))]
    maps[1].pop(b"\x00")
    return MAGIC + b"".join(map(write_map, maps))


def _tiny(bench: Bench, request: SignRequest) -> SignRequest:
    """10,000 sats paid at a fee of 5,000."""
    payees = (Payee(address=CUSTOMER, units=10_000),)
    coins = [coin(hot(bench), 50_000_000)]
    outputs = [customer(10_000), change_to(hot(bench), 50_000_000 - 15_000)]
    intents = (replace(request.intents[0], payees=payees),)
    spent = bench.spend("bitcoin-hot", coins, outputs)
    return replace(request, payload=spent, intents=intents)


PSBT_MUTANTS = (
    # (a) strict bytes, limits first
    Mutant(
        name="bytes behind the PSBT",
        proves=("a", "25"),
        base=payment,
        change=payload(lambda raw: raw + b"\x00"),
        code="psbt.malformed",
    ),
    Mutant(
        name="a key twice in a map",
        proves=("a",),
        base=payment,
        change=payload(key_twice),
        code="psbt.duplicate_key",
    ),
    Mutant(
        name="more than two mebibytes",
        proves=("a", "25"),
        base=payment,
        change=payload(lambda raw: raw + bytes(PSBT_BYTES_MAX)),
        code="psbt.too_large",
    ),
    Mutant(
        name="an unknown PSBT version",
        proves=("a",),
        base=payment,
        change=payload(lambda raw: MAGIC + b"\x01\xfb\x04\x01\x00\x00\x00" + raw[len(MAGIC) :]),
        code="psbt.unknown_version",
    ),
    Mutant(
        name="a bare hash to sign",
        proves=("a", "10"),
        base=payment,
        change=payload(lambda raw: b"\x66" * 32),
        code="psbt.malformed",
    ),
    Mutant(
        name="more inputs than the limit",
        proves=("a",),
        base=payment,
        change=coins_of(
            lambda vault: [coin(vault, 10_000_000, index) for index in range(21)], 109_990_000
        ),
        code="tx.inputs",
    ),
    Mutant(
        name="more outputs than the limit",
        proves=("a",),
        base=payment,
        change=built(
            lambda bench, request: (
                [coin(hot(bench), 120_010_000)],
                [customer(), *(change_to(hot(bench), 1_000_000, index) for index in range(20))],
            )
        ),
        code="tx.outputs",
    ),
    Mutant(
        name="another transaction version",
        proves=("a",),
        base=payment,
        change=edited(tx=lambda tx: replace(tx, version=3)),
        code="tx.version",
    ),
    Mutant(
        name="a lock time, to be kept for later",
        proves=("a",),
        base=payment,
        change=edited(tx=lambda tx: replace(tx, locktime=900_000)),
        code="tx.locktime",
    ),
    Mutant(
        name="a relative lock time",
        proves=("a",),
        base=payment,
        change=sequence(144),
        code="input.sequence",
    ),
    # (b) amounts proven by the previous transaction
    Mutant(
        name="an amount without its transaction",
        proves=("b", "1", "2"),
        base=payment,
        change=into(x00=None),
        code="input.unproven",
    ),
    Mutant(
        name="the same in version 2",
        proves=("b", "1"),
        base=payment_v2,
        change=payload(_without_previous),
        code="input.unproven",
    ),
    Mutant(
        name="another previous transaction",
        proves=("b", "1"),
        base=payment,
        change=lambda bench, request: into(x00=coin(hot(bench), 900_000_000).raw_tx)(
            bench, request
        ),
        code="psbt.unproven_amount",
    ),
    Mutant(
        name="two amounts that disagree",
        proves=("b", "2"),
        base=payment,
        change=edited(into=lying_amount),
        code="input.unproven",
    ),
    Mutant(
        name="an amount that was another in an earlier session",
        proves=("b", "1"),
        base=payment,
        stage=remember_another_amount,
        code="input.amount_conflict",
    ),
    # (c) scripts derived from the registered vault
    Mutant(
        name="another witness script",
        proves=("c",),
        base=payment,
        change=into(x05=b"\x51"),
        code="input.script",
    ),
    Mutant(
        name="a stray redeem script",
        proves=("c",),
        base=payment,
        change=into(x04=b"\x51"),
        code="input.script",
    ),
    Mutant(
        name="a stranger's origin beside ours",
        proves=("c",),
        base=payment,
        change=edited(into=strange_origin(0x06)),
        code="input.origin",
    ),
    # (d) no foreign input
    Mutant(
        name="a coin of another vault",
        proves=("d", "8"),
        base=payment,
        change=built(
            lambda bench, request: (
                [coin(utxo_vault(bench.hot, "bitcoin-cold"), 150_000_000)],
                [customer(), change_to(hot(bench), 49_990_000)],
            )
        ),
        code="input.foreign",
    ),
    Mutant(
        name="a stranger's coin beside ours",
        proves=("d", "8", "j"),
        base=payment,
        change=stranger_beside_us,
        code="input.foreign",
    ),
    Mutant(
        name="a coin without any origin",
        proves=("d",),
        base=payment,
        change=edited(into=lambda psbt: {key: None for key in psbt.inputs[0].pairs if key[0] == 6}),
        code="input.foreign",
    ),
    Mutant(
        name="an input that is finished already",
        proves=("d",),
        base=payment,
        change=into(x07=b"\x51"),
        code="input.kind",
    ),
    # (e) SIGHASH_ALL and nothing else
    *(
        Mutant(
            name=f"signature type {name}",
            proves=("e", "7"),
            base=payment,
            change=into(x03=number.to_bytes(4, "little")),
            code="input.sighash",
        )
        for name, number in (
            ("NONE", 2),
            ("SINGLE", 3),
            ("ALL with ANYONECANPAY", 0x81),
            ("NONE with ANYONECANPAY", 0x82),
            ("SINGLE with ANYONECANPAY", 0x83),
            ("DEFAULT outside taproot", 0),
        )
    ),
    # (f) inputs once, money in range
    Mutant(
        name="a coin twice",
        proves=("f",),
        base=payment,
        change=coins_of(lambda vault: [coin(vault, 75_000_000)] * 2, 49_990_000),
        code="input.twice",
    ),
    Mutant(
        name="more out than in",
        proves=("f",),
        base=payment,
        change=spend(change_sats=50_000_001),
        code="amount.negative_fee",
    ),
    Mutant(
        name="more money than there will ever be",
        proves=("f",),
        base=payment,
        change=output(-1, sats=BUILTIN[BTC].money_sats_max + 1),
        code="amount.range",
    ),
    Mutant(
        name="coins of more money together than there will ever be",
        proves=("f",),
        base=payment,
        change=coins_of(
            lambda vault: [coin(vault, BUILTIN[BTC].money_sats_max, index) for index in range(2)],
            1_000,
        ),
        code="amount.range",
    ),
    Mutant(
        name="an empty coin",
        proves=("f",),
        base=payment,
        change=coins_of(lambda vault: [coin(vault, 150_000_000), coin(vault, 0, 4)], 49_990_000),
        code="amount.range",
    ),
    # (g) every output is an approved payee or our own change
    Mutant(
        name="an output that nobody approved",
        proves=("g", "11", "16"),
        base=payment,
        change=spend(Payout(script=THIEF_SCRIPT, sats=40_000_000), change_sats=9_990_000),
        code="output.not_approved",
    ),
    Mutant(
        name="the payee replaced",
        proves=("g", "16"),
        base=approved_payment,
        change=output(0, script=THIEF_SCRIPT),
        code="output.not_approved",
    ),
    Mutant(
        name="a look-alike of the payee",
        proves=("g", "22"),
        base=approved_payment,
        change=output(0, script=LOOK_ALIKE_SCRIPT),
        code="output.not_approved",
    ),
    Mutant(
        name="one sat more than approved",
        proves=("g",),
        base=payment,
        change=output(0, sats=100_000_001),
        code="output.not_approved",
    ),
    Mutant(
        name="an approved payee left out",
        proves=("g",),
        base=payment,
        change=built(
            lambda bench, request: (
                [coin(hot(bench), 150_000_000)],
                [change_to(hot(bench), 149_990_000)],
            )
        ),
        code="payees.missing",
    ),
    Mutant(
        name="change of nothing, which hid a list elsewhere",
        proves=("g", "11"),
        base=payment,
        change=coins_of(lambda vault: [coin(vault, 100_010_000)], 0),
        code="amount.range",
    ),
    Mutant(
        name="data in place of an address",
        proves=("g", "11"),
        base=payment,
        change=spend(Payout(script=b"\x6a\x04abcd", sats=1)),
        code="output.script",
    ),
    Mutant(
        name="change with a thief's key in place of one of ours",
        proves=("g", "3"),
        base=payment,
        change=change_with_a_thiefs_key,
        code="change.foreign",
    ),
    Mutant(
        name="change on the receive branch",
        proves=("g", "6"),
        base=payment,
        change=spend(branch=0),
        code="change.path",
    ),
    Mutant(
        name="change at a hardened place",
        proves=("g", "6"),
        base=payment,
        change=moved_origins(1, 1, hardened=True),
        code="change.path",
    ),
    Mutant(
        name="change claimed at another index",
        proves=("g", "3", "6"),
        base=payment,
        change=moved_origins(1, 2),
        code="change.foreign",
    ),
    Mutant(
        name="change too far away to be found again",
        proves=("g", "6"),
        base=payment,
        change=spend(index=201),
        code="change.index",
    ),
    Mutant(
        name="change with another script inside",
        proves=("g",),
        base=payment,
        change=edited(out=lambda psbt: {b"\x01": b"\x51"}),
        code="change.script",
    ),
    Mutant(
        name="change with a stranger's origin",
        proves=("g",),
        base=payment,
        change=edited(out=strange_origin(0x02)),
        code="change.origin",
    ),
    Mutant(
        name="a sweep to an address that another index derives",
        proves=("g", "16"),
        base=sweep,
        change=lambda bench, request: replace(request, own=(replace(request.own[0], index=6),)),
        code="own.mismatch",
    ),
    Mutant(
        name="a refill whose origin is left out",
        proves=("g", "16"),
        base=refill,
        change=lambda bench, request: replace(request, own=()),
        code="purpose.wrong_payee",
    ),
    # (h) three fee caps, and the approved one
    Mutant(
        name="a fee above the absolute cap",
        proves=("h", "21"),
        base=payment,
        change=coins_of(
            lambda vault: [coin(vault, 60_000_000, index) for index in range(12)],
            620_000_000 - 50_001,
        ),
        code="fee.absolute",
    ),
    Mutant(
        name="a fee rate above the cap",
        proves=("h", "21"),
        base=payment,
        change=spend(change_sats=50_000_000 - 9_451),
        code="fee.rate",
    ),
    Mutant(
        name="a fee out of proportion to the payment",
        proves=("h", "21"),
        base=payment,
        change=_tiny,
        code="fee.share",
    ),
    Mutant(
        name="a fee above the approved one",
        proves=("h", "21"),
        base=payment,
        change=lambda bench, request: replace(
            request, intents=(replace(request.intents[0], fee_units_max=4_999),)
        ),
        code="fee.intent",
    ),
    # (i) what was reviewed is what is signed
    Mutant(
        name="bytes rewritten while a person reads",
        proves=("i", "9"),
        base=payment,
        during=swap_the_bytes,
        code="payload.changed",
    ),
    # (j) our own signature verified before it exists for anybody
    Mutant(
        name="a signature broken by a fault",
        proves=("j",),
        base=payment,
        faults=(("signer.secp.sign_low_r", lambda secret, digest: _WRONG),),
        code="signature.invalid",
    ),
    Mutant(
        name="a nonce used before",
        proves=("j", "13"),
        base=payment,
        first=(lambda bench, request: payment(bench, "earlier"),),
        faults=(("signer.secp.r_of_der", lambda der: b"\x01" * 32),),
        code="signature.nonce_reused",
    ),
    # coins of one chain never signed as those of another
    Mutant(
        name="a Bitcoin coin presented as Litecoin",
        proves=("d", "20"),
        base=litecoin_payment,
        change=bitcoin_coin_as_litecoin,
        code="input.foreign",
    ),
    Mutant(
        name="a Bitcoin address paid on Litecoin",
        proves=("g", "20"),
        base=litecoin_payment,
        change=bitcoin_address_on_litecoin,
        code="output.not_approved",
    ),
)
