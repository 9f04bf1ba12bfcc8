"""Vaults as descriptors: checksums, every template against embit, and every refusal."""

from dataclasses import replace

import pytest
from embit import base58
from embit.descriptor import Descriptor
from embit.networks import NETWORKS
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import CodecError
from chains.hd import INDEX_MAX
from chains.utxo import addresses
from chains.utxo.descriptors import (
    CHANGE,
    RECEIVE,
    DescriptorChecksum,
    DescriptorError,
    DescriptorVault,
    DuplicateKey,
    Template,
    WrongCoin,
    checksum,
    multisig_descriptor,
    with_checksum,
)
from chains.utxo.params import BUILTIN, params_from
from tests.utxo_world import DOGECOIN, REGTEST, TestKey, vault


def test_bip380_checksum() -> None:
    assert "89f8spxm" == checksum("raw(deadbeef)")


@pytest.mark.parametrize("template", list(Template))
def test_canonical_text_round_trips(template: Template) -> None:
    one = vault(template)

    assert one == DescriptorVault.parse("hot", REGTEST, one.text)
    assert with_checksum(one.text[:-9]) == one.text


@settings(max_examples=10)
@pytest.mark.parametrize("template", list(Template))
@given(branch=st.sampled_from([RECEIVE, CHANGE]), index=st.integers(0, INDEX_MAX))
def test_every_script_is_embits(template: Template, branch: int, index: int) -> None:
    one = vault(template)
    theirs = Descriptor.from_string(one.text).derive(index, branch_index=branch)
    script = one.script_at(branch, index)

    assert (
        theirs.script_pubkey().data == script.script_pubkey == one.script_pubkey_at(branch, index)
    )
    assert theirs.address(NETWORKS["regtest"]) == one.address_at(REGTEST, branch, index)
    redeem, witness = theirs.redeem_script(), theirs.witness_script()
    assert (redeem.data if redeem else b"") == script.redeem_script
    assert (witness.data if witness else b"") == script.witness_script
    size = 32 if one.is_taproot else 33
    assert {key.sec()[-size:] for key in theirs.keys} == {key.public_key for key in script.keys}
    assert all((branch, index) == key.path[-2:] for key in script.keys)


def test_key_order_does_not_matter_to_scripts() -> None:
    assert vault(Template.WSH_MULTI, (1, 2, 3)).script_pubkey_at(0, 0) == vault(
        Template.WSH_MULTI, (3, 1, 2)
    ).script_pubkey_at(0, 0)


def test_litecoin_vault_pays_to_litecoin_addresses() -> None:
    params = BUILTIN["litecoin"]
    one = vault(Template.WSH_MULTI, params=params)
    address = one.address_at(params, RECEIVE, 0)

    assert address.startswith("ltc1q")
    assert one.script_pubkey_at(0, 0) == addresses.parse(params, address).target


def test_addresses_need_the_vaults_own_network() -> None:
    with pytest.raises(WrongCoin):
        vault(Template.WSH_MULTI).address_at(BUILTIN["litecoin-regtest"], RECEIVE, 0)


def _body(*numbers: int, threshold: int = 2) -> str:
    keys = [TestKey.of(number).origin(REGTEST, "48h/1h/0h/2h") for number in numbers]
    return multisig_descriptor(Template.WSH_MULTI, threshold, keys)[:-9]


GOOD = _body(1, 2, 3)


def _refused(text: str) -> str:
    with pytest.raises(CodecError) as caught:
        DescriptorVault.parse("hot", REGTEST, text)
    return caught.value.code


def test_checksum_is_mandatory() -> None:
    assert DescriptorChecksum.code == _refused(GOOD)


@given(st.integers(0, 400), st.sampled_from("0123456789abcdefh/<>*()[],"))
def test_any_changed_character_is_noticed(at: int, char: str) -> None:
    good = with_checksum(GOOD)
    at %= len(good) - 1
    changed = good[:at] + char + good[at + 1 :]
    if changed != good:
        _refused(changed)


def test_same_key_twice_is_refused() -> None:
    assert DuplicateKey.code == _refused(with_checksum(_body(1, 2, 1)))


def test_same_key_under_another_origin_is_refused() -> None:
    twin = _body(1, 1, 3)
    second = twin.index("[", twin.index(",[") + 2)
    text = twin[:second] + "[ffffffff" + twin[second + 9 :]

    assert DuplicateKey.code == _refused(with_checksum(text))


def test_key_of_another_network_is_refused() -> None:
    key = TestKey.of(9).origin(BUILTIN["bitcoin"], "48h/1h/0h/2h")

    assert WrongCoin.code == _refused(with_checksum(f"wpkh({key.text}/<0;1>/*)"))


def test_key_of_another_coin_is_refused() -> None:
    key = TestKey.of(9).origin(REGTEST, "48h/2h/0h/2h")

    assert WrongCoin.code == _refused(with_checksum(f"wpkh({key.text}/<0;1>/*)"))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "raw(deadbeef)",
        "tr" + GOOD[3:],
        "multi" + GOOD,
        GOOD.replace("sortedmulti", "multi"),
        GOOD.replace("sortedmulti(2", "sortedmulti(0"),
        GOOD.replace("sortedmulti(2", "sortedmulti(4"),
        GOOD.replace("sortedmulti(2", "sortedmulti(02"),
        GOOD.replace("<0;1>", "<0;2>"),
        GOOD.replace("<0;1>", "<1;0>"),
        GOOD.replace("<0;1>", "0"),
        GOOD.replace("/*", "/*h"),
        GOOD.replace("/*", ""),
        GOOD + ")",
        GOOD[:-1],
        GOOD.replace("]t", "]x"),
        "wpkh(" + "[" * 10 + ")",
        "wpkh(é)",
        "wpkh(" + "1" * 5000 + ")",
    ],
)
def test_other_descriptors_are_refused(body: str) -> None:
    try:
        text = with_checksum(body)
    except DescriptorError:
        text = body + "#aaaaaaaa"

    _refused(text)


def test_threshold_and_number_of_keys_are_bounded() -> None:
    many = range(1, 17)

    assert DescriptorError.code == _refused(with_checksum(_body(*many)))
    assert 15 == len(
        DescriptorVault.parse("hot", REGTEST, with_checksum(_body(*range(1, 16)))).keys
    )


def test_key_made_for_another_script_is_refused() -> None:
    key = TestKey.of(9).origin(REGTEST, "84h/1h/0h")
    raw = key.text.replace(key.key.text, _slip132(key.key.text))

    assert DescriptorError.code == _refused(with_checksum(f"pkh({raw}/<0;1>/*)"))
    assert DescriptorVault.parse("hot", REGTEST, with_checksum(f"wpkh({raw}/<0;1>/*)")).keys


def _slip132(text: str) -> str:
    return str(base58.encode_check(bytes.fromhex("045f1cf6") + base58.decode_check(text)[4:]))


def test_segwit_vault_on_a_chain_without_segwit_is_refused() -> None:
    params = params_from({**DOGECOIN, "id": "dogecoin"})
    with pytest.raises(DescriptorError):
        vault(Template.WSH_MULTI, params=params)

    assert vault(Template.SH_MULTI, params=params).address_at(params, 0, 0)[0] in "9A"


def test_two_stars_mean_both_branches() -> None:
    short = with_checksum(GOOD.replace("/<0;1>/*", "/**"))

    assert DescriptorVault.parse("hot", REGTEST, with_checksum(GOOD)) == DescriptorVault.parse(
        "hot", REGTEST, short
    )


BIP86_XPUB = (
    "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdD"
    "EHGCtMMj92pReUsQ"
)


def test_bip86_vectors() -> None:
    """The published account, its first two receive addresses and its first change address."""
    params = BUILTIN["bitcoin"]
    text = with_checksum(f"tr([73c5da0a/86'/0'/0']{BIP86_XPUB}/<0;1>/*)")
    one = DescriptorVault.parse("hot", params, text)

    assert "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr" == one.address_at(
        params, RECEIVE, 0
    )
    assert "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh" == one.address_at(
        params, RECEIVE, 1
    )
    assert "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7" == one.address_at(
        params, CHANGE, 0
    )
    internal = "cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115"
    assert internal == one.script_at(RECEIVE, 0).internal_key.hex()


def test_taproot_vault_on_a_chain_without_taproot_is_refused() -> None:
    with pytest.raises(DescriptorError):
        vault(Template.TR, params=replace(REGTEST, taproot=False))


@pytest.mark.parametrize(("branch", "index"), [(2, 0), (-1, 0), (0, -1), (0, INDEX_MAX + 1)])
def test_only_two_branches_of_plain_indexes(branch: int, index: int) -> None:
    one = vault(Template.WSH_MULTI)
    with pytest.raises(CodecError):
        one.script_at(branch, index)
    with pytest.raises(CodecError):
        one.script_pubkey_at(branch, index)
