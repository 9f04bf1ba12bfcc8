"""Time-based one-time codes (RFC 6238) over HMAC-SHA-1, six digits, steps of 30 seconds.

What every authenticator app makes from an `otpauth://` link.
"""

import hmac

STEP_S = 30
"""Seconds that a code is shown for."""

DIGITS = 6

DRIFT_STEPS = 1
"""Steps that a person's clock may be early or late, the time to type included."""


def code_at(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """The code of one time step (RFC 4226, section 5.3)."""
    mac = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    at = mac[-1] & 0x0F
    number = int.from_bytes(mac[at : at + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).rjust(digits, "0")


def matching_step(secret: bytes, code: str, now_s: int) -> int | None:
    """The newest step near now whose code this is, or None. Takes the same time either way."""
    found = None
    now = now_s // STEP_S
    for step in range(max(0, now - DRIFT_STEPS), now + DRIFT_STEPS + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()):
            found = step
    return found
