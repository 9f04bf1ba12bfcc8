"""Proof that somebody holds a share, without showing it.

Each share is the seed of an Ed25519 key. Its public half stands in the card, so that anybody can
check an answer to a fresh challenge, and an old answer, or the card itself, is of no use to a liar.
"""

from shamir_mnemonic import Share

from signer.backup.card import Card
from signer.backup.shares import BackupError, share_name
from signer.entropy import RandomBytes, hkdf
from signer.errors import ProtocolError
from signer.protocol import digest, dump, identity_sign, public_key_of, verify

CHALLENGE_CHARS_MAX = 128
"""A challenge is read over the phone or copied; longer ones are a mistake."""

CHALLENGE_CHARS_MIN = 8
"""Shorter ones might have been asked before."""

_DOMAIN = "share-check"


class NotInPossession(BackupError):
    """An answer or a share that is not what the card names."""

    code = "backup.not_in_possession"


class ChallengeUnfit(BackupError):
    """A challenge too short to be fresh, or too long to be read."""

    code = "backup.challenge_unfit"


def share_key(share: Share) -> bytes:
    """The public key that a card holds for a share."""
    return public_key_of(_secret(share))


def new_challenge(random: RandomBytes) -> str:
    """80 random bits in groups that can be read aloud."""
    text = random(10).hex()
    return "-".join(text[place : place + 4] for place in range(0, len(text), 4))


def check_share(card: Card, share: Share) -> str:
    """The name of a share that is whole and in the card. Raises NotInPossession."""
    name = share_name(share)
    if card.share_keys.get(name) != share_key(share):
        raise NotInPossession(f"got a share that is not share {name} of the card")
    return name


def answer(card: Card, share: Share, challenge: str) -> str:
    """The custodian's answer, in hexadecimal. Raises NotInPossession, ChallengeUnfit."""
    name = check_share(card, share)
    return identity_sign(_secret(share), _message(card, name, challenge)).hex()


def check_answer(card: Card, name: str, challenge: str, text: str) -> None:
    """Raise NotInPossession unless the holder of share `name` gave this answer."""
    public = card.share_keys.get(name)
    if public is None:
        raise NotInPossession(f"got share {name!r}, expected one of {sorted(card.share_keys)}")
    try:
        verify(public, _message(card, name, challenge), bytes.fromhex(text))
    except (ProtocolError, ValueError) as error:
        raise NotInPossession(f"got an answer that holder {name} did not give") from error


def _message(card: Card, name: str, challenge: str) -> bytes:
    if not CHALLENGE_CHARS_MIN <= len(challenge) <= CHALLENGE_CHARS_MAX:
        raise ChallengeUnfit(
            f"got a challenge of {len(challenge)} characters, expected {CHALLENGE_CHARS_MIN} to"
            f" {CHALLENGE_CHARS_MAX}"
        )
    return digest(_DOMAIN, dump({"card": card.id, "share": name, "challenge": challenge}))


def _secret(share: Share) -> bytes:
    return hkdf(share.mnemonic().encode(), b"hk/share-check/v1", b"", 32)
