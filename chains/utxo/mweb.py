"""Litecoin's extension block (LIP-0002, LIP-0003): the one that the HogEx commits to, or none.

Nothing in it is a deposit: money comes out as transparent outputs of the HogEx, which the block's
Merkle root covers. Its header is checked so that a node cannot show another one than was mined.
"""

from chains.errors import CodecError
from chains.utxo.blake3 import blake3

HOGADDR = bytes((0x58, 32))
"""How the script of a HogEx's first output begins: witness version 8, the extension's hash."""

PEGIN = bytes((0x59, 32))
"""How the script of a peg-in begins: witness version 9, the id of its kernel."""

PEGOUT_MATURITY_BLOCKS = 6
"""Blocks after which what came out of the extension may be spent (Litecoin's PEGOUT_MATURITY)."""

_HASHES = 5
_VARINT_BYTES_MAX = 10


class WrongExtension(CodecError):
    """An extension block that is not the one of the block that carries it."""

    code = "block.wrong_extension"


def check_extension(hogex_script: bytes, extension: bytes) -> None:
    """Raise WrongExtension unless the first output of a HogEx names the extension's header."""
    if len(hogex_script) != len(HOGADDR) + 32 or not hogex_script.startswith(HOGADDR):
        raise WrongExtension("got a HogEx whose first output names no extension block")
    if extension[:1] != b"\x01":
        raise WrongExtension("got a HogEx without its extension block")
    end = _varint_end(extension, 1) + 32 * _HASHES
    end = _varint_end(extension, _varint_end(extension, end))
    if blake3(extension[1:end]) != hogex_script[len(HOGADDR) :]:
        raise WrongExtension("got another extension block than the HogEx names")


def _varint_end(data: bytes, at: int) -> int:
    """The position after a number whose bytes but the last have their highest bit set."""
    for stop in range(at, min(at + _VARINT_BYTES_MAX, len(data))):
        if data[stop] < 0x80:
            return stop + 1
    raise WrongExtension("got an extension block that ends in its header")
