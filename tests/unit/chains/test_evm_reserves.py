"""Typed data about an account of ours: the digests that others would compute."""

from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from chains.evm.addresses import checksum
from chains.evm.reserves import SAFE_MESSAGE_TYPEHASH, TYPES, AccountProof
from wallet.reserves.verifier.ethereum import account_digest, safe_digest
from wallet.reserves.verifier.statement import Network

ONE = AccountProof(
    chain_id=31337, account=bytes([9] * 20), statement=b"s" * 32, height=70, block_hash=b"b" * 32
)
NETWORK = Network("ethereum-31337", 70, b"b" * 32, 31337)


def hash_of(document: dict[str, object]) -> bytes:
    signable = encode_typed_data(full_message=document)
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def document(
    types: dict[str, list[dict[str, str]]], primary: str, domain: object, message: object
) -> dict[str, object]:
    return {"types": types, "primaryType": primary, "domain": domain, "message": message}


def test_an_accounts_digest_is_that_of_another_library() -> None:
    types = {n: [{"name": f, "type": t} for f, t in fields] for n, fields in TYPES.items()}
    told = document(types, "Reserves", ONE.typed_data.domain, ONE.typed_data.message)
    assert hash_of(told) == ONE.digest == account_digest(b"s" * 32, NETWORK, ONE.account)


def test_a_safes_digest_is_that_of_another_library() -> None:
    types = {
        "EIP712Domain": [
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
        "SafeMessage": [{"name": "message", "type": "bytes"}],
    }
    domain = {"chainId": 31337, "verifyingContract": checksum(ONE.account)}
    told = document(types, "SafeMessage", domain, {"message": ONE.digest})
    assert hash_of(told) == ONE.safe_digest == safe_digest(ONE.digest, 31337, ONE.account)
    assert SAFE_MESSAGE_TYPEHASH == keccak(b"SafeMessage(bytes message)")
