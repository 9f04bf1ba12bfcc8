"""What can be wrong with a hosted key, its blob or what the device remembers of it."""

from signer.errors import SignerError


class HostedError(SignerError):
    """Root of the errors about hosted keys."""

    code = "hosted.error"


class NetworkUnknown(HostedError):
    """A network that this device has no built-in parameters of."""

    code = "hosted.network_unknown"


class BlobFormatUnknown(HostedError):
    """A blob in a format that this device neither reads nor writes."""

    code = "hosted.format_unknown"


class BlobForeign(HostedError):
    """A well-made blob of another key, network or version than the one asked for."""

    code = "hosted.blob_foreign"


class BlobRolledBack(HostedError):
    """An older version than this device has seen: somebody put an old blob back."""

    code = "hosted.rolled_back"


class TokenChanged(HostedError):
    """A token whose contract or decimals are not those that this device saw first."""

    code = "hosted.token_changed"


class MemoryDamaged(HostedError):
    """The device's memory file cannot be read as what it should be."""

    code = "hosted.memory_damaged"
