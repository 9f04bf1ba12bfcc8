"""Everything about hosted keys behind one door: registry, preparing, submitting, following."""

from wallet.hosted_keys.authenticators import Authenticators
from wallet.hosted_keys.context import HostedContext
from wallet.hosted_keys.following import Follower
from wallet.hosted_keys.preparing import Preparer
from wallet.hosted_keys.registry import HostedKeys
from wallet.hosted_keys.submitting import Submitter


class HostedDesk:
    """The parts over one context."""

    def __init__(self, context: HostedContext) -> None:
        self.context = context
        self.keys = HostedKeys(context)
        self.authenticators = Authenticators(context)
        self.preparer = Preparer(context)
        self.submitter = Submitter(context)
        self.follower = Follower(context)
