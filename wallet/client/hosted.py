"""The hosted-key routes, one method for each. Blobs, proofs and transactions travel as hex."""

from wallet.client.decoding import decode
from wallet.client.transport import Transport, path_part
from wallet.client.types import HostedBlob, HostedKeyInfo, HostedPayment, Page

_ROOT = "/v1/hosted-keys"


class HostedKeyCalls:
    """Every method raises ApiError with the API's code, or NoAnswer."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        *,
        key_id: str,
        account_id: str,
        network: str,
        public_key: bytes,
        address: str,
        blob: bytes,
        proof: bytes,
        totp_secret: bytes,
        totp_code: str,
        idempotency_key: str | None = None,
    ) -> HostedKeyInfo:
        """Hand in a new key's ciphertext and its second factor."""
        body = {
            "id": key_id,
            "account_id": account_id,
            "network": network,
            "public_key": public_key.hex(),
            "address": address,
            "blob": blob.hex(),
            "proof": proof.hex(),
            "totp_secret": totp_secret.hex(),
            "totp_code": totp_code,
        }
        return decode(HostedKeyInfo, self._transport.post(_ROOT, body, idempotency_key))

    def key(self, key_id: str) -> HostedKeyInfo:
        """One key, without its ciphertext."""
        return decode(HostedKeyInfo, self._transport.get(_path(key_id), {}))

    def list_keys(
        self,
        *,
        account_id: str | None = None,
        network: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[HostedKeyInfo]:
        """Keys that are not deleted, newest first."""
        query = {"account_id": account_id, "network": network, "limit": limit, "cursor": cursor}
        return decode(Page[HostedKeyInfo], self._transport.get(_ROOT, query))

    def fetch(self, key_id: str, totp_code: str) -> HostedBlob:
        """The ciphertext; the code is used up."""
        body = {"totp_code": totp_code}
        return decode(HostedBlob, self._transport.post(_path(key_id, "fetch"), body, None))

    def replace(
        self,
        key_id: str,
        *,
        version: int,
        blob: bytes,
        proof: bytes,
        totp_code: str,
        idempotency_key: str | None = None,
    ) -> HostedKeyInfo:
        """Put the next version of the ciphertext in place."""
        body = {
            "version": version,
            "blob": blob.hex(),
            "proof": proof.hex(),
            "totp_code": totp_code,
        }
        found = self._transport.post(_path(key_id, "replace"), body, idempotency_key)
        return decode(HostedKeyInfo, found)

    def change_authenticator(
        self,
        key_id: str,
        *,
        number: int,
        totp_secret: bytes,
        totp_code: str,
        proof: bytes,
        idempotency_key: str | None = None,
    ) -> HostedKeyInfo:
        """Ask for another authenticator; it counts after the service's delay."""
        body = {
            "number": number,
            "totp_secret": totp_secret.hex(),
            "totp_code": totp_code,
            "proof": proof.hex(),
        }
        found = self._transport.post(_path(key_id, "authenticator"), body, idempotency_key)
        return decode(HostedKeyInfo, found)

    def keep_authenticator(
        self, key_id: str, totp_code: str, *, idempotency_key: str | None = None
    ) -> HostedKeyInfo:
        """Forget the change that was asked for."""
        body = {"totp_code": totp_code}
        found = self._transport.post(_path(key_id, "authenticator", "keep"), body, idempotency_key)
        return decode(HostedKeyInfo, found)

    def delete(
        self, key_id: str, totp_code: str, *, idempotency_key: str | None = None
    ) -> HostedKeyInfo:
        """Make the service forget the ciphertext."""
        body = {"totp_code": totp_code}
        found = self._transport.post(_path(key_id, "delete"), body, idempotency_key)
        return decode(HostedKeyInfo, found)

    def prepare(
        self,
        key_id: str,
        *,
        asset: str,
        address: str,
        amount_units: int,
        idempotency_key: str | None = None,
    ) -> HostedPayment:
        """Unsigned bytes that pay `amount_units`; check them before anything is signed."""
        body = {"asset": asset, "address": address, "amount_units": str(amount_units)}
        found = self._transport.post(_path(key_id, "payments"), body, idempotency_key)
        return decode(HostedPayment, found)

    def submit(
        self, key_id: str, payment_id: str, signed: bytes, *, idempotency_key: str | None = None
    ) -> HostedPayment:
        """Hand in the signed transaction; it is stored, then sent."""
        path = f"{_path(key_id, 'payments')}/{path_part(payment_id)}/submit"
        body = {"signed": signed.hex()}
        return decode(HostedPayment, self._transport.post(path, body, idempotency_key))

    def payment(self, key_id: str, payment_id: str) -> HostedPayment:
        """One payment as the chain shows it now."""
        path = f"{_path(key_id, 'payments')}/{path_part(payment_id)}"
        return decode(HostedPayment, self._transport.get(path, {}))

    def list_payments(
        self, key_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> Page[HostedPayment]:
        """Payments of a key, newest first."""
        query = {"limit": limit, "cursor": cursor}
        return decode(Page[HostedPayment], self._transport.get(_path(key_id, "payments"), query))


def _path(key_id: str, *rest: str) -> str:
    return "/".join((_ROOT, path_part(key_id), *rest))
