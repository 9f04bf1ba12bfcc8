"""A hosted key signs exactly what its person asked for, and refuses every other transaction."""

import dataclasses
from collections.abc import Callable

import pytest

from chains.evm.addresses import checksum
from chains.evm.transactions import SignedTx
from chains.utxo.psbt import Psbt
from chains.utxo.psbt_fields import write_map
from chains.utxo.sources import SingleKey
from chains.utxo.transactions import parse
from signer import secp
from signer.errors import Refused, SignerError
from signer.hosted import (
    Ask,
    OpenedHostedKey,
    address_of,
    check_payment,
    hosted_network,
    payment_lines,
    sign_payment,
)
from tests.hosted_world import (
    BTC,
    DUSD,
    ETH,
    EVM_PAYEE,
    LTC,
    OTHER_SECRET,
    PAYEE,
    PUBLIC_KEY,
    SECRET,
    a_key,
    coin,
    evm_network,
    evm_payment,
    psbt,
    script_of,
    token_payment,
)

ASK = Ask(asset="BTC", address=PAYEE, units=60_000)
ETH_ASK = Ask(asset="ETH", address=EVM_PAYEE, units=10**18)
TOKEN_ASK = Ask(asset="DUSD", address=EVM_PAYEE, units=2_500_000)
OWN = SingleKey(PUBLIC_KEY).script_pubkey
OPENED = OpenedHostedKey(a_key(), SECRET)
STRANGER = SingleKey(secp.public_key(OTHER_SECRET)).script_pubkey


def good(change: int = 39_000) -> bytes:
    return psbt([coin(PUBLIC_KEY, 100_000)], [(script_of(PAYEE), 60_000), (OWN, change)])


def edited(raw: bytes, edit: Callable[[dict[bytes, bytes]], object]) -> bytes:
    """The PSBT with the map of its first input changed."""
    whole = Psbt.parse(raw)
    pairs = dict(whole.inputs[0].pairs)
    edit(pairs)
    maps = [whole.pairs, pairs, *(one.pairs for one in whole.outputs)]
    return b"psbt\xff" + b"".join(write_map(each) for each in maps)


def with_transaction(**changes: object) -> bytes:
    whole = Psbt.parse(good())
    changed = dataclasses.replace(whole.tx, **changes)  # type: ignore[arg-type]
    maps = [{b"\x00": changed.serialize(witness=False)}]
    maps += [dict(one.pairs) for one in whole.inputs]
    maps += [dict(one.pairs) for one in whole.outputs]
    return b"psbt\xff" + b"".join(write_map(each) for each in maps)


def with_sequence(sequence: int) -> bytes:
    (one,) = Psbt.parse(good()).tx.inputs
    return with_transaction(inputs=(dataclasses.replace(one, sequence=sequence),))


def refusal(payload: bytes, ask: Ask = ASK, network: str = BTC) -> str:
    rules = evm_network() if network == ETH else hosted_network(network)
    with pytest.raises(SignerError) as caught:
        check_payment(rules, PUBLIC_KEY, ask, payload)
    return caught.value.code


def test_a_bitcoin_payment_is_understood_signed_and_final() -> None:
    payment = check_payment(hosted_network(BTC), PUBLIC_KEY, ASK, good())
    raw = sign_payment(OPENED, payment)
    assert (payment.units, payment.change_units, payment.fee_units) == (60_000, 39_000, 1_000)
    assert parse(raw).txid == Psbt.parse(good()).tx.txid
    (signed,) = parse(raw).inputs
    assert signed.witness[1] == PUBLIC_KEY
    assert len(raw) and parse(raw).vsize <= payment.size


def test_a_network_of_no_family_is_refused() -> None:
    bare = dataclasses.replace(hosted_network(BTC), utxo=None)

    with pytest.raises(SignerError) as caught:
        check_payment(bare, PUBLIC_KEY, ASK, good())

    assert caught.value.code == "request.kind"


def test_an_ether_payment_is_understood_and_signed_by_its_address() -> None:
    payment = check_payment(evm_network(), PUBLIC_KEY, ETH_ASK, evm_payment(value_wei=10**18))
    signed = SignedTx.decode(sign_payment(OPENED, payment))
    assert checksum(signed.sender) == address_of(evm_network(), PUBLIC_KEY)
    assert signed.tx.encode() == payment.payload


def test_a_token_payment_is_understood_with_its_contract() -> None:
    payment = check_payment(evm_network(), PUBLIC_KEY, TOKEN_ASK, token_payment(2_500_000))
    assert (payment.units, payment.contract) == (2_500_000, DUSD.contract)
    assert SignedTx.decode(sign_payment(OPENED, payment)).tx.value_wei == 0


def test_the_person_reads_payee_amount_change_and_fee_from_the_bytes() -> None:
    text = "\n".join(payment_lines(check_payment(hosted_network(BTC), PUBLIC_KEY, ASK, good())))
    assert "0.0006 BTC (60000)" in text
    assert "bcrt 1qw5 08d6" in text
    assert PAYEE in text
    assert "change 0.00039 BTC (39000)" in text
    assert "fee at most 0.00001 BTC (1000), 1.6666 %" in text


def test_the_person_reads_the_token_and_its_contract_in_full() -> None:
    payment = check_payment(evm_network(), PUBLIC_KEY, TOKEN_ASK, token_payment(2_500_000))
    text = "\n".join(payment_lines(payment))
    assert "2.5 DUSD (2500000)" in text
    assert "0x5F bDB2" in text
    assert "nonce 7" in text


FOREIGN_KEY = secp.public_key(OTHER_SECRET)
PSBT_MUTANTS: dict[str, bytes] = {
    "psbt.malformed": b"psbt\xff\x00",
    "psbt.too_large": b"psbt\xff" + bytes(3 * 1024 * 1024),
    "tx.version": with_transaction(version=3),
    "tx.locktime": with_transaction(locktime=500_000),
    "input.sequence": with_sequence(1),
    "input.sighash": edited(good(), lambda pairs: pairs.update({b"\x03": b"\x83\x00\x00\x00"})),
    "input.unproven": edited(good(), lambda pairs: pairs.pop(b"\x00")),
    "input.script": edited(good(), lambda pairs: pairs.update({b"\x04": b"\x51"})),
    "input.kind": edited(good(), lambda pairs: pairs.update({b"\x07": b"\x51"})),
    "input.foreign": psbt(
        [coin(FOREIGN_KEY, 100_000)], [(script_of(PAYEE), 60_000)], public_key=FOREIGN_KEY
    ),
    "output.not_asked": psbt(
        [coin(PUBLIC_KEY, 100_000)], [(script_of(PAYEE), 60_000), (STRANGER, 39_000)]
    ),
    "payees.missing": psbt([coin(PUBLIC_KEY, 100_000)], [(OWN, 99_000)]),
    "change.count": psbt(
        [coin(PUBLIC_KEY, 100_000)], [(script_of(PAYEE), 60_000), (OWN, 20_000), (OWN, 19_000)]
    ),
    "amount.negative_fee": psbt(
        [coin(PUBLIC_KEY, 100_000)], [(script_of(PAYEE), 60_000), (OWN, 40_001)]
    ),
    "fee.absolute": psbt([coin(PUBLIC_KEY, 10**8)], [(script_of(PAYEE), 60_000)]),
    "fee.rate": psbt([coin(PUBLIC_KEY, 960_000)], [(script_of(PAYEE), 60_000)]),
}


@pytest.mark.parametrize("code", PSBT_MUTANTS)
def test_a_psbt_that_does_anything_else_is_refused(code: str) -> None:
    assert refusal(PSBT_MUTANTS[code]) == code


def test_more_coins_than_a_payment_needs_are_refused() -> None:
    amounts = [2_000] * 151
    many = [coin(PUBLIC_KEY, *amounts, vout=at) for at in range(151)]
    assert refusal(psbt(many, [(script_of(PAYEE), 60_000)])) == "tx.inputs"


def test_a_coin_of_nothing_is_refused() -> None:
    empty = [coin(PUBLIC_KEY, 100_000, 0), coin(PUBLIC_KEY, 100_000, 0, vout=1)]
    assert refusal(psbt(empty, [(script_of(PAYEE), 60_000), (OWN, 39_000)])) == "amount.range"


def test_an_output_of_nothing_is_refused() -> None:
    outputs = [(script_of(PAYEE), 60_000), (OWN, 0)]
    assert refusal(psbt([coin(PUBLIC_KEY, 61_000)], outputs)) == "amount.range"


def test_a_signature_that_is_not_by_the_paying_address_does_not_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payment = check_payment(evm_network(), PUBLIC_KEY, ETH_ASK, evm_payment(value_wei=10**18))
    sign = secp.sign_rsv
    monkeypatch.setattr(secp, "sign_rsv", lambda _, digest: sign(OTHER_SECRET, digest))
    with pytest.raises(Refused) as caught:
        sign_payment(OPENED, payment)
    assert caught.value.code == "signature.wrong"


def test_an_outpoint_that_comes_twice_is_refused() -> None:
    twice = psbt([coin(PUBLIC_KEY, 100_000)] * 2, [(script_of(PAYEE), 60_000), (OWN, 139_000)])
    assert refusal(twice) == "input.twice"


def test_an_amount_that_only_the_witness_field_claims_is_refused() -> None:
    """The fee trick of 2020: a smaller input amount hides the fee."""
    lie = edited(good(), lambda pairs: pairs.update({b"\x01": _smaller(pairs[b"\x01"])}))
    assert refusal(lie) == "input.unproven"


def _smaller(output: bytes) -> bytes:
    return (99_500).to_bytes(8, "little") + output[8:]


EVM_MUTANTS: dict[str, tuple[bytes, Ask]] = {
    "evm.chain_id": (evm_payment(value_wei=10**18, chain_id=1), ETH_ASK),
    "evm.data": (evm_payment(value_wei=10**18, data=b"\x01"), ETH_ASK),
    "evm.gas_limit": (evm_payment(value_wei=10**18, gas_limit=3_000_000), ETH_ASK),
    "evm.contract": (token_payment(2_500_000, contract=EVM_PAYEE), TOKEN_ASK),
    "evm.value": (evm_payment(to=DUSD.contract, value_wei=1), TOKEN_ASK),
    "evm.call": (evm_payment(to=DUSD.contract, data=bytes.fromhex("095ea7b3")), TOKEN_ASK),
    "evm.legacy": (b"\xc0", ETH_ASK),
    "evm.malformed": (b"\x02\xff", ETH_ASK),
    "payees.missing": (evm_payment(value_wei=10**18 + 1), ETH_ASK),
    "fee.absolute": (
        evm_payment(value_wei=10**18, gas_limit=100_000, max_fee_wei=10**12 + 1),
        ETH_ASK,
    ),
    "fee.rate": (evm_payment(value_wei=10**18, max_fee_wei=2001 * 10**9), ETH_ASK),
}


@pytest.mark.parametrize("code", EVM_MUTANTS)
def test_an_evm_transaction_that_does_anything_else_is_refused(code: str) -> None:
    payload, ask = EVM_MUTANTS[code]
    assert refusal(payload, ask, ETH) == code


@pytest.mark.parametrize("units", [2_499_999, 2_500_001])
def test_a_token_transfer_of_another_amount_is_refused(units: int) -> None:
    assert refusal(token_payment(units), TOKEN_ASK, ETH) == "payees.missing"


def test_a_token_transfer_to_somebody_else_is_refused() -> None:
    assert refusal(token_payment(2_500_000, to=DUSD.contract), TOKEN_ASK, ETH) == "payees.missing"


def test_a_fee_above_what_the_person_allows_is_refused() -> None:
    assert refusal(good(), dataclasses.replace(ASK, fee_units_max=999)) == "fee.asked"


def test_nothing_is_no_payment() -> None:
    assert refusal(good(), dataclasses.replace(ASK, units=0)) == "amount.range"


def test_an_asset_of_another_network_is_refused() -> None:
    assert refusal(good(), dataclasses.replace(ASK, asset="ETH")) == "hosted.network_unknown"


def test_another_key_does_not_sign_the_payment() -> None:
    payment = check_payment(hosted_network(BTC), PUBLIC_KEY, ASK, good())
    other = dataclasses.replace(a_key(), public_key=FOREIGN_KEY)
    with pytest.raises(Refused) as caught:
        sign_payment(OpenedHostedKey(other, OTHER_SECRET), payment)
    assert caught.value.code == "request.not_our_key"


def test_one_key_has_another_address_on_each_network() -> None:
    networks = (hosted_network(BTC), hosted_network(LTC), evm_network())
    starts = ("bcrt1q", "rltc1q", "0x")
    found = [address_of(network, PUBLIC_KEY) for network in networks]
    assert all(address.startswith(start) for address, start in zip(found, starts, strict=True))
