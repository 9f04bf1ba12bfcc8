"""A user's own device: the only part of the wallet that opens hosted keys, and only on request."""

from signer.hosted import BLOB_BYTES_MAX, clean
from wallet.device.device import HostedKeyDevice, NewKey, Person
from wallet.device.errors import Declined, DeviceError, PasswordBad, ServiceLied, SubmitUnknown
from wallet.device.opening import open_device
from wallet.device.person import TerminalPerson

__all__ = [
    "BLOB_BYTES_MAX",
    "Declined",
    "DeviceError",
    "HostedKeyDevice",
    "NewKey",
    "PasswordBad",
    "Person",
    "ServiceLied",
    "SubmitUnknown",
    "TerminalPerson",
    "clean",
    "open_device",
]
