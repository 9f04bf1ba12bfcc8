"""What can go wrong with the development chains; each message says what to do."""

from wallet.errors import WalletError


class DevnetError(WalletError):
    """The development chains cannot do what was asked."""

    code = "devnet.error"


class DevnetMissing(DevnetError):
    """A node's program cannot be had on this machine."""

    code = "devnet.missing"


class DevnetStopped(DevnetError):
    """No development chain runs from the given folder."""

    code = "devnet.stopped"


class DevnetRunning(DevnetError):
    """Development chains already run from the given folder."""

    code = "devnet.running"


class NodeRefused(DevnetError):
    """A development node answered with an error."""

    code = "devnet.node_refused"
