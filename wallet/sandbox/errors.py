"""What the sandbox refuses."""

from wallet.errors import WalletError


class SandboxError(WalletError):
    """Root of the sandbox's own errors."""

    code = "sandbox.error"


class PublicNetwork(SandboxError):
    """A network that is not a development chain, or a node that is not on this machine."""

    code = "sandbox.public_network"


class UnknownNetwork(SandboxError):
    """A network or an asset that the sandbox does not have."""

    code = "sandbox.unknown_network"


class FolderTaken(SandboxError):
    """A data folder that already holds something: a sandbox begins with nothing."""

    code = "sandbox.folder_taken"


class Impossible(SandboxError):
    """A wish that this chain cannot grant, such as a reorg of blocks that are not there."""

    code = "sandbox.impossible"


class NoAnswer(SandboxError):
    """No sandbox listens at the address."""

    code = "sandbox.no_answer"
