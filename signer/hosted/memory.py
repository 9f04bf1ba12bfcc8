"""What a device remembers of its hosted keys: nothing secret, and nothing a service may undo.

One JSON file, replaced whole. The highest version seen of each key never goes down, and a token
stays what it was when it was first seen.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chains.nesting import check_nesting
from signer.hosted.errors import BlobForeign, BlobRolledBack, MemoryDamaged, TokenChanged
from signer.hosted.keys import HostedKey
from signer.hosted.networks import Token
from signer.storage import read_limited, write_atomic

FILE_BYTES_MAX = 1024 * 1024
"""No memory file is larger; checked before parsing."""

_PUBLIC_KEY = re.compile(r"0[23][0-9a-f]{64}")


class DeviceMemory:
    """The memory of one device; every change is on the disk before the call returns."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def key(self, kid: str) -> HostedKey | None:
        """A key as last seen, or None."""
        return self._keys().get(kid)

    def all_keys(self) -> tuple[HostedKey, ...]:
        """All keys as last seen."""
        return tuple(self._keys().values())

    def see_key(self, key: HostedKey) -> None:
        """Remember a key's version, whose blob was opened. Raises BlobRolledBack, BlobForeign."""
        keys = self._keys()
        self.check_key(key)
        keys[key.kid] = key
        self._write(keys, self._tokens())

    def check_key(self, key: HostedKey) -> None:
        """Raise BlobRolledBack below the highest version seen, BlobForeign for another key."""
        known = self.key(key.kid)
        if known is None:
            return
        if (known.network, known.public_key) != (key.network, key.public_key):
            raise BlobForeign(f"got another key under {key.kid}, expected the one seen before")
        if key.version < known.version:
            raise BlobRolledBack(
                f"got version {key.version} of {key.kid}, expected at least {known.version}:"
                " the service gave back an old blob"
            )

    def forget_key(self, kid: str) -> None:
        """Drop a key that was deleted; nothing happens to one that is not known."""
        keys = self._keys()
        if keys.pop(kid, None) is not None:
            self._write(keys, self._tokens())

    def pinned(self, network: str, offered: Mapping[str, Token]) -> Mapping[str, Token]:
        """These tokens, each as it was when first offered. Raises TokenChanged."""
        tokens = self._tokens()
        known = tokens.setdefault(network, {})
        for code, token in offered.items():
            if known.setdefault(code, token) != token:
                raise TokenChanged(
                    f"got {code} at {token.contract} with {token.decimals} decimals,"
                    f" expected {known[code].contract} with {known[code].decimals}"
                )
        if tokens != self._tokens():
            self._write(self._keys(), tokens)
        return {code: known[code] for code in offered}

    def _keys(self) -> dict[str, HostedKey]:
        try:
            return {kid: _key(kid, fields) for kid, fields in self._read()["keys"].items()}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise MemoryDamaged(f"got a damaged {self._path.name}, restore it") from error

    def _tokens(self) -> dict[str, dict[str, Token]]:
        try:
            return {
                network: {code: _token(code, fields) for code, fields in listed.items()}
                for network, listed in self._read()["tokens"].items()
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise MemoryDamaged(f"got a damaged {self._path.name}, restore it") from error

    def _read(self) -> dict[str, Any]:
        if not self._path.exists():
            return {"keys": {}, "tokens": {}}
        data = read_limited(self._path, FILE_BYTES_MAX)
        check_nesting(data)
        content = json.loads(data)
        if not isinstance(content, dict) or set(content) != {"keys", "tokens"}:
            raise MemoryDamaged(f"got other fields in {self._path.name}, expected keys and tokens")
        return content

    def _write(self, keys: dict[str, HostedKey], tokens: dict[str, dict[str, Token]]) -> None:
        content = {
            "keys": {
                kid: {
                    "network": key.network,
                    "public_key": key.public_key.hex(),
                    "version": key.version,
                }
                for kid, key in keys.items()
            },
            "tokens": {
                network: {code: asdict(token) for code, token in listed.items()}
                for network, listed in tokens.items()
            },
        }
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(self._path, json.dumps(content, indent=1, sort_keys=True).encode())


def _key(kid: str, fields: dict[str, Any]) -> HostedKey:
    version = fields["version"]
    if type(version) is not int or version < 1 or not _PUBLIC_KEY.fullmatch(fields["public_key"]):
        raise ValueError(kid)
    return HostedKey(
        kid=kid,
        network=str(fields["network"]),
        public_key=bytes.fromhex(fields["public_key"]),
        version=version,
    )


def _token(code: str, fields: dict[str, Any]) -> Token:
    decimals = fields["decimals"]
    if type(decimals) is not int or not 0 <= decimals <= 36 or fields["code"] != code:
        raise ValueError(code)
    return Token(code=code, contract=str(fields["contract"]), decimals=decimals)
