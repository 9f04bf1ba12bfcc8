"""Hosted keys from creation to deletion. What is stored cannot be opened here."""

from dataclasses import dataclass, field

import coincurve
from sqlalchemy import Connection, insert, or_, select, update

from chains.evm.accounts import address_of_key
from chains.types import Family
from chains.utxo.sources import SingleKey
from signer.errors import ProtocolError
from signer.protocol import Ownership
from signer.protocol.wire import Fields
from wallet.events import append_event
from wallet.hosted_keys import second_factor
from wallet.hosted_keys.context import HostedContext
from wallet.hosted_keys.errors import (
    AddressMismatch,
    BlobFormatRefused,
    HostedKeyExists,
    ProofWrong,
    VersionStale,
)
from wallet.hosted_keys.records import HostedKey, HostedKeyStatus, find_key
from wallet.store.counters import next_number
from wallet.store.schema import hosted_keys

FIRST_VERSION = 1
"""The version of a new key's blob."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHostedKey:
    """A key that a device made: `proof` is the key's own signature (DER) under its Ownership."""

    id: str
    account_id: str
    network: str
    public_key: bytes
    address: str
    blob: bytes = field(repr=False)
    proof: bytes = field(repr=False)
    totp_secret: bytes = field(repr=False)
    totp_code: str = field(repr=False)


class HostedKeys:
    """The registry of hosted keys; every change is in the caller's transaction, with its event."""

    def __init__(self, context: HostedContext) -> None:
        self._context = context

    def create(self, tx: Connection, new: NewHostedKey) -> None:
        """Store a new key; the account exists. Raises the reasons in `errors`."""
        now_s = self._context.clock.now_s()
        target = self._target(new)
        _check_proof(new.id, new.network, new.public_key, FIRST_VERSION, new.blob, new.proof)
        self._check_format(new.blob)
        taken = select(hosted_keys.c.id).where(
            or_(
                hosted_keys.c.id == new.id,
                (hosted_keys.c.network == new.network) & (hosted_keys.c.target == target),
            )
        )
        if tx.execute(taken).first() is not None:
            raise HostedKeyExists(f"got key {new.id} at {new.address}, which was taken before")
        box, step = second_factor.enrol(self._context, new.id, new.totp_secret, new.totp_code)
        tx.execute(
            insert(hosted_keys).values(
                id=new.id,
                account_id=new.account_id,
                network=new.network,
                position=next_number(tx, f"hosted:{new.network}"),
                public_key=new.public_key,
                address=new.address,
                target=target,
                blob=new.blob,
                version=FIRST_VERSION,
                status=HostedKeyStatus.ACTIVE,
                totp_box=box,
                totp_step=step,
                totp_number=1,
                totp_next_box=b"",
                totp_next_step=0,
                failures=0,
                locked_until_s=0,
                created_s=now_s,
                updated_s=now_s,
            )
        )
        body = {"account_id": new.account_id, "network": new.network, "address": new.address}
        append_event(tx, "hosted_key.created", new.id, body, now_s)

    def check_code(self, key_id: str, code: str) -> int:
        """Check a second factor, in transactions of its own; the step is spent by what follows."""
        return second_factor.check(self._context, key_id, code)

    def fetch(self, tx: Connection, key_id: str, step: int) -> HostedKey:
        """The key with its blob, for a code that was checked. Raises SecondFactorUsed."""
        key = find_key(tx, key_id)
        second_factor.spend(tx, key_id, step)
        self._announce(tx, "fetched", key, key.version)
        return key

    def replace(
        self, tx: Connection, key_id: str, step: int, *, version: int, blob: bytes, proof: bytes
    ) -> None:
        """Put a new blob of the same key in place; the version must be the next one.

        Raises VersionStale, ProofWrong, SecondFactorUsed.
        """
        key = find_key(tx, key_id)
        if version != key.version + 1:
            raise VersionStale(f"got version {version}, expected {key.version + 1}")
        _check_proof(key.id, key.network, key.public_key, version, blob, proof)
        self._check_format(blob)
        second_factor.spend(tx, key_id, step)
        now_s = self._context.clock.now_s()
        tx.execute(
            update(hosted_keys)
            .where(hosted_keys.c.id == key_id)
            .values(blob=blob, version=version, updated_s=now_s)
        )
        self._announce(tx, "replaced", key, version)

    def delete(self, tx: Connection, key_id: str, step: int) -> HostedKey:
        """Forget a key's blob for ever and return the key as it was. Raises SecondFactorUsed."""
        key = find_key(tx, key_id)
        second_factor.spend(tx, key_id, step)
        now_s = self._context.clock.now_s()
        tx.execute(
            update(hosted_keys)
            .where(hosted_keys.c.id == key_id)
            .values(
                blob=b"",
                totp_box=b"",
                totp_next_box=b"",
                totp_next_from_s=None,
                status=HostedKeyStatus.DELETED,
                updated_s=now_s,
            )
        )
        self._announce(tx, "deleted", key, key.version)
        return key

    def _check_format(self, blob: bytes) -> None:
        """Raise BlobFormatRefused unless the blob says a format that the operator allows."""
        allowed = self._context.blob_formats
        try:
            told = Fields(blob, "blob").text("format")
        except ProtocolError as error:
            raise BlobFormatRefused(
                f"got no key file, expected one of {sorted(allowed)}"
            ) from error
        if told not in allowed:
            raise BlobFormatRefused(f"got format {told[:16]!r}, expected one of {sorted(allowed)}")

    def _announce(self, tx: Connection, what: str, key: HostedKey, version: int) -> None:
        body = {"account_id": key.account_id, "version": version}
        append_event(tx, f"hosted_key.{what}", key.id, body, self._context.clock.now_s())

    def _target(self, new: NewHostedKey) -> bytes:
        """What the address means, if it is the key's. Raises AddressMismatch, AddressError."""
        chain = self._context.chains[new.network]
        try:
            coincurve.PublicKey(new.public_key)
        except ValueError as error:
            raise AddressMismatch("got a public key that is no point of the curve") from error
        evm = chain.family is Family.EVM
        target = address_of_key(new.public_key) if evm else SingleKey(new.public_key).script_pubkey
        given = chain.destination(new.address)
        if given.target != target or given.address != new.address:
            raise AddressMismatch(f"got address {new.address}, expected the public key's own")
        return target


def _check_proof(
    key_id: str, network: str, public_key: bytes, version: int, blob: bytes, proof: bytes
) -> None:
    claim = Ownership(
        kid=key_id, network=network, public_key=public_key, version=version, blob=blob
    )
    try:
        good = coincurve.PublicKey(public_key).verify(proof, claim.digest, hasher=None)
    except ValueError:
        good = False
    if not good:
        raise ProofWrong("got a blob that the hosted key did not sign for")
