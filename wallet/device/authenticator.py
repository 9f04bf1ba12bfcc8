"""The link that puts a new second factor into an authenticator app."""

import base64
from urllib.parse import quote

SECRET_BYTES = 20
"""RFC 4226 recommends 160 bits."""

ISSUER = "Glaytos"


def otpauth_link(secret: bytes, account: str) -> str:
    """The `otpauth://` link of a secret: SHA-1, 6 digits, 30 seconds."""
    text = base64.b32encode(secret).decode().rstrip("=")
    label = quote(f"{ISSUER}:{account}")
    return f"otpauth://totp/{label}?secret={text}&issuer={ISSUER}&digits=6&period=30"
