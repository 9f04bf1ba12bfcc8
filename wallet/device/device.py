"""Hosted keys on their owner's computer: make, show, pay, change the password, export, delete.

Order is law: prepared bytes are decoded, checked and shown before a code or password is asked for;
the key is opened last and dropped when the signature is made.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from signer.hosted import (
    HK1,
    Ask,
    DeviceMemory,
    HostedKey,
    HostedNetwork,
    KdfCost,
    OpenedHostedKey,
    Token,
    address_of,
    check_payment,
    header_of_blob,
    hosted_network,
    new_secret_key,
    open_key,
    payment_lines,
    prove,
    prove_authenticator,
    public_key_of_secret,
    seal_key,
    sign_payment,
)
from wallet.client import ApiError, Client, NoAnswer
from wallet.client.types import HostedKeyInfo, HostedPayment
from wallet.clock import Clock
from wallet.device.authenticator import SECRET_BYTES, otpauth_link
from wallet.device.errors import Declined, ServiceLied, SubmitUnknown

SUBMIT_TRIES = 3
"""Times that signed bytes are handed in when no answer comes."""


class Person(Protocol):
    """The person at the device; nothing asked here is kept."""

    def password(self) -> bytes:
        """The payment password."""
        ...

    def new_password(self) -> bytes:
        """A new payment password."""
        ...

    def code(self) -> str:
        """The code that the authenticator shows now."""
        ...

    def enrol(self, link: str) -> str:
        """Take the `otpauth://` link into an authenticator, and give its first code."""
        ...

    def agrees(self, lines: Sequence[str], question: str) -> bool:
        """Show lines and ask; the default answer is no."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that was made and stored."""

    id: str
    network: str
    address: str


class HostedKeyDevice:
    """One device of one user. `random` gives that many bytes; `cost` is Argon2's for new blobs."""

    def __init__(
        self,
        client: Client,
        memory: DeviceMemory,
        person: Person,
        clock: Clock,
        random: Callable[[int], bytes],
        *,
        cost: KdfCost | None = None,
        blob_format: str = HK1,
    ) -> None:
        self._client = client
        self._memory = memory
        self._person = person
        self._clock = clock
        self._random = random
        self._cost = cost
        self._format = blob_format

    def make(self, account_id: str, network_id: str, second: bytes | None = None) -> NewKey:
        """A new key: made and encrypted here, kept there. `second` is entropy from elsewhere.

        Raises HostedError, ApiError, NoAnswer.
        """
        network = self._network(network_id)
        password = self._person.new_password()
        secret = new_secret_key(self._random, second)
        key = HostedKey(
            kid=str(UUID(bytes=self._random(16), version=4)),
            network=network.id,
            public_key=public_key_of_secret(secret),
            version=1,
        )
        opened = OpenedHostedKey(key, secret)
        blob = self._seal(key, opened, password, network)
        address = address_of(network, key.public_key)
        totp_secret = self._random(SECRET_BYTES)
        code = self._person.enrol(otpauth_link(totp_secret, f"{network.id} {address[-8:]}"))
        # Known here before it is stored there: a lost answer must not lose the version.
        self._memory.see_key(key)
        try:
            self._client.hosted.create(
                key_id=key.kid,
                account_id=account_id,
                network=network.id,
                public_key=key.public_key,
                address=address,
                blob=blob,
                proof=prove(opened, key, blob),
                totp_secret=totp_secret,
                totp_code=code,
            )
        except ApiError:
            # A clear no: there is no such key.
            self._memory.forget_key(key.kid)
            raise
        return NewKey(id=key.kid, network=network.id, address=address)

    def key(self, key_id: str) -> HostedKeyInfo:
        """What the service says of a key, if this device's own derivation and memory agree.

        Raises ServiceLied, BlobRolledBack.
        """
        info = self._client.hosted.key(key_id)
        if info.id != key_id:
            raise ServiceLied(f"got key {info.id}, expected {key_id}")
        key = _public(info)
        network = hosted_network(info.network)
        if address_of(network, key.public_key) != info.address:
            raise ServiceLied(f"got address {info.address}, expected the public key's own")
        self._memory.check_key(key)
        return info

    def network_of(self, key_id: str) -> HostedNetwork:
        """The network of a key, with its tokens as this device saw them first."""
        return self._network(self.key(key_id).network)

    def known(self, key_id: str) -> HostedKey | None:
        """A key that this device made or opened before: only then is its address certain."""
        return self._memory.key(key_id)

    def known_keys(self) -> tuple[tuple[HostedKey, HostedKeyInfo | None], ...]:
        """Every key that this device knows, and what the service says of it; None: it is gone."""
        return tuple((each, self._info_or_none(each.kid)) for each in self._memory.all_keys())

    def pay(
        self,
        key_id: str,
        *,
        asset: str,
        address: str,
        units: int,
        fee_units_max: int | None = None,
    ) -> HostedPayment:
        """Pay base units of an asset; what is shown comes from the exact bytes that are signed.

        Raises Refused with the check's code, Declined, ServiceLied, HostedError, ApiError.
        """
        info = self.key(key_id)
        network = self._network(info.network)
        ask = Ask(asset=asset, address=address, units=units, fee_units_max=fee_units_max)
        prepared = self._client.hosted.prepare(
            key_id, asset=asset, address=address, amount_units=units
        )
        public_key = bytes.fromhex(info.public_key)
        payment = check_payment(network, public_key, ask, _hex(prepared.unsigned))
        if not self._person.agrees(payment_lines(payment), "Sign and send this payment?"):
            raise Declined("got a no, nothing was signed")
        opened = self._open(info)
        return self._submit(key_id, prepared.id, sign_payment(opened, payment))

    def change_password(self, key_id: str) -> HostedKeyInfo:
        """Encrypt the same key anew as the next version; two codes are needed, one after another.

        Raises WrongPassphrase, ServiceLied, BlobRolledBack, ApiError.
        """
        info = self.key(key_id)
        network = self._network(info.network)
        opened = self._open(info)
        key = HostedKey(
            kid=key_id,
            network=info.network,
            public_key=opened.key.public_key,
            version=info.version + 1,
        )
        blob = self._seal(key, opened, self._person.new_password(), network)
        replaced = self._client.hosted.replace(
            key_id,
            version=key.version,
            blob=blob,
            proof=prove(opened, key, blob),
            totp_code=self._person.code(),
        )
        if replaced.version != key.version:
            raise ServiceLied(f"got version {replaced.version}, expected {key.version}")
        self._memory.see_key(key)
        return replaced

    def change_authenticator(self, key_id: str, exported: bytes) -> HostedKeyInfo:
        """Ask for another authenticator, opening the key from an export: no code is at hand.

        Raises WrongPassphrase, BlobForeign, Declined, ApiError.
        """
        info = self.key(key_id)
        header = header_of_blob(exported)
        # Any version of the blob holds the key; which one was exported proves nothing here.
        expected = replace(_public(info), version=header.version)
        lines = [f"ANOTHER AUTHENTICATOR for hosted key {key_id}", f"of {info.address}"]
        if not self._person.agrees(lines, "It counts after the service's delay. Ask for it?"):
            raise Declined("got a no, nothing was asked for")
        opened = open_key(exported, self._person.password(), expected)
        secret, number = self._random(SECRET_BYTES), info.authenticator + 1
        code = self._person.enrol(otpauth_link(secret, f"{info.network} {info.address[-8:]}"))
        return self._client.hosted.change_authenticator(
            key_id,
            number=number,
            totp_secret=secret,
            totp_code=code,
            proof=prove_authenticator(opened, number, secret),
        )

    def keep_authenticator(self, key_id: str) -> HostedKeyInfo:
        """Forget the change that somebody asked for. Raises ApiError."""
        return self._client.hosted.keep_authenticator(key_id, self._person.code())

    def export(self, key_id: str) -> bytes:
        """The ciphertext, after it was opened once: a backup that needs the same password."""
        info = self.key(key_id)
        blob = self._fetch(info)
        self._opened(info, blob)
        return blob

    def delete(self, key_id: str) -> None:
        """Make the service forget the ciphertext; without an export the money is lost."""
        info = self.key(key_id)
        lines = [f"DELETE hosted key {key_id}", f"of {info.address} on {info.network}"]
        if not self._person.agrees(lines, "Without an export its money is lost. Delete it?"):
            raise Declined("got a no, nothing was deleted")
        self._client.hosted.delete(key_id, self._person.code())
        self._memory.forget_key(key_id)

    def payments(self, key_id: str) -> tuple[HostedPayment, ...]:
        """The latest payments of a key, newest first."""
        return self._client.hosted.list_payments(key_id).data

    def _submit(self, key_id: str, payment_id: str, raw: bytes) -> HostedPayment:
        """Hand in the same bytes until there is an answer: they can be paid only once."""
        for _ in range(SUBMIT_TRIES):
            try:
                return self._client.hosted.submit(key_id, payment_id, raw)
            except NoAnswer:
                continue
        raise SubmitUnknown(
            f"got no answer about payment {payment_id} of {key_id}: it may have been sent,"
            " look at it before you pay again",
            {"payment_id": payment_id},
        )

    def _info_or_none(self, key_id: str) -> HostedKeyInfo | None:
        try:
            return self.key(key_id)
        except ApiError as error:
            if error.code == "hosted_key.not_found":
                return None
            raise

    def _open(self, info: HostedKeyInfo) -> OpenedHostedKey:
        return self._opened(info, self._fetch(info))

    def _fetch(self, info: HostedKeyInfo) -> bytes:
        """The blob for a code, refused when it is an old one, before the password is asked for."""
        fetched = self._client.hosted.fetch(info.id, self._person.code())
        blob = _hex(fetched.blob)
        header = header_of_blob(blob)
        if (header.kid, header.network) != (info.id, info.network):
            raise ServiceLied(f"got a blob of {header.kid[:64]}, expected one of {info.id}")
        claimed = HostedKey(
            kid=info.id,
            network=info.network,
            public_key=bytes.fromhex(info.public_key),
            version=header.version,
        )
        self._memory.check_key(claimed)
        if header.version != info.version:
            raise ServiceLied(f"got version {header.version}, expected {info.version}")
        return blob

    def _opened(self, info: HostedKeyInfo, blob: bytes) -> OpenedHostedKey:
        """The key in a blob; its version is remembered only now, when it is authentic."""
        opened = open_key(blob, self._person.password(), _public(info))
        self._memory.see_key(opened.key)
        return opened

    def _seal(
        self, key: HostedKey, opened: OpenedHostedKey, password: bytes, network: HostedNetwork
    ) -> bytes:
        return seal_key(
            key,
            opened.secret,
            password,
            self._random,
            network=network,
            created_s=self._clock.now_s(),
            cost=self._cost,
            blob_format=self._format,
        )

    def _network(self, network_id: str) -> HostedNetwork:
        """Our own parameters, and the service's tokens as this device saw them first."""
        plain = hosted_network(network_id)
        if plain.evm is None:
            return plain
        tokens: Mapping[str, Token] = {
            asset.asset: Token(code=asset.asset, contract=asset.contract, decimals=asset.decimals)
            for asset in self._client.assets()
            if asset.network == network_id and asset.contract is not None
        }
        return hosted_network(network_id, self._memory.pinned(network_id, tokens))


def _public(info: HostedKeyInfo) -> HostedKey:
    return HostedKey(
        kid=info.id,
        network=info.network,
        public_key=_hex(info.public_key),
        version=info.version,
    )


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise ServiceLied("got an answer that is not hex, expected bytes") from error
