"""Where a webhook may go: never into our own network. A URL is checked again at every delivery."""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from wallet.errors import Invalid

Resolve = Callable[[str, int], Sequence[str]]
"""Host and port -> IP addresses as text; raises OSError when there is none."""


class TargetRefused(Invalid):
    """A URL that webhooks are not sent to."""

    code = "webhook.target_refused"


class TargetNotHttps(TargetRefused):
    """The URL is not https."""

    code = "webhook.target_not_https"


class TargetPrivate(TargetRefused):
    """The host is, or resolves to, an address inside a private, local or reserved range."""

    code = "webhook.target_private"


class TargetUnresolved(TargetRefused):
    """The host has no address now."""

    code = "webhook.target_unresolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL taken apart. The connection goes to `address`, which was checked; never to the name."""

    scheme: str
    host: str
    port: int
    path: str
    address: str

    @property
    def host_header(self) -> str:
        """What the receiver's server expects as Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"

    @property
    def pinned_url(self) -> str:
        """The URL with the checked address in place of the name, against DNS rebinding."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{address}:{self.port}{self.path}"


def resolve(host: str, port: int) -> Sequence[str]:
    """The system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def check_target(url: str, private_allowed: bool, resolver: Resolve) -> Target:
    """The target of a URL. Raises TargetRefused; `private_allowed` is for development only."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise TargetRefused("got a URL that cannot be read, expected https://host/path") from error
    if parts.scheme not in ("http", "https") or not host:
        raise TargetRefused("got another kind of URL, expected https://host/path")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise TargetRefused("got a URL with a user or fragment, expected https://host/path")
    if parts.scheme != "https" and not private_allowed:
        raise TargetNotHttps("got http, expected https")
    port = port or (443 if parts.scheme == "https" else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    address = _address_of(host, port, private_allowed, resolver)
    return Target(scheme=parts.scheme, host=host, port=port, path=path, address=address)


def _address_of(host: str, port: int, private_allowed: bool, resolver: Resolve) -> str:
    try:
        addresses = [ip_address(text) for text in resolver(host, port)]
    except (OSError, UnicodeError, ValueError) as error:
        raise TargetUnresolved(f"got host {host}, expected one that resolves") from error
    if not addresses:
        raise TargetUnresolved(f"got host {host}, expected one that resolves")
    for address in addresses:
        # One private answer among public ones is how rebinding starts: refuse them all.
        if not private_allowed and not _is_public(address):
            raise TargetPrivate(f"got host {host} at {address}, expected a public address")
    return str(addresses[0])


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address.sixtofour is not None:
        return False  # 2002::/16 counts as global, and leads to any IPv4 address inside it
    return address.is_global and not address.is_multicast and not address.is_reserved
