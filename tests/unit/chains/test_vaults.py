"""Vault files."""

import pytest
from embit import base58

from chains.errors import CodecError
from chains.utxo.descriptors import DescriptorVault, Template
from chains.utxo.params import params_from
from chains.utxo.wallet_policies import descriptor_of, policy_of
from chains.vaults import custodians_of, load_vault
from tests.utxo_world import DOGECOIN, vault

WSH = vault(Template.WSH_MULTI)
FILE: dict[str, object] = {
    "name": "hot",
    "network": "bitcoin-regtest",
    "kind": "descriptor",
    "descriptor": WSH.text,
}


def test_descriptor_file() -> None:
    assert WSH == load_vault(FILE)


def test_file_of_a_configured_chain() -> None:
    params = params_from(DOGECOIN)
    one = vault(Template.SH_MULTI, params=params)
    found = load_vault(
        {**FILE, "network": "dogecoin", "descriptor": one.text}, {"dogecoin": params}
    )

    assert isinstance(found, DescriptorVault)
    assert one == found


def policy_file(**changes: object) -> dict[str, object]:
    template, keys = policy_of(WSH)
    fields = {key: FILE[key] for key in ("name", "network")}
    return {**fields, "kind": "policy", "template": template, "keys": list(keys), **changes}


@pytest.mark.parametrize("template", list(Template))
def test_a_policy_file_is_the_same_vault(template: Template) -> None:
    one = vault(template)
    text, keys = policy_of(one)

    assert one == load_vault(policy_file(template=text, keys=list(keys)))
    assert one.text == descriptor_of(text, keys)


def test_a_policy_is_written_as_in_bip388() -> None:
    assert "wsh(sortedmulti(2,@0/**,@1/**,@2/**))" == policy_of(WSH)[0]
    assert "tr(@0/**)" == policy_of(vault(Template.TR))[0]
    assert "sh(wsh(sortedmulti(2,@0/**,@1/**,@2/**)))" == policy_of(vault(Template.SH_WSH_MULTI))[0]


def test_two_stars_and_two_branches_are_one_policy() -> None:
    spelt = "wsh(sortedmulti(2,@0/<0;1>/*,@1/**,@2/<0;1>/*))"

    assert WSH == load_vault(policy_file(template=spelt))


def _code(values: dict[str, object]) -> str:
    with pytest.raises(CodecError) as caught:
        load_vault(values)
    return caught.value.code


KEYS = list(policy_of(WSH)[1])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"template": "wsh(sortedmulti(2,@1/**,@0/**,@2/**))"}, "wallet_policy.placeholders"),
        ({"template": "wsh(sortedmulti(2,@0/**,@0/**,@2/**))"}, "wallet_policy.placeholders"),
        ({"template": "wsh(sortedmulti(2,@0/**,@1/**,@3/**))"}, "wallet_policy.placeholders"),
        ({"template": "wsh(sortedmulti(2,@0/**,@1/**))"}, "wallet_policy.placeholders"),
        ({"template": "wsh(sortedmulti(2,@00/**,@1/**,@2/**))"}, "wallet_policy.placeholders"),
        ({"template": "wsh(sortedmulti(2,@0/**,@1/**,@2))"}, "wallet_policy.placeholders"),
        ({"template": "wsh(sortedmulti(2,@0/**,@1/**,@2/**,@))"}, "wallet_policy.invalid"),
        ({"template": "wsh(sortedmulti(2,@0/**,@1/**,@2/**,[))"}, "wallet_policy.invalid"),
        (
            {"template": "wsh(sortedmulti(2,@0/**,@1/**,@2/**))" + " " * 300},
            "wallet_policy.invalid",
        ),
        ({"template": "wsh(multi(2,@0/**,@1/**,@2/**))"}, "descriptor.invalid"),
        ({"template": "wsh(sortedmulti(2,@0/<0;2>/*,@1/**,@2/**))"}, "wallet_policy.placeholders"),
        ({"keys": KEYS[:2]}, "wallet_policy.placeholders"),
        ({"keys": KEYS * 6}, "wallet_policy.invalid"),
        ({"keys": [KEYS[0], KEYS[1], KEYS[0]]}, "descriptor.duplicate_key"),
        ({"keys": [KEYS[0], KEYS[1], KEYS[2][10:]]}, "key.invalid"),
        ({"keys": "x"}, "vault.invalid"),
        ({"keys": [1, 2, 3]}, "vault.invalid"),
        ({"network": "litecoin"}, "descriptor.wrong_coin"),
    ],
)
def test_other_policies_are_refused(changes: dict[str, object], code: str) -> None:
    assert code == _code(policy_file(**changes))


_BIP388_KEYS = {
    "pkh(@0/**)": [
        (
            "[6738736c/44'/0'/0']xpub6Br37sWxruYfT8ASpCjVHKGwgdnYFEn98DwiN76i2oyY6fgH1LAPmmDcF46xjxJr22gw4"
            "jmVjTE2E3URMnRPEPYyo1zoPSUba563ESMXCeb"
        ),
    ],
    "sh(wpkh(@0/**))": [
        (
            "[6738736c/49'/0'/1']xpub6Bex1CHWGXNNwGVKHLqNC7kcV348FxkCxpZXyCWp1k27kin8sRPayjZUKDjyQeZzGUdye"
            "Aj2emoW5zStFFUAHRgd5w8iVVbLgZ7PmjAKAm9"
        ),
    ],
    "wpkh(@0/**)": [
        (
            "[6738736c/84'/0'/2']xpub6CRQzb8u9dmMcq5XAwwRn9gcoYCjndJkhKgD11WKzbVGd932UmrExWFxCAvRnDN3ez6Zu"
            "jLmMvmLBaSWdfWVn75L83Qxu1qSX4fJNrJg2Gt"
        ),
    ],
    "tr(@0/**)": [
        (
            "[6738736c/86'/0'/0']xpub6CryUDWPS28eR2cDyojB8G354izmx294BdjeSvH469Ty3o2E6Tq5VjBJCn8rWBgesvTJn"
            "yXNAJ3QpLFGuNwqFXNt3gn612raffLWfdHNkYL"
        ),
    ],
    "wsh(sortedmulti(2,@0/**,@1/**))": [
        (
            "[6738736c/48'/0'/0'/2']xpub6FC1fXFP1GXLX5TKtcjHGT4q89SDRehkQLtbKJ2PzWcvbBHtyDsJPLtpLtkGqYNYZd"
            "VVAjRQ5kug9CsapegmmeRutpP7PW4u4wVF9JfkDhw"
        ),
        (
            "[b2b1f0cf/48'/0'/0'/2']xpub6EWhjpPa6FqrcaPBuGBZRJVjzGJ1ZsMygRF26RwN932Vfkn1gyCiTbECVitBjRCkex"
            "EvetLdiqzTcYimmzYxyR1BZ79KNevgt61PDcukmC7"
        ),
    ],
}
"""The valid policies of BIP-388 that our vaults have."""


@pytest.mark.parametrize("template", list(_BIP388_KEYS))
def test_published_policies_are_vaults_and_back(template: str) -> None:
    keys = _BIP388_KEYS[template]
    found = load_vault(policy_file(network="bitcoin", template=template, keys=keys))

    assert isinstance(found, DescriptorVault)
    plain = template
    for index, key in enumerate(keys):
        plain = plain.replace(f"@{index}/**", key.replace("'", "h") + "/<0;1>/*")
    assert plain == found.text.partition("#")[0]
    assert (template, tuple(key.replace("'", "h") for key in keys)) == policy_of(found)


_BIP388_XPUB = (
    "xpub6AHA9hZDN11k2ijHMeS5QqHx2KP9aMBRhTDqANMnwVtdyw2TDYRmF8PjpvwUFcL1Et8Hj59S3gTSMcUQ5gAqTz3Wd8E"
    "sMTmF3DChhqPQBnU"
)


@pytest.mark.parametrize(
    "template",
    [
        "pkh(@0)",
        "pkh(@0/0/**)",
        "sh(multi(1,@1/**,@0/**))",
        "sh(multi(1,@0/**,@2/**))",
        "sh(multi(1,@0/**,@0/**))",
        "sh(multi(1,@0/<0;1>/*,@0/<1;2>/*))",
        f"sh(multi(1,@0/**,{_BIP388_XPUB}/<0;1>/*))",
        f"sh(sortedmulti(1,@0/**,{_BIP388_XPUB}/<0;1>/*))",
        "pkh(@0/<0;1;2>/*)",
        "tr(musig(@0/**,@1/**))",
        "wsh(or_d(pk(@0/**),and_v(v:pk(@1/**),older(65535))))",
        "tr(@0/**,pk(@1/**))",
    ],
)
def test_published_invalid_policies_and_those_beyond_our_vaults_are_refused(template: str) -> None:
    for count in range(4):
        _code(policy_file(template=template, keys=KEYS[:count]))


def test_slip132_keys_become_plain_ones() -> None:
    """A Vpub (wsh) in the key vector is the tpub that it stands for."""
    plain = KEYS[0].partition("]")
    raw = bytes.fromhex("02575483") + base58.decode_check(plain[2])[4:]
    vpub = plain[0] + "]" + str(base58.encode_check(raw))

    found = load_vault(policy_file(keys=[vpub, *KEYS[1:]]))

    assert isinstance(found, DescriptorVault)
    assert (WSH.text, WSH.keys[0].text) == (found.text, found.keys[0].text)


def test_custodians_are_one_for_each_key() -> None:
    names = ["Alice", "Bob", "Carol"]
    values = {**FILE, "custodians": names}

    assert tuple(names) == custodians_of(values, load_vault(values))
    assert () == custodians_of(FILE, load_vault(FILE))


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["Alice", "Bob"], "vault.custodians"),
        (["Alice", "Bob", "Carol", "Dave"], "vault.custodians"),
        ("Alice", "vault.custodians"),
        (["Alice", "Bob", ""], "vault.custodians"),
        (["Alice", "Bob", "  "], "vault.custodians"),
        (["Alice", "Bob", 3], "vault.custodians"),
        (["Alice", "Bob", "a\x1b[2J"], "vault.custodians"),
        (["Alice", "Bob", "x" * 65], "vault.custodians"),
        (["Alice", "Bob", "Alice"], "vault.duplicate_custodian"),
        (["Alice", "Bob", " alice "], "vault.duplicate_custodian"),
        (["Alice B", "Bob", "\uff21lice  b"], "vault.duplicate_custodian"),
    ],
)
def test_custodians_that_are_fewer_than_keys_are_refused(names: object, code: str) -> None:
    assert code == _code({**FILE, "custodians": names})


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "paper"},
        {"kind": None},
        {"network": "dogecoin"},
        {"network": "litecoin"},
        {"colour": "red"},
        {"descriptor": 7},
        {"descriptor": WSH.text[:-1]},
    ],
)
def test_other_files_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(CodecError):
        load_vault({**FILE, **change})
