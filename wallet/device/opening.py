"""A device from its folder: credentials to reach the service, memory of what was seen."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from signer.hosted import HK1, DeviceMemory, KdfCost
from wallet.client import connect
from wallet.clock import SystemClock
from wallet.device.device import HostedKeyDevice, Person

MEMORY_FILE = "hosted-keys.json"
"""What a device remembers, in its folder."""

KIB = 1024


@contextmanager
def open_device(
    folder: Path, credentials: Path, person: Person, memory_mib: int, blob_format: str = HK1
) -> Iterator[HostedKeyDevice]:
    """The device of a folder; `memory_mib` and `blob_format` are for new blobs.

    Raises CredentialsBad, KdfOutOfRange.
    """
    cost = KdfCost(memory_kib=memory_mib * KIB)
    with connect(credentials) as client:
        yield HostedKeyDevice(
            client,
            DeviceMemory(folder.joinpath(MEMORY_FILE)),
            person,
            SystemClock(),
            os.urandom,
            cost=cost,
            blob_format=blob_format,
        )
