"""A factor in a PKCS#11 token: an AES-256 key that never leaves it unwraps 32 bytes.

CKM_AES_GCM with associated data is preferred. A token without it wraps by RFC 5649, which SoftHSM
calls CKM_AES_KEY_WRAP_PAD (0x210A) and newer tokens CKM_AES_KEY_WRAP_KWP (0x210B). The token's key
may do that one thing only. The library is loaded when a token is used, from a path a person names.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from signer.entropy import RandomBytes
from signer.errors import ProtocolError
from signer.keystore.errors import TokenKeyExportable, TokenUnusable, WrongPassphrase
from signer.keystore.factors import MATERIAL_BYTES
from signer.protocol.wire import Fields

IV_BYTES = 12
GCM = "AES_GCM"
PADDED_WRAPS = ("AES_KEY_WRAP_KWP", "AES_KEY_WRAP_PAD")
"""RFC 5649 under its new and its old number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Where the token is: the library's path, the token's and the key's label, and the PIN."""

    module: str
    token: str
    key: str
    pin: str = field(repr=False)

    def __post_init__(self) -> None:
        # A token's label has 32 bytes in PKCS#11; what is longer could not be stored.
        if not (0 < len(self.token) <= 32 and 0 < len(self.key) <= 128):
            raise TokenUnusable("got labels of wrong length, expected token 1-32 and key 1-128")


class Pkcs11Factor:
    """A token that is plugged in and whose PIN is known; makes its key if it has none."""

    kind = "pkcs11"
    alone = True

    def __init__(self, place: Token) -> None:
        self._place = place

    def make(self, random: RandomBytes) -> tuple[Mapping[str, Any], bytes]:
        """Labels, mechanism and the wrapped bytes. Raises TokenUnusable, TokenKeyExportable."""
        material = random(MATERIAL_BYTES)
        with _session(self._place, writable=True) as session:
            mechanism = _mechanism_of(session)
            key = _found(session, self._place.key) or _generated(session, self._place, mechanism)
            _require_captive(key)
            iv = random(IV_BYTES) if mechanism == GCM else b""
            wrapped = _wrapped(session, key, mechanism, material, iv, _aad(self._place))
            again = _unwrapped(session, key, mechanism, wrapped, iv, _aad(self._place))
        if again != material:
            raise TokenUnusable("got other bytes back from the token, expected the same")
        stored = {
            "token": self._place.token,
            "key": self._place.key,
            "mechanism": mechanism,
            "iv": iv,
            "wrapped": wrapped,
        }
        return stored, material

    def open(self, stored: Fields) -> bytes:
        """The bytes again. Raises TokenUnusable, TokenKeyExportable, WrongPassphrase."""
        names = (stored.text("token"), stored.text("key"))
        mechanism = stored.text("mechanism")
        iv, wrapped = stored.blob("iv"), stored.blob("wrapped")
        if names != (self._place.token, self._place.key):
            raise TokenUnusable(
                f"got token {self._place.token!r} key {self._place.key!r}, expected {names[0]!r}"
                f" key {names[1]!r}"
            )
        if mechanism not in (GCM, *PADDED_WRAPS):
            raise ProtocolError(f"got mechanism {mechanism[:40]!r}, expected one that we write")
        with _session(self._place) as session:
            key = _found(session, self._place.key)
            if key is None:
                raise TokenUnusable(f"got a token without key {self._place.key!r}")
            _require_captive(key)
            return _unwrapped(session, key, mechanism, wrapped, iv, _aad(self._place))


@contextmanager
def _session(place: Token, *, writable: bool = False) -> Iterator[Any]:
    """A session that is logged in; every failure of the token as TokenUnusable."""
    try:
        import pkcs11  # noqa: PLC0415 - optional, and it loads a vendor's library
    except ImportError as error:
        raise TokenUnusable("got no PKCS#11 support, expected glaytos-wallet[hsm]") from error
    try:
        token = pkcs11.lib(place.module).get_token(token_label=place.token)
        with token.open(rw=writable, user_pin=place.pin) as session:
            yield session
    except (pkcs11.PinIncorrect, pkcs11.PinLocked, pkcs11.PinLenRange) as error:
        raise WrongPassphrase(f"got a wrong PIN of token {place.token!r}") from error
    except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
        what = type(error).__name__
        raise TokenUnusable(f"got {what} from token {place.token!r}, expected it ready") from error


def _mechanism_of(session: Any) -> str:
    from pkcs11 import Mechanism  # noqa: PLC0415 - optional

    offered = session.token.slot.get_mechanisms()
    for name in (GCM, *PADDED_WRAPS):
        if Mechanism[name] in offered:
            return name
    raise TokenUnusable("got a token without AES-GCM and RFC 5649, expected one of them")


def _found(session: Any, label: str) -> Any:
    from pkcs11 import Attribute, KeyType, ObjectClass  # noqa: PLC0415 - optional

    template = {
        Attribute.CLASS: ObjectClass.SECRET_KEY,
        Attribute.KEY_TYPE: KeyType.AES,
        Attribute.LABEL: label,
    }
    found = list(session.get_objects(template))
    if len(found) > 1:
        raise TokenUnusable(f"got {len(found)} keys {label!r} in the token, expected one")
    return found[0] if found else None


def _generated(session: Any, place: Token, mechanism: str) -> Any:
    """A new AES-256 key that may wrap by this one mechanism and never leave the token."""
    from pkcs11 import Attribute, KeyType, MechanismFlag  # noqa: PLC0415 - optional

    wraps = MechanismFlag.WRAP | MechanismFlag.UNWRAP
    encrypts = MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
    return session.generate_key(
        KeyType.AES,
        256,
        label=place.key,
        store=True,
        capabilities=encrypts if mechanism == GCM else wraps,
        template={
            Attribute.SENSITIVE: True,
            Attribute.EXTRACTABLE: False,
            Attribute.PRIVATE: True,
            Attribute.MODIFIABLE: False,
        },
    )


def _require_captive(key: Any) -> None:
    """Raise TokenKeyExportable unless the key was made in the token and can never leave it."""
    from pkcs11 import Attribute  # noqa: PLC0415 - optional

    held = key[Attribute.SENSITIVE] and key[Attribute.NEVER_EXTRACTABLE]
    if not held or key[Attribute.EXTRACTABLE] or key[Attribute.VALUE_LEN] != 32:
        raise TokenKeyExportable(
            "got a token's key that could be read or is not AES-256, expected SENSITIVE and never"
            " EXTRACTABLE"
        )


def _wrapped(session: Any, key: Any, mechanism: str, plain: bytes, iv: bytes, aad: bytes) -> bytes:
    from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, ObjectClass  # noqa: PLC0415

    if mechanism == GCM:
        params = GCMParams(iv, aad, 128)
        return bytes(key.encrypt(plain, mechanism=Mechanism.AES_GCM, mechanism_param=params))
    passing = session.create_object(
        {
            Attribute.CLASS: ObjectClass.SECRET_KEY,
            Attribute.KEY_TYPE: KeyType.GENERIC_SECRET,
            Attribute.VALUE: plain,
            Attribute.TOKEN: False,
            Attribute.EXTRACTABLE: True,
            Attribute.SENSITIVE: False,
        }
    )
    return bytes(key.wrap_key(passing, mechanism=Mechanism[mechanism]))


def _unwrapped(
    _session: Any, key: Any, mechanism: str, wrapped: bytes, iv: bytes, aad: bytes
) -> bytes:
    """The bytes; what the token says of changed ones differs by maker, so any refusal is one."""
    import pkcs11  # noqa: PLC0415 - optional

    try:
        if mechanism == GCM:
            params = pkcs11.GCMParams(iv, aad, 128)
            gcm = pkcs11.Mechanism.AES_GCM
            return bytes(key.decrypt(wrapped, mechanism=gcm, mechanism_param=params))
        passing = key.unwrap_key(
            pkcs11.ObjectClass.SECRET_KEY,
            pkcs11.KeyType.GENERIC_SECRET,
            wrapped,
            mechanism=pkcs11.Mechanism[mechanism],
            store=False,
            template={pkcs11.Attribute.EXTRACTABLE: True, pkcs11.Attribute.SENSITIVE: False},
        )
        return bytes(passing[pkcs11.Attribute.VALUE])
    except (pkcs11.PKCS11Error, ValueError) as error:
        raise WrongPassphrase("got bytes that the token's key does not unwrap") from error


def _aad(place: Token) -> bytes:
    """Ties the wrapped bytes to this use, so that the token decrypts nothing else for us."""
    return b"hk/factor/pkcs11/v1" + place.key.encode()
