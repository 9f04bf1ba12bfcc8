"""What can be wrong with a policy itself; a payment that breaks one is a decision, not an error."""


class PolicyError(Exception):
    """Root of this package's errors; `code` is stable."""

    code = "policy.error"


class PolicyInvalid(PolicyError):
    """A policy or threshold that does not say one clear thing: it is not loaded at all."""

    code = "policy.invalid"
