"""A Safe as it is on chain, compared with the vault that people registered."""

from dataclasses import dataclass

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from chains.errors import CodecError, UnexpectedAnswer
from chains.evm import abi
from chains.evm.addresses import checksum
from chains.evm.chain import EvmChain
from chains.evm.erc20 import decode_number, decode_symbol
from chains.evm.safe import SafeVault

VERSION = bytes.fromhex("ffa1ad74")
NONCE = bytes.fromhex("affed0e0")
THRESHOLD = bytes.fromhex("e75235b8")
OWNERS = bytes.fromhex("a0e67e2b")
MODULES = bytes.fromhex("cc2f8452")
"""getModulesPaginated(address,uint256): a module moves money without any owner."""

GUARD_SLOT = int("4a204f620c8c5ccdca3fd54d003badd85ba500436a431f0cbda4f558c93c34c8", 16)
"""keccak-256("guard_manager.guard.address"): where a Safe keeps its guard."""

SINGLETON_SLOT = 0
"""A Safe's proxy keeps the address of its code in the first slot."""

_SENTINEL = b"\x01".rjust(20, b"\x00")


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeState:
    """What the chain says of a Safe."""

    version: str
    singleton: bytes
    owners: frozenset[bytes]
    threshold: int
    modules: frozenset[bytes]
    guard: bytes
    nonce: int


def read_safe(chain: EvmChain, address: bytes) -> SafeState:
    """The state of the Safe at `address`. Raises NodeError."""
    modules_call = MODULES + abi.address_word(_SENTINEL) + abi.word(100)
    try:
        return SafeState(
            version=decode_symbol(chain.call(address, VERSION)),
            singleton=chain.storage_at(address, SINGLETON_SLOT)[12:],
            owners=_addresses(chain.call(address, OWNERS), ["address[]"]),
            threshold=decode_number(chain.call(address, THRESHOLD)),
            modules=_addresses(chain.call(address, modules_call), ["address[]", "address"]),
            guard=chain.storage_at(address, GUARD_SLOT)[12:],
            nonce=decode_number(chain.call(address, NONCE)),
        )
    except CodecError as error:
        raise UnexpectedAnswer(f"{checksum(address)} is not a Safe: {error}") from error


def check_safe(chain: EvmChain, vault: SafeVault) -> SafeState:
    """The state of a registered Safe, which must be exactly as registered.

    It must have no module and no guard either. Raises UnexpectedAnswer naming what differs.
    """
    state = read_safe(chain, vault.address)
    found = {
        "version": state.version == vault.version,
        "singleton": state.singleton == vault.singleton,
        "owners": state.owners == frozenset(vault.owners),
        "threshold": state.threshold == vault.threshold,
        "modules": not state.modules,
        "guard": not any(state.guard),
        "chain": chain.params.chain_id == vault.chain_id,
    }
    differing = sorted(name for name, same in found.items() if not same)
    if differing:
        raise UnexpectedAnswer(f"Safe {vault.name} differs from what was registered: {differing}")
    return state


def _addresses(data: bytes, types: list[str]) -> frozenset[bytes]:
    try:
        listed = decode(types, data)[0]
    except DecodingError as error:
        raise CodecError("got a list of addresses of another shape") from error
    return frozenset(bytes.fromhex(item[2:]) for item in listed)
