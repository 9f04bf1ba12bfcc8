"""Seeds that are no secret: refused when a person brings one, by recovery, import or a bad machine.

What cannot be found: a seed made by a generator with 32 bits of state that was started at a random
place (Milk Sad, CVE-2023-39910; CVE-2023-31290). That takes 2^32 tries of 400 steps each; here only
the starting values that programmers leave in are tried. Nor a seed hashed from words of a person.
"""

import hashlib
from itertools import pairwise

from signer.errors import SignerError

GENERATOR_SEEDS_MAX = 10_000
"""Starting values of the Mersenne Twister tried; its own default, 5489, is among them."""

_PUBLISHED_TEXT = """
005b30a3ab171b8c 01997e64f94f2fa7 063f0a88c4229df6 074ae1f8e7121aeb 0ad20cfab12c7bdf
116fd38342bf1ab1 1405e8392df14cd0 2165f0aafe44e727 29a8b34689f15991 2a389a901f9b9f72
2c5e8648d2773b21 31a239fad2c68741 3684c1f0b7747c76 37a6fa5b13c9d372 3ced39d10e6b0378
40c16bbb64994bbe 41a37fb1472b4bba 49b7719c0dff6d00 4a532de528578cbf 4d3e25d89c852f0d
53df3f5c45fbda39 5650b0567fe1a57b 5705f028f0089250 5a7a4622184bd18d 5c2d3ec289756e02
5f1cbbe7f2c41cae 62a772f85e4be622 64a057825ec37f2a 65e07b81d4e46966 68ba3c169969c3fa
69b6509a79cef595 69e2f426da1e6d6d 6c35e9cd001f317d 6f443d0b477017f5 71ac1062ef658316
736553a1d3517896 78f30d8c01dce964 79688a6fe1cac989 79d110b6e53d69e1 809e0706aaac1555
854236e2434d8f53 85cee1dfe99969ec 876970b8bdbe44d9 89c4a8ef3af3a5af 8bfe0b56d42ae416
8eb3a9154cb12f85 91255e880fd810fb 91de1f3afe3b46cb 979b0a6876e0b5e5 9dbaa14de7046395
a13b27648ff45bcf a209c1acb3397f89 a6b4a80fb1e76a96 a98ed335f345b0a8 b660e95b2f6d306b
bc7fd7e7038dd625 be45cb2605bf36be c08dda51da02e763 c0fa690799f7d41f c3aa09bbc2f741a9
c5e437b868a56662 c6ba1e3e3b59d89b c86c57d32053fb08 d1280c95c82825d0 d151959c1f95eea2
d2794963eed863ae d38f9def6cc265c4 e1090a1e05ff0bcc e1d4a4c8089b445a e451f11e6409307a
e98cfe37ac235b78 ed0c17e7de484b39 ed13162c1b895a19 eeaf751c08a5f1dd ef627689ebfaea17
f6d3024221cfe269 f7b66042adf5a231 f8f6fea2206802df f9930e348c70f1b9
"""
"""SHA-256 (first 8 bytes) of the test seeds of BIP-32, BIP-39 (as entropy, and as seed with and
without "TREZOR"), SLIP-39, and the phrases "test test ... junk" and "all all ..."."""

_PUBLISHED = frozenset(_PUBLISHED_TEXT.split())


class WeakSeed(SignerError):
    """A seed that others know or can guess."""

    code = "seed.weak"


class RepeatedSeed(WeakSeed):
    """Few different bytes, or one stretch again and again."""

    code = "seed.repeated"


class PatternSeed(WeakSeed):
    """Bytes in equal steps, or text."""

    code = "seed.pattern"


class PublishedSeed(WeakSeed):
    """A seed printed in a standard or a tool's documentation."""

    code = "seed.published"


class GeneratedSeed(WeakSeed):
    """The output of a generator that was never meant for keys."""

    code = "seed.weak_generator"


def screen(seed: bytes) -> None:
    """Raise WeakSeed for a seed that can be known bad at once."""
    if hashlib.sha256(seed).hexdigest()[:16] in _PUBLISHED:
        raise PublishedSeed("got a seed published as test data, expected a secret one")
    steps = {(later - earlier) % 256 for earlier, later in pairwise(seed)}
    if len(steps) == 1 and len(set(seed)) > 1:
        raise PatternSeed("got a seed of bytes in equal steps, expected a random one")
    if 2 * len(set(seed)) <= len(seed) or _longest_run(seed) > 4 or _periodic(seed):
        raise RepeatedSeed("got a seed of repeated bytes, expected a random one")
    if all(0x20 <= byte < 0x7F for byte in seed):
        raise PatternSeed("got a seed that is text, expected a random one")


def screen_imported(seed: bytes) -> None:
    """`screen`, and a second's search for a generator that was started at a small number."""
    screen(seed)
    for start in range(GENERATOR_SEEDS_MAX):
        if _twister_gives(start, seed):
            raise GeneratedSeed(f"got a seed out of mt19937 started at {start}, expected a secret")


def _longest_run(seed: bytes) -> int:
    longest = current = 1
    for earlier, later in pairwise(seed):
        current = current + 1 if earlier == later else 1
        longest = max(longest, current)
    return longest


def _periodic(seed: bytes) -> bool:
    """Whether 8 bytes or more are those of another place, the same distance apart throughout."""
    return any(seed[period:] == seed[:-period] for period in range(1, len(seed) - 7))


def _twister_gives(start: int, seed: bytes) -> bool:
    """Whether mt19937 from `start` gives the seed: the top or low byte, or all four, each draw."""
    state = [start]
    for place in range(1, 397 + len(seed)):
        last = state[-1]
        state.append((1_812_433_253 * (last ^ last >> 30) + place) & 0xFFFFFFFF)
        if place == 397 and not _fits(_drawn(state, 0), seed[:4]):
            return False
    words = [_drawn(state, place) for place in range(len(seed))]
    forms = (
        bytes(word >> 24 for word in words),
        bytes(word & 0xFF for word in words),
        b"".join(word.to_bytes(4, "big") for word in words),
        b"".join(word.to_bytes(4, "little") for word in words),
    )
    return any(form.startswith(seed) for form in forms)


def _fits(word: int, four: bytes) -> bool:
    """Whether the first draw can be the start of a seed in any of the forms."""
    return four[0] in (word >> 24, word & 0xFF) or word.to_bytes(4, "little") == four


def _drawn(state: list[int], place: int) -> int:
    """A draw of mt19937 (Matsumoto and Nishimura 1998) before its first 227 are used up."""
    mixed = (state[place] & 0x80000000) | (state[place + 1] & 0x7FFFFFFF)
    word = state[place + 397] ^ mixed >> 1 ^ (0x9908B0DF if mixed & 1 else 0)
    word ^= word >> 11
    word ^= word << 7 & 0x9D2C5680
    word ^= word << 15 & 0xEFC60000
    return word ^ word >> 18
