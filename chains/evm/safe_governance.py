"""Calls by which a Safe changes itself: owners, threshold, modules, guards, fallback handler."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from chains.errors import CodecError
from chains.evm import abi

SENTINEL = b"\x01".rjust(20, b"\x00")
"""Head of the linked lists in which a Safe keeps its owners and modules."""


class SelfCall(StrEnum):
    """What a Safe can be made to change of itself."""

    ADD_OWNER = "add_owner"
    REMOVE_OWNER = "remove_owner"
    SWAP_OWNER = "swap_owner"
    CHANGE_THRESHOLD = "change_threshold"
    ENABLE_MODULE = "enable_module"
    DISABLE_MODULE = "disable_module"
    SET_GUARD = "set_guard"
    SET_MODULE_GUARD = "set_module_guard"
    SET_FALLBACK_HANDLER = "set_fallback_handler"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A function's selector, how many addresses it takes, and whether a threshold follows."""

    selector: bytes
    addresses: int
    threshold: bool = False


_FORMS: Mapping[SelfCall, _Form] = {
    SelfCall.ADD_OWNER: _Form(selector=bytes.fromhex("0d582f13"), addresses=1, threshold=True),
    SelfCall.REMOVE_OWNER: _Form(selector=bytes.fromhex("f8dc5dd9"), addresses=2, threshold=True),
    SelfCall.SWAP_OWNER: _Form(selector=bytes.fromhex("e318b52b"), addresses=3),
    SelfCall.CHANGE_THRESHOLD: _Form(
        selector=bytes.fromhex("694e80c3"), addresses=0, threshold=True
    ),
    SelfCall.ENABLE_MODULE: _Form(selector=bytes.fromhex("610b5925"), addresses=1),
    SelfCall.DISABLE_MODULE: _Form(selector=bytes.fromhex("e009cfde"), addresses=2),
    SelfCall.SET_GUARD: _Form(selector=bytes.fromhex("e19a9dd9"), addresses=1),
    SelfCall.SET_MODULE_GUARD: _Form(selector=bytes.fromhex("e068df37"), addresses=1),
    SelfCall.SET_FALLBACK_HANDLER: _Form(selector=bytes.fromhex("f08a0323"), addresses=1),
}
_BY_SELECTOR = {form.selector: action for action, form in _FORMS.items()}


class UnknownSelfCall(CodecError):
    """A call to the Safe itself that is none of the known ones."""

    code = "governance.unknown_selector"


class SelfCallData(CodecError):
    """Arguments of another length or form than the function's."""

    code = "governance.calldata"


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernanceCall:
    """A Safe's call to itself, its arguments in the contract's order.

    remove_owner: previous, owner. swap_owner: previous, old, new. disable_module: previous, module.
    """

    action: SelfCall
    addresses: tuple[bytes, ...] = ()
    threshold: int | None = None

    def encode(self) -> bytes:
        """The calldata."""
        words = [abi.address_word(address) for address in self.addresses]
        if self.threshold is not None:
            words.append(abi.word(self.threshold))
        return _FORMS[self.action].selector + b"".join(words)

    @classmethod
    def decode(cls, data: bytes) -> "GovernanceCall":
        """Parse exactly what `encode` writes. Raises UnknownSelfCall or SelfCallData."""
        action = _BY_SELECTOR.get(abi.selector(data))
        if action is None:
            raise UnknownSelfCall(f"got call {data[:4].hex()} to the Safe itself")
        form, body = _FORMS[action], data[4:]
        if len(body) != (form.addresses + form.threshold) * abi.WORD:
            raise SelfCallData(f"got {len(body)} bytes of arguments for {action}")
        try:
            addresses = tuple(abi.read_address(body, index) for index in range(form.addresses))
        except CodecError as error:
            raise SelfCallData(str(error)) from error
        threshold = abi.read_int(body, form.addresses) if form.threshold else None
        return cls(action=action, addresses=addresses, threshold=threshold)
