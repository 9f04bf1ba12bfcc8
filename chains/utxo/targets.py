"""Targets and their abbreviation in headers ("bits", Bitcoin Core's arith_uint256 compact form)."""

from chains.errors import CodecError

_SIZE_MAX = 34
_SIGN = 0x800000


class WrongProofOfWork(CodecError):
    """A header whose hash does not meet the target it states, or a target too easy to exist."""

    code = "block.wrong_proof_of_work"


def target_of(bits: int) -> int:
    """The number that `bits` abbreviates. Raises WrongProofOfWork when negative or too large."""
    size, digits = bits >> 24, bits & (_SIGN - 1)
    if bits & _SIGN or size > _SIZE_MAX:
        raise WrongProofOfWork(f"got target bits {bits:08x}, which no chain can have")
    return digits >> 8 * (3 - size) if size <= 3 else digits << 8 * (size - 3)


def bits_of(target: int) -> int:
    """The abbreviation of a target: its three highest bytes, the sign bit kept free."""
    size = -(-target.bit_length() // 8)
    digits = target << 8 * (3 - size) if size <= 3 else target >> 8 * (size - 3)
    if digits & _SIGN:
        digits, size = digits >> 8, size + 1
    return size << 24 | digits
