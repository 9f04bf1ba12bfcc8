"""Public BIP-32 derivation: extended keys, their origins, children. No private key comes here."""

import hmac
import re
from dataclasses import dataclass

from coincurve import PublicKey
from embit import base58

from chains.errors import CodecError
from chains.utxo.scripts import hash160, sha256d

HARDENED = 0x80000000
"""Indexes from here on need the private key."""

INDEX_MAX = HARDENED - 1
"""Largest index that a public key can derive."""

XPUB = 0x0488B21E
TPUB = 0x043587CF

SLIP132 = {
    0x049D7CB2: (XPUB, "sh(wpkh)"),
    0x04B24746: (XPUB, "wpkh"),
    0x0295B43F: (XPUB, "sh(wsh)"),
    0x02AA7ED3: (XPUB, "wsh"),
    0x019DA462: (XPUB, ""),
    0x01B26EF6: (XPUB, "sh(wpkh)"),
    0x044A5262: (TPUB, "sh(wpkh)"),
    0x045F1CF6: (TPUB, "wpkh"),
    0x024289EF: (TPUB, "sh(wsh)"),
    0x02575483: (TPUB, "wsh"),
    0x0436F6E1: (TPUB, ""),
}
"""SLIP-132 versions (ypub, zpub, Ypub, Zpub, Ltub, Mtub and their test forms).

Each is read as the plain version and the script it hints at; they are never written.
"""

_PRIVATE = {0x0488ADE4, 0x04358394}
_ORIGIN = re.compile(
    r"\[(?P<fingerprint>[0-9a-f]{8})(?P<path>(?:/[0-9]{1,10}['h]?){0,10})\](?P<key>[^\[\]]*)"
)


class ExtendedKeyError(CodecError):
    """An extended key or origin that cannot be used."""

    code = "key.invalid"


@dataclass(frozen=True, slots=True)
class ExtendedKey:
    """A public key that has children. `hint` is the script type that a SLIP-132 prefix named."""

    version: int
    depth: int
    parent_fingerprint: bytes
    child_number: int
    chain_code: bytes
    public_key: bytes
    point: PublicKey
    hint: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExtendedKey) and self.text == other.text

    def __hash__(self) -> int:
        return hash((self.chain_code, self.public_key))

    @classmethod
    def parse(cls, text: str) -> "ExtendedKey":
        """An xpub, tpub or SLIP-132 form. Raises ExtendedKeyError; the text is never repeated."""
        if not 100 <= len(text) <= 120:
            raise ExtendedKeyError(
                f"got {len(text)} characters, expected the 111 of an extended key"
            )
        try:
            raw = base58.decode(text)
        except ValueError:
            raise ExtendedKeyError("got a character that base58 does not have") from None
        if len(raw) != 82 or sha256d(raw[:-4])[:4] != raw[-4:]:
            raise ExtendedKeyError("the checksum of the extended key does not match")
        version = int.from_bytes(raw[:4], "big")
        if version in _PRIVATE:
            raise ExtendedKeyError(
                "got a private key where a public one belongs: treat it as exposed"
            )
        version, hint = SLIP132.get(version, (version, ""))
        if version not in (XPUB, TPUB):
            raise ExtendedKeyError(f"got version {version:08x}, expected an xpub or tpub")
        depth, parent, number = raw[4], raw[5:9], int.from_bytes(raw[9:13], "big")
        if depth == 0 and (parent != bytes(4) or number):
            raise ExtendedKeyError("got a master key that claims a parent")
        return cls(version, depth, parent, number, raw[13:45], raw[45:78], _point(raw[45:78]), hint)

    @property
    def text(self) -> str:
        """The plain xpub or tpub."""
        raw = (
            self.version.to_bytes(4, "big")
            + bytes((self.depth,))
            + self.parent_fingerprint
            + self.child_number.to_bytes(4, "big")
            + self.chain_code
            + self.public_key
        )
        return str(base58.encode_check(raw))

    @property
    def fingerprint(self) -> bytes:
        """The first four bytes of the key's hash."""
        return hash160(self.public_key)[:4]

    def child(self, index: int) -> "ExtendedKey":
        """The extended child key. Raises ExtendedKeyError for hardened and unusable indexes."""
        digest, point = self._tweak(index)
        return ExtendedKey(
            self.version,
            self.depth + 1,
            self.fingerprint,
            index,
            digest[32:],
            point.format(),
            point,
            self.hint,
        )

    def child_key(self, index: int) -> bytes:
        """The child's 33 key bytes alone: what the last step of an address needs."""
        return self._tweak(index)[1].format()

    def _tweak(self, index: int) -> tuple[bytes, PublicKey]:
        if not 0 <= index <= INDEX_MAX:
            raise ExtendedKeyError(f"got index {index}, expected 0 to {INDEX_MAX}")
        digest = hmac.digest(self.chain_code, self.public_key + index.to_bytes(4, "big"), "sha512")
        try:
            return digest, self.point.add(digest[:32])
        except ValueError:
            raise ExtendedKeyError(f"index {index} has no key: use the next one") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOrigin:
    """`[fingerprint/path]xpub`: an account key and where its private half is found."""

    fingerprint: bytes
    path: tuple[int, ...]
    key: ExtendedKey

    @classmethod
    def parse(cls, text: str) -> "KeyOrigin":
        """Raises ExtendedKeyError."""
        match = _ORIGIN.fullmatch(text)
        if match is None:
            raise ExtendedKeyError("got a key of another shape, expected [fingerprint/path]xpub")
        path = parse_path(match["path"][1:])
        key = ExtendedKey.parse(match["key"])
        if key.depth != len(path):
            raise ExtendedKeyError(
                f"got a key of depth {key.depth}, expected {len(path)} as its path"
            )
        if path and key.child_number != path[-1]:
            raise ExtendedKeyError("the last step of the path is not the one the key was made with")
        if not path and key.fingerprint.hex() != match["fingerprint"]:
            raise ExtendedKeyError("the fingerprint is not the master key's own")
        return cls(fingerprint=bytes.fromhex(match["fingerprint"]), path=path, key=key)

    @property
    def text(self) -> str:
        """The canonical form, with `h` for hardened steps."""
        steps = "".join("/" + step_text(step) for step in self.path)
        return f"[{self.fingerprint.hex()}{steps}]{self.key.text}"


def parse_path(text: str) -> tuple[int, ...]:
    """Steps such as "48h/1h/0h/2h" (or with '), without the leading m. Raises ExtendedKeyError."""
    steps = []
    for part in text.split("/") if text else []:
        digits = part[:-1] if part[-1:] in ("h", "'") else part
        if not digits.isascii() or not digits.isdecimal() or int(digits) > INDEX_MAX:
            raise ExtendedKeyError(
                f"got path step {part[:20]!r}, expected a number with h if hardened"
            )
        steps.append(int(digits) + (HARDENED if digits != part else 0))
    return tuple(steps)


def step_text(step: int) -> str:
    """One step as people write it."""
    return f"{step - HARDENED}h" if step >= HARDENED else str(step)


def path_text(path: tuple[int, ...]) -> str:
    """A path as people write it, with a leading m."""
    return "/".join(["m", *(step_text(step) for step in path)])


def _point(public_key: bytes) -> PublicKey:
    if public_key[0] not in (2, 3):
        raise ExtendedKeyError("got another key encoding, expected a compressed one")
    try:
        return PublicKey(public_key)
    except ValueError:
        raise ExtendedKeyError("the key is not a point of the curve") from None
