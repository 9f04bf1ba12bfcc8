"""Safe: hashes against eth-account's EIP-712, calldata against eth-abi, vault files."""

import pytest
from embit import bip32
from embit.networks import NETWORKS
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import CodecError
from chains.evm import erc20, safe
from chains.evm.addresses import checksum
from chains.evm.hashing import keccak256
from chains.evm.safe import SafeTx, SafeVault
from chains.evm.safe_signatures import pack_signatures, recover_owners

SAFE = b"\x5a" * 20
HOT = b"\x07" * 20
CALL_TYPES = (
    ["address", "uint256", "bytes", "uint8"] + ["uint256"] * 3 + ["address"] * 2 + ["bytes"]
)

addresses = st.binary(min_size=20, max_size=20)
numbers = st.integers(0, 2**256 - 1)
safe_txs = st.builds(
    SafeTx,
    chain_id=st.integers(1, 2**60),
    safe=addresses,
    to=addresses,
    value_wei=numbers,
    data=st.binary(max_size=200),
    operation=st.integers(0, 1),
    safe_tx_gas=numbers,
    base_gas=numbers,
    gas_price_wei=numbers,
    gas_token=addresses,
    refund_receiver=addresses,
    nonce=numbers,
)


def typed_data(tx: SafeTx) -> dict[str, object]:
    names = [
        ("to", "address"),
        ("value", "uint256"),
        ("data", "bytes"),
        ("operation", "uint8"),
        ("safeTxGas", "uint256"),
        ("baseGas", "uint256"),
        ("gasPrice", "uint256"),
        ("gasToken", "address"),
        ("refundReceiver", "address"),
        ("nonce", "uint256"),
    ]
    values = [
        checksum(tx.to),
        tx.value_wei,
        tx.data,
        tx.operation,
        tx.safe_tx_gas,
        tx.base_gas,
        tx.gas_price_wei,
        checksum(tx.gas_token),
        checksum(tx.refund_receiver),
        tx.nonce,
    ]
    domain = [("chainId", "uint256"), ("verifyingContract", "address")]
    return {
        "types": {
            "EIP712Domain": [{"name": n, "type": t} for n, t in domain],
            "SafeTx": [{"name": n, "type": t} for n, t in names],
        },
        "primaryType": "SafeTx",
        "domain": {"chainId": tx.chain_id, "verifyingContract": checksum(tx.safe)},
        "message": {n: v for (n, _), v in zip(names, values, strict=True)},
    }


@settings(max_examples=50)
@given(safe_txs)
def test_hash_is_that_of_eth_account(tx: SafeTx) -> None:
    message = encode_typed_data(full_message=typed_data(tx))

    assert message.header == tx.domain_hash
    assert message.body == tx.message_hash
    assert keccak256(b"\x19\x01" + message.header + message.body) == tx.safe_tx_hash


@given(safe_txs)
def test_payload_is_the_abi_encoding_and_comes_back(tx: SafeTx) -> None:
    types = ["uint256", "address", *CALL_TYPES[:-1], "uint256"]
    values = [tx.chain_id, tx.safe, tx.to, tx.value_wei, tx.data, tx.operation, tx.safe_tx_gas]
    values += [tx.base_gas, tx.gas_price_wei, tx.gas_token, tx.refund_receiver, tx.nonce]

    assert encode(types, values) == tx.encode()
    assert tx == SafeTx.decode(tx.encode())


@given(safe_txs, st.binary(max_size=200))
def test_execution_calldata_is_the_abi_encoding_and_comes_back(tx: SafeTx, packed: bytes) -> None:
    values = [tx.to, tx.value_wei, tx.data, tx.operation, tx.safe_tx_gas, tx.base_gas]
    values += [tx.gas_price_wei, tx.gas_token, tx.refund_receiver, packed]
    calldata = tx.execution_calldata(packed)

    assert safe.EXEC_TRANSACTION + encode(CALL_TYPES, values) == calldata
    assert (tx, packed) == SafeTx.decode_execution(
        calldata, chain_id=tx.chain_id, safe=tx.safe, nonce=tx.nonce
    )


def test_selector_and_typehashes_are_what_they_name() -> None:
    signature = b"execTransaction(" + ",".join(CALL_TYPES).encode() + b")"
    safe_tx = b"SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,"
    safe_tx += b"uint256 baseGas,uint256 gasPrice,address gasToken,address refundReceiver,"
    safe_tx += b"uint256 nonce)"

    assert keccak256(signature)[:4] == safe.EXEC_TRANSACTION
    assert keccak256(safe_tx) == safe.SAFE_TX_TYPEHASH
    assert (
        keccak256(b"EIP712Domain(uint256 chainId,address verifyingContract)")
        == safe.DOMAIN_TYPEHASH
    )


def a_safe_tx(**changes: object) -> SafeTx:
    fields: dict[str, object] = {
        "chain_id": 31337,
        "safe": SAFE,
        "to": HOT,
        "value_wei": 10**18,
        "nonce": 3,
        "data": erc20.transfer_calldata(HOT, 5),
    }
    return SafeTx(**{**fields, **changes})  # type: ignore[arg-type]


def test_other_encodings_are_refused() -> None:
    payload = a_safe_tx().encode()
    moved = payload[: 4 * 32] + (13 * 32).to_bytes(32, "big") + payload[5 * 32 :]
    for bad in (
        payload + bytes(32),
        payload[:-1],
        payload[:-1] + b"\x01",  # dirty padding behind the data
        moved,
        b"\x01" + payload[1:][:31] + b"\xff" * 12 + payload[44:],
        bytes(safe.PAYLOAD_BYTES_MAX + 1),
        b"",
    ):
        with pytest.raises(CodecError):
            SafeTx.decode(bad)


def test_fields_out_of_range_are_refused() -> None:
    for bad in ({"operation": 256}, {"nonce": 2**256}, {"value_wei": -1}, {"to": b"\x01" * 19}):
        with pytest.raises(CodecError):
            a_safe_tx(**bad)


KEYS = ["0x" + bytes([n] * 32).hex() for n in (1, 2, 3)]


def signed(digest: bytes, key: str) -> bytes:
    return bytes(Account.unsafe_sign_hash(digest, key).signature)


def test_signatures_are_packed_by_owner_ascending() -> None:
    digest = a_safe_tx().safe_tx_hash
    owners = sorted(bytes.fromhex(Account.from_key(key).address[2:]) for key in KEYS)

    packed = pack_signatures(digest, [signed(digest, key) for key in KEYS])

    assert tuple(owners) == recover_owners(digest, packed)
    assert packed == pack_signatures(digest, [signed(digest, key) for key in reversed(KEYS)])
    assert owners != list(recover_owners(a_safe_tx(nonce=4).safe_tx_hash, packed[:65]))


def test_signature_lists_are_strict() -> None:
    digest = a_safe_tx().safe_tx_hash
    packed = pack_signatures(digest, [signed(digest, key) for key in KEYS])

    with pytest.raises(CodecError):
        pack_signatures(digest, [signed(digest, KEYS[0])] * 2)
    for bad in (
        b"",
        packed[:-1],
        packed[65:130] + packed[:65],
        packed[:65] + packed[:65],
        packed[:64] + b"\x1f",  # eth_sign
        packed[:64] + b"\x00",  # contract signature
        packed[:64] + b"\x01",  # approved hash
        packed * 20,
    ):
        with pytest.raises(CodecError):
            recover_owners(digest, bad)


def keyholder(number: int) -> tuple[str, str]:
    master = bip32.HDKey.from_seed(bytes([number]) * 32, version=NETWORKS["main"]["xprv"])
    account = master.derive("m/44h/60h/0h")
    key = account.derive([0, 0]).key.secret
    origin = f"[{master.my_fingerprint.hex()}/44h/60h/0h]{account.to_public().to_base58()}"
    return origin, str(Account.from_key(key).address)


PEOPLE = [keyholder(number) for number in (1, 2, 3)]


def vault_file(**changes: object) -> dict[str, object]:
    values: dict[str, object] = {
        "name": "ethereum-cold",
        "network": "ethereum",
        "kind": "safe",
        "address": checksum(SAFE),
        "chain_id": 1,
        "version": "1.4.1",
        "owners": [address for _, address in PEOPLE],
        "threshold": 2,
        "singleton": "0x41675C099F32341bf84BFc5382aF534df5C7461a",
        "keys": [origin for origin, _ in PEOPLE],
    }
    return {**values, **changes}


def test_a_vault_file_is_read() -> None:
    vault = SafeVault.load(vault_file())

    assert SAFE == vault.address_at(0)
    assert checksum(SAFE) == vault.address_text(0)
    assert vault.owners == tuple(vault.owner_of(key) for key in vault.keys)
    with pytest.raises(CodecError):
        vault.address_at(1)


def test_a_development_chain_may_deploy_its_own_singleton() -> None:
    values = vault_file(network="ethereum-31337", chain_id=31337, singleton=checksum(HOT))

    assert HOT == SafeVault.load(values).singleton


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "1.2.0"},
        {"version": "1.1.1"},
        {"singleton": checksum(HOT)},
        {"singleton": "0xd9Db270c1B5E3Bd161E8c8503c55cEABeE709552"},  # of 1.3.0
        {"network": "other", "singleton": checksum(HOT)},
        {"chain_id": 5},
        {"chain_id": True},
        {"threshold": 1},
        {"threshold": 4},
        {"owners": [PEOPLE[0][1], PEOPLE[0][1], PEOPLE[1][1]]},
        {"owners": [PEOPLE[0][1], PEOPLE[1][1]]},
        {"owners": [address for _, address in PEOPLE] + [checksum(SAFE)]},
        {"owners": "all"},
        {"keys": [PEOPLE[0][0], PEOPLE[0][0]]},
        {"address": checksum(SAFE).lower()},
        {"colour": "red"},
    ],
)
def test_what_is_not_pinned_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(CodecError):
        SafeVault.load(vault_file(**changes))
