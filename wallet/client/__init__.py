"""The typed Python client of the API: one method for each route, dataclasses in and out."""

from wallet.client.client import Client, connect
from wallet.client.credentials import Credentials, load_credentials, write_credentials
from wallet.client.errors import ApiError, ClientError, NoAnswer, UnexpectedAnswer
from wallet.client.paging import every

__all__ = [
    "ApiError",
    "Client",
    "ClientError",
    "Credentials",
    "NoAnswer",
    "UnexpectedAnswer",
    "connect",
    "every",
    "load_credentials",
    "write_credentials",
]
