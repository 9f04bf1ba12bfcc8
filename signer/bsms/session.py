"""The one open setup session of a home: which token, which key, since when.

It is a file of its own, because it ends: after a day, with another token, or when the vault is
registered. It carries a MAC of the home, so that nobody else can open a session.
"""

import hmac
from dataclasses import dataclass
from pathlib import Path

from signer.bsms.cipher import Token
from signer.bsms.errors import NoSession, SessionExpired, SessionTampered
from signer.errors import ProtocolError
from signer.protocol import dump
from signer.protocol.wire import Fields
from signer.storage import read_limited, sync_directory, write_atomic

SESSION_S = 24 * 3600
"""How long after round 1 a descriptor record is taken."""

_FILE = "bsms-session"
_BYTES_MAX = 4096
_MAC_BYTES = 32
_DOMAIN = b"hk/bsms-session/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What this signer gave in round 1; `key` is the account key in canonical text."""

    token: Token
    network: str
    key: str
    label: str
    created_s: int

    def check_age(self, now_s: int) -> None:
        """Raise SessionExpired unless round 1 was within a day before `now_s`."""
        age_s = now_s - self.created_s
        if not 0 <= age_s <= SESSION_S:
            raise SessionExpired(f"got a session of {age_s} s, expected at most {SESSION_S}")


def save(home: Path, session: Session, state_key: bytes) -> None:
    """Open a session in place of any other; after return it survives a power cut."""
    body = dump(
        {
            "v": 1,
            "token": session.token.raw,
            "network": session.network,
            "key": session.key,
            "label": session.label,
            "created_s": session.created_s,
        }
    )
    write_atomic(home.joinpath(_FILE), hmac.digest(state_key, _DOMAIN + body, "sha256") + body)


def read(home: Path, state_key: bytes) -> Session:
    """The open session, whatever its age. Raises NoSession or SessionTampered."""
    path = home.joinpath(_FILE)
    if not path.exists():
        raise NoSession("got no open session, expected `bsms key` first")
    data = read_limited(path, _BYTES_MAX)
    mac, body = data[:_MAC_BYTES], data[_MAC_BYTES:]
    if not hmac.compare_digest(mac, hmac.digest(state_key, _DOMAIN + body, "sha256")):
        raise SessionTampered("got a session that this home did not write")
    try:
        fields = Fields(body, "session")
        session = Session(
            token=Token(fields.blob("token")),
            network=fields.text("network"),
            key=fields.text("key"),
            label=fields.text("label"),
            created_s=fields.units("created_s"),
        )
        fields.done(version=1)
    except ProtocolError as error:
        raise SessionTampered(f"got a session of another shape: {error}") from error
    return session


def close(home: Path) -> None:
    """Forget the session and its token."""
    home.joinpath(_FILE).unlink(missing_ok=True)
    sync_directory(home)
