"""Owners' signatures as a Safe reads them: packed, ordered by owner, plain ECDSA only.

Other forms (contract signatures, approved hashes, eth_sign) need state that an offline machine does
not have, or cover something else than the hash: each is refused with its own code.
"""

from collections.abc import Sequence
from itertools import pairwise

from chains.errors import CodecError
from chains.evm.safe import OWNERS_MAX
from chains.evm.transactions import recover, split_signature

SIGNATURE_BYTES = 65
"""r || s || v."""


class BadOwnerSignature(CodecError):
    """A signature that no owner can have made, or of another length."""

    code = "safe.signature_invalid"


class ContractSignature(CodecError):
    """v = 0: an EIP-1271 contract would be asked, which nobody offline can."""

    code = "safe.contract_signature"


class ApprovedHash(CodecError):
    """v = 1: the chain is said to hold the approval."""

    code = "safe.approved_hash"


class EthSignSignature(CodecError):
    """v > 30: the owner signed a message that looks like the hash, not the typed data."""

    code = "safe.eth_sign"


class UnorderedSignatures(CodecError):
    """Owners that do not ascend: one of them may count twice."""

    code = "safe.signature_order"


def pack_signatures(digest: bytes, signatures: Sequence[bytes]) -> bytes:
    """Owners' signatures of `digest` in the order the contract wants: by owner, ascending.

    Raises CodecError when two are by the same owner.
    """
    by_owner: dict[bytes, bytes] = {}
    for signature in signatures:
        owner = recover(digest, signature)
        if owner in by_owner:
            raise CodecError("got two signatures by one owner")
        _, _, parity = split_signature(signature)
        by_owner[owner] = signature[:64] + bytes([27 + parity])
    return b"".join(by_owner[owner] for owner in sorted(by_owner))


def recover_owners(digest: bytes, packed: bytes) -> tuple[bytes, ...]:
    """Who signed `digest`, from packed signatures, ascending. Raises CodecError by its reason."""
    count, rest = divmod(len(packed), SIGNATURE_BYTES)
    if rest or not 0 < count <= OWNERS_MAX:
        raise BadOwnerSignature(f"got {len(packed)} bytes of signatures, expected 65 each")
    starts = range(0, len(packed), SIGNATURE_BYTES)
    owners = tuple(_owner(digest, packed[at : at + SIGNATURE_BYTES]) for at in starts)
    if any(left >= right for left, right in pairwise(owners)):
        raise UnorderedSignatures("got signatures out of order or repeated, expected ascending")
    return owners


def _owner(digest: bytes, signature: bytes) -> bytes:
    v = signature[-1]
    if v == 0:
        raise ContractSignature("got v 0, a contract's signature, expected 27 or 28")
    if v == 1:
        raise ApprovedHash("got v 1, a hash approved on chain, expected 27 or 28")
    if v > 30:
        raise EthSignSignature(f"got v {v}, an eth_sign signature, expected 27 or 28")
    if v not in (27, 28):
        raise BadOwnerSignature(f"got v {v}, expected 27 or 28")
    try:
        return recover(digest, signature)
    except CodecError as error:
        raise BadOwnerSignature(str(error)) from error
