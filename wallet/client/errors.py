"""What can go wrong between a caller and the API."""

from collections.abc import Mapping


class ClientError(Exception):
    """Root of the client's errors."""

    code = "client.error"


class CredentialsBad(ClientError):
    """The credentials file is missing, open to others, or not what it should be."""

    code = "client.bad_credentials"


class NoAnswer(ClientError):
    """No answer came, so what was asked may have been done or not.

    Ask again with this `idempotency_key`: it is done once, and the answer is the same.
    """

    code = "client.no_answer"

    def __init__(self, message: str, idempotency_key: str) -> None:
        super().__init__(message)
        self.idempotency_key = idempotency_key


class UnexpectedAnswer(ClientError):
    """The answer is not of this API: look at the address in the credentials."""

    code = "client.unexpected_answer"


class ApiError(ClientError):
    """The API said no. `code` is stable, `details` depend on it, `request_id` is in its log."""

    def __init__(
        self, status: int, code: str, message: str, details: Mapping[str, object], request_id: str
    ) -> None:
        super().__init__(f"{code}: {message} (request {request_id})")
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.request_id = request_id
