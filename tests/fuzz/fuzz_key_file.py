"""HK1 key files: header, wrapped key and secret, without the cost of a passphrase."""

import hashlib
from collections.abc import Iterable

from signer.errors import SignerError
from signer.keystore import (
    KdfCost,
    KeyHeader,
    PassphraseKek,
    SecretUse,
    decode_key,
    encode_key,
    header_of,
    public_value,
)
from tests.signer_world import drip


class CheapKek(PassphraseKek):
    """Checks the parameters of a file but does not run them."""

    def _key(self, salt: bytes, cost: KdfCost) -> bytes:
        return hashlib.sha256(salt).digest()


KEK = CheapKek(b"passphrase")


def one_input(data: bytes) -> None:
    """A file that opens holds the secret that its header names."""
    for read in (header_of, lambda raw: decode_key(raw, KEK).header):
        try:
            header = read(data)
            assert KeyHeader.decode(header.encode()) == header
        except SignerError:
            continue


def seeds() -> Iterable[bytes]:
    """One file of each use."""
    for use in SecretUse:
        secret = hashlib.sha256(use.encode()).digest()
        header = KeyHeader(
            kid=f"hot/{use}",
            use=use,
            asset="*",
            network="*",
            path="m",
            public_hash=hashlib.sha256(public_value(use, secret)).digest(),
            created_s=1,
            policy_id="",
        )
        yield encode_key(header, secret, CheapKek(b"passphrase"), drip(use))
