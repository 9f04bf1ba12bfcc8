"""BIP-39 words. They are not SLIP-39: the same words give another wallet in another program.

BIP-39 hashes words to a seed; our backups hold the seed itself. So words have two readings, and
everybody who exports or imports them must say which is meant.
"""

import unicodedata

from embit import bip39

from signer.backup.shares import BackupError
from signer.screening import screen_imported

ENTROPY_SIZES = (16, 20, 24, 28, 32)
"""Bytes that 12, 15, 18, 21 and 24 words hold."""


class PhraseInvalid(BackupError):
    """Words that are no BIP-39 phrase."""

    code = "backup.phrase_invalid"


class NotAPhrase(BackupError):
    """A seed that no words hold: a seed made from words cannot be turned back into them."""

    code = "backup.not_a_phrase"


def phrase_of(entropy: bytes) -> str:
    """The words that hold these bytes. Raises NotAPhrase."""
    if len(entropy) not in ENTROPY_SIZES:
        raise NotAPhrase(f"got a seed of {len(entropy)} bytes, expected one of {ENTROPY_SIZES}")
    return str(bip39.mnemonic_from_bytes(entropy))


def entropy_of(phrase: str) -> bytes:
    """The bytes that words hold, their checksum checked. Raises PhraseInvalid."""
    words = phrase.split()
    if len(words) not in (12, 15, 18, 21, 24):
        raise PhraseInvalid(f"got {len(words)} words, expected 12, 15, 18, 21 or 24")
    try:
        return bytes(bip39.mnemonic_to_bytes(_plain(phrase)))
    except ValueError:
        # The library's message repeats the wrong word, which is part of a secret.
        raise PhraseInvalid("got words with a wrong checksum or not in the English list") from None


def seed_of(phrase: str, passphrase: str) -> bytes:
    """The 64-byte seed that other BIP-39 wallets make of words. Raises PhraseInvalid."""
    entropy_of(phrase)
    password = unicodedata.normalize("NFKD", passphrase)
    return bytes(bip39.mnemonic_to_seed(_plain(phrase), password))


def imported(phrase: str, passphrase: bytes, *, holds_seed: bool) -> bytes:
    """The seed of a new home out of words, or the bytes they hold themselves.

    Raises PhraseInvalid, WeakSeed for words that others know.
    """
    entropy = entropy_of(phrase)
    screen_imported(entropy)
    if holds_seed:
        return entropy
    try:
        return seed_of(phrase, passphrase.decode())
    except UnicodeDecodeError:
        raise PhraseInvalid("got a BIP-39 passphrase that is not UTF-8") from None


def _plain(phrase: str) -> str:
    return " ".join(phrase.lower().split())
