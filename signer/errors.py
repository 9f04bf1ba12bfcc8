"""Every way the signer says no, each with its own stable code."""


class SignerError(Exception):
    """Root of the signer's errors."""

    code = "signer.error"


class Refused(SignerError):
    """A request that will not be signed. `code` names the failed check.

    `detail` is for the local log and the person at the signer; only the code goes to the requester.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class ProtocolError(SignerError):
    """Bytes that are not a well-formed, canonical envelope."""

    code = "protocol.malformed"
