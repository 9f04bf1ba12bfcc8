"""Key records and descriptor records (BIP-129): five lines and four."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from chains.errors import ChainError
from chains.hd import KeyOrigin
from chains.utxo import descriptors
from chains.utxo.descriptors import (
    RECEIVE,
    DescriptorVault,
    Template,
    multisig_descriptor,
    with_checksum,
)
from chains.utxo.params import UtxoParams
from chains.utxo.psbt_fields import check_point
from signer.bsms.cipher import Token
from signer.bsms.errors import (
    BadLabel,
    BadSignature,
    BadToken,
    BsmsError,
    DuplicateKeyRecord,
    UnknownRestrictions,
    UnknownVersion,
    WrongFirstAddress,
    WrongKeyCount,
)
from signer.bsms.messages import is_signed, sign_message

VERSION = "BSMS 1.0"
LABEL_CHARS_MAX = 80
"""As BIP-129 has it."""

NO_RESTRICTIONS = "No path restrictions"
RESTRICTIONS = "/0/*,/1/*"
"""The receive and the change branch: the only paths that our vaults have."""

_RAW_KEY = re.compile(r"\[[0-9a-f]{8}(?:/[0-9]{1,10}['h]?)*\](?P<key>0[23][0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """What a signer gives in round 1; `key` is as written, an xpub or a bare key with origin."""

    token: Token
    key: str
    label: str
    signature: str = ""

    @classmethod
    def parse(cls, text: str) -> "KeyRecord":
        """Five lines. Raises BsmsError; `check` says whether to believe them."""
        version, token, key, label, signature = _lines(text, 5)
        _check_version(version)
        check_label(label)
        return cls(token=Token.parse(token), key=key, label=label, signature=signature)

    @property
    def message(self) -> bytes:
        """The four lines that are signed."""
        return f"{VERSION}\n{self.token.text}\n{self.key}\n{self.label}".encode()

    @property
    def text(self) -> str:
        """The record."""
        return f"{self.message.decode()}\n{self.signature}"

    @property
    def public_key(self) -> bytes:
        """The compressed key that signs. Raises BsmsError."""
        match = _RAW_KEY.fullmatch(self.key)
        if match is None:
            return self.origin.key.public_key
        public_key = bytes.fromhex(match["key"])
        try:
            check_point(public_key)
        except ChainError as error:
            raise BsmsError(f"key record {self.label!r}: {error}") from error
        return public_key

    @property
    def origin(self) -> KeyOrigin:
        """The account key. Raises BsmsError for a key without children."""
        try:
            return KeyOrigin.parse(self.key)
        except ChainError as error:
            raise BsmsError(f"key record {self.label!r}: {error}") from error

    def signed(self, secret: bytes) -> "KeyRecord":
        """The record with the signature of its own private key."""
        signature = sign_message(secret, self.message)
        return KeyRecord(token=self.token, key=self.key, label=self.label, signature=signature)

    def check(self, token: Token) -> None:
        """Raise BadToken or BadSignature unless it is of this session and by its own key."""
        if self.token != token:
            raise BadToken(f"key record {self.label!r} is of another session")
        if not is_signed(self.public_key, self.message, self.signature):
            raise BadSignature(f"key record {self.label!r} is not signed by its own key")


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptorRecord:
    """What the coordinator gives in round 2, each line as written."""

    descriptor: str
    restrictions: str
    first_address: str

    @classmethod
    def parse(cls, text: str) -> "DescriptorRecord":
        """Four lines. Raises BsmsError; `vault` says whether they fit together."""
        version, descriptor, restrictions, first_address = _lines(text, 4)
        _check_version(version)
        return cls(descriptor=descriptor, restrictions=restrictions, first_address=first_address)

    @property
    def text(self) -> str:
        """The record."""
        return f"{VERSION}\n{self.descriptor}\n{self.restrictions}\n{self.first_address}"

    def vault(self, name: str, params: UtxoParams) -> DescriptorVault:
        """The vault it describes, its first address derived again.

        Raises DescriptorError, ExtendedKeyError, UnknownRestrictions or WrongFirstAddress.
        """
        body, mark, checksum = self.descriptor.partition("#")
        if mark and checksum != descriptors.checksum(body):
            raise descriptors.DescriptorChecksum("the checksum in the record does not match")
        expected = RESTRICTIONS if "/**" in body else NO_RESTRICTIONS
        if self.restrictions != expected:
            raise UnknownRestrictions(f"got {self.restrictions[:80]!r}, expected {expected!r}")
        vault = DescriptorVault.parse(name, params, with_checksum(body))
        first = vault.address_at(params, RECEIVE, 0)
        if self.first_address != first:
            raise WrongFirstAddress(f"got {self.first_address[:100]!r}, derived {first}")
        return vault


def combined(
    records: Sequence[KeyRecord],
    tokens: Sequence[Token],
    signers: int,
    threshold: int,
    template: Template,
    params: UtxoParams,
) -> DescriptorRecord:
    """The descriptor record of checked key records, `tokens` being each one's own.

    Raises WrongKeyCount, DuplicateKeyRecord, what `KeyRecord.check` raises, or DescriptorError.
    """
    if len(records) != signers:
        raise WrongKeyCount(f"got {len(records)} key records, expected {signers}")
    for record, token in zip(records, tokens, strict=True):
        record.check(token)
    if len({record.public_key for record in records}) != len(records):
        raise DuplicateKeyRecord("got one key in two records, expected another from each signer")
    text = multisig_descriptor(template, threshold, [record.origin for record in records])
    vault = DescriptorVault.parse("new", params, text)
    return DescriptorRecord(
        descriptor=vault.text.partition("#")[0].replace("/<0;1>/*", "/**"),
        restrictions=RESTRICTIONS,
        first_address=vault.address_at(params, RECEIVE, 0),
    )


def check_label(label: str) -> None:
    """Raise BadLabel for a description that is long, empty or unprintable."""
    if not (label.isprintable() and 0 < len(label) <= LABEL_CHARS_MAX):
        raise BadLabel(f"got a description of {len(label)} characters, expected 1 to 80 printable")


def _lines(text: str, count: int) -> list[str]:
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    if lines[0] != VERSION and lines[0].startswith("BSMS"):
        _check_version(lines[0])
    if len(lines) != count:
        raise BsmsError(f"got {len(lines)} lines, expected {count}")
    return lines


def _check_version(version: str) -> None:
    if version != VERSION:
        raise UnknownVersion(f"got version {version[:20]!r}, expected {VERSION}")
