"""EVM accounts: public derivation gives the addresses that the private keys have."""

import pytest
from embit import bip32
from embit.networks import NETWORKS
from eth_account import Account
from eth_account.hdaccount import key_from_seed

from chains.errors import CodecError
from chains.evm.accounts import FixedAddress, KeyAccount, address_of_key
from chains.evm.addresses import checksum

SEED = bytes(range(64))
MASTER = bip32.HDKey.from_seed(SEED, version=NETWORKS["main"]["xprv"])


def origin(path: str) -> str:
    account = MASTER.derive(f"m/{path}").to_public().to_base58()
    return f"[{MASTER.my_fingerprint.hex()}/{path}]{account}"


def account_address(path: str) -> str:
    return str(Account.from_key(key_from_seed(SEED, path)).address)


def deposits(**changes: object) -> dict[str, object]:
    values: dict[str, object] = {
        "name": "ethereum-deposit",
        "network": "ethereum-31337",
        "kind": "keys",
        "key": origin("44h/60h/1h"),
    }
    return {**values, **changes}


def hot(**changes: object) -> dict[str, object]:
    values: dict[str, object] = {
        "name": "ethereum-hot",
        "network": "ethereum-31337",
        "kind": "address",
        "key": origin("44h/60h/0h"),
        "address": account_address("m/44'/60'/0'/0/0"),
    }
    return {**values, **changes}


@pytest.mark.parametrize("index", [0, 1, 7, 1000])
def test_addresses_are_those_of_eth_account(index: int) -> None:
    account = KeyAccount.load(deposits())

    assert account_address(f"m/44'/60'/1'/0/{index}") == account.address_text(index)
    assert account.address_at(index) == address_of_key(account.public_key_at(index))


@pytest.mark.parametrize("index", [-1, 2**31])
def test_indexes_out_of_range_are_refused(index: int) -> None:
    with pytest.raises(CodecError):
        KeyAccount.load(deposits()).address_at(index)


def test_the_hot_address_is_its_keys_own() -> None:
    account = FixedAddress.load(hot())

    assert account_address("m/44'/60'/0'/0/0") == account.address_text(0)
    with pytest.raises(CodecError):
        account.address_at(1)
    with pytest.raises(CodecError):
        FixedAddress.load(hot(address=account_address("m/44'/60'/0'/0/1")))


@pytest.mark.parametrize(
    "values",
    [
        deposits(colour="red"),
        deposits(key=5),
        deposits(key="xpub"),
        {"name": "x"},
    ],
)
def test_vault_files_are_strict(values: dict[str, object]) -> None:
    with pytest.raises(CodecError):
        KeyAccount.load(values)


def test_bytes_that_are_no_key_are_refused() -> None:
    with pytest.raises(CodecError):
        address_of_key(b"\x02" + b"\xff" * 32)


def test_checksum_form_is_the_only_text() -> None:
    with pytest.raises(CodecError):
        FixedAddress.load(hot(address=checksum(FixedAddress.load(hot()).address).lower()))
