"""How both sides of the gap write what people compare: plain text, and six check words."""

import unicodedata

from embit.wordlists.bip39 import WORDLIST

CHECK_WORDS = 6
"""66 bits: enough to read over the phone and too many to collide on purpose while waiting."""


def clean(text: str) -> str:
    """Text without anything that a terminal would obey or hide."""
    return "".join(
        char if char.isprintable() and unicodedata.category(char) != "Cf" else "?" for char in text
    )


def check_words(digest: bytes) -> str:
    """Six words of a digest, to be read aloud on both sides."""
    number = int.from_bytes(digest[:9], "big") >> 6
    words = [WORDLIST[number >> 11 * at & 2047] for at in reversed(range(CHECK_WORDS))]
    return " ".join(words)
