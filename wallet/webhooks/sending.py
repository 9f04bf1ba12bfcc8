"""One delivery on the wire: signed by Standard Webhooks, to a checked address, never redirected."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import httpx
from standardwebhooks import Webhook as Signer

from wallet.errors import WalletError
from wallet.events import Event
from wallet.webhooks.targets import Target

TIMEOUT_S = 10
"""How long a receiver may take to connect, and then to answer."""

Send = Callable[[Target, bytes, Mapping[str, str]], int]
"""Post a body with headers to a target: the HTTP status, or DeliveryFailed without one."""


class DeliveryFailed(WalletError):
    """No HTTP answer came from the receiver."""

    code = "webhook.delivery_failed"


def message_of(event: Event) -> bytes:
    """The body of an event's deliveries: the same bytes at every attempt."""
    message = {
        "type": event.type,
        "timestamp": datetime.fromtimestamp(event.created_s, tz=UTC).isoformat(),
        "seq": event.seq,
        "subject": event.subject,
        "hash": event.hash.hex(),
        "data": json.loads(event.body),
    }
    return json.dumps(message, sort_keys=True, separators=(",", ":")).encode()


def headers_of(event: Event, body: bytes, secret: bytes, now_s: int) -> dict[str, str]:
    """Standard Webhooks headers; the id is the event's, so a receiver can drop a repeat."""
    message_id = f"evt_{event.seq}"
    signed_at = datetime.fromtimestamp(now_s, tz=UTC)
    return {
        "content-type": "application/json",
        "user-agent": "glaytos-wallet",
        "webhook-id": message_id,
        "webhook-timestamp": str(now_s),
        "webhook-signature": Signer(secret).sign(message_id, signed_at, body.decode()),
    }


class HttpSender:
    """Sends over HTTP(S); the certificate is checked against the name, not the pinned address."""

    def __init__(self) -> None:
        self._client = httpx.Client(
            timeout=httpx.Timeout(TIMEOUT_S), follow_redirects=False, trust_env=False
        )

    def __call__(self, target: Target, body: bytes, headers: Mapping[str, str]) -> int:
        """Post and return the status; the answer's body is not read. Raises DeliveryFailed."""
        request = self._client.build_request(
            "POST",
            target.pinned_url,
            content=body,
            headers={**headers, "host": target.host_header},
            extensions={"sni_hostname": target.host},
        )
        try:
            response = self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise DeliveryFailed(f"got {type(error).__name__} from {target.host}") from error
        response.close()
        return response.status_code

    def close(self) -> None:
        """Give connections back."""
        self._client.close()
