"""What owners of EVM accounts sign (EIP-712), and who signed.

    domain = EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)
             "Proof of reserves", "1", the chain's id, the account that is claimed
    struct = Reserves(bytes32 statement,uint256 height,bytes32 blockHash)

A plain account signs that digest. For a Safe it is the message of which the Safe is asked (EIP-1271
`isValidSignature`): its owners sign `SafeMessage(bytes message)` over it in the Safe's own domain.
No type here moves anything: both are readable as what they are by every wallet.
"""

from itertools import pairwise

from .curve import recover, uncompressed
from .failures import Failed
from .hashes import keccak256
from .statement import AccountClaim, Network

DOMAIN = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
RESERVES = b"Reserves(bytes32 statement,uint256 height,bytes32 blockHash)"
SAFE_DOMAIN = b"EIP712Domain(uint256 chainId,address verifyingContract)"
SAFE_MESSAGE = b"SafeMessage(bytes message)"
NAME, VERSION = b"Proof of reserves", b"1"
SIGNATURE_BYTES = 65


def account_digest(statement: bytes, network: Network, account: bytes) -> bytes:
    """The 32 bytes that an account signs about itself."""
    names = keccak256(DOMAIN) + keccak256(NAME) + keccak256(VERSION)
    domain = keccak256(names + _word(network.chain_id or 0) + account.rjust(32, b"\x00"))
    told = statement + _word(network.height) + network.block_hash
    return keccak256(b"\x19\x01" + domain + keccak256(keccak256(RESERVES) + told))


def safe_digest(message: bytes, chain_id: int, safe: bytes) -> bytes:
    """The 32 bytes that a Safe's owners sign for `message`, itself 32 bytes."""
    domain = keccak256(keccak256(SAFE_DOMAIN) + _word(chain_id) + safe.rjust(32, b"\x00"))
    struct = keccak256(keccak256(SAFE_MESSAGE) + keccak256(message))
    return keccak256(b"\x19\x01" + domain + struct)


def check_account(
    statement: bytes, network: Network, claim: AccountClaim, signature: bytes
) -> None:
    """Raise Failed (account.signature) unless the account itself signed."""
    if _signer(account_digest(statement, network, claim.address), signature) != claim.address:
        raise Failed("account.signature", f"0x{claim.address.hex()} did not sign this statement")


def check_safe(statement: bytes, network: Network, claim: AccountClaim, packed: bytes) -> None:
    """Raise Failed (safe.*) unless enough of the claimed owners signed, in ascending order.

    That these are the Safe's owners only the chain knows: with a node it is asked.
    """
    message = account_digest(statement, network, claim.address)
    digest = safe_digest(message, network.chain_id or 0, claim.address)
    if len(packed) != SIGNATURE_BYTES * claim.threshold:
        count = len(packed) // SIGNATURE_BYTES
        raise Failed("safe.threshold", f"got {count} signatures, expected {claim.threshold}")
    starts = range(0, len(packed), SIGNATURE_BYTES)
    signers = [_signer(digest, packed[at : at + SIGNATURE_BYTES]) for at in starts]
    if any(signer not in claim.owners for signer in signers):
        raise Failed("safe.signature", f"an owner of 0x{claim.address.hex()} did not sign")
    if any(left >= right for left, right in pairwise(signers)):
        raise Failed("safe.order", "got an owner twice or out of order")


def address_of(point: tuple[int, int]) -> bytes:
    """The 20 bytes of an account by its key."""
    return keccak256(uncompressed(point))[12:]


def _signer(digest: bytes, signature: bytes) -> bytes:
    point = recover(digest, signature)
    return b"" if point is None else address_of(point)


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")
