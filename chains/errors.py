"""What can go wrong between us and a chain; each class says what a retry means."""


class ChainError(Exception):
    """Root of every error of this package; `code` is stable and safe to show."""

    code = "chain.error"


class InvariantError(ChainError):
    """A programmer's mistake, never the result of bad input."""

    code = "chain.invariant"


class CodecError(ChainError):
    """Bytes or text that are not what they claim to be. Retrying the same input is useless."""

    code = "chain.codec"


class AddressError(CodecError):
    """A destination that cannot be paid; each reason is a subclass with its own code."""

    code = "address.invalid"


class WrongNetwork(AddressError):
    """A well-formed address of another coin or network."""

    code = "address.wrong_network"


class BadChecksum(AddressError):
    """The checksum does not match: a typing or copying mistake."""

    code = "address.bad_checksum"


class MixedCase(AddressError):
    """A bech32 string in mixed case, which BIP-173 forbids."""

    code = "address.mixed_case"


class UnknownWitnessVersion(AddressError):
    """A witness version without spending rules yet: paying it may burn the money."""

    code = "address.unknown_witness_version"


class MwebAddress(AddressError):
    """A Litecoin MWEB address; confidential outputs cannot be accounted for."""

    code = "address.mweb"


class ZeroAddress(AddressError):
    """The EVM zero address burns what it is sent."""

    code = "address.zero"


class ReservedAddress(AddressError):
    """The address of a precompiled EVM contract: money sent there is stuck for ever."""

    code = "address.reserved"


class TokenContractPayee(AddressError):
    """A token contract as payee: money sent there is stuck for ever."""

    code = "address.token_contract"


class OwnDepositAddress(AddressError):
    """One of our own deposit addresses as payee, where policy refuses that."""

    code = "address.own_deposit"


class NodeError(ChainError):
    """The node, not the data, is at fault."""

    code = "node.error"


class NodeUnavailable(NodeError):
    """No answer to a question; asking again is safe."""

    code = "node.unavailable"


class NodeRejected(NodeError):
    """The node understood and refused; the same bytes will be refused again."""

    code = "node.rejected"


class BroadcastUnknown(NodeError):
    """A broadcast without an answer. Never rebuild: look the txid up first."""

    code = "node.broadcast_unknown"


class UnexpectedAnswer(NodeError):
    """The node answered in a shape we do not know: stop rather than guess."""

    code = "node.unexpected_answer"


def invariant(condition: bool, why: str) -> None:
    """Raise InvariantError unless `condition`; unlike assert it survives `-O`."""
    if not condition:
        raise InvariantError(why)
