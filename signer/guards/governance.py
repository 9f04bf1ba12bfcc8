"""A Safe's change of itself: whether it fits the registered Safe, and what it means in words."""

from collections.abc import Mapping

from chains.evm.addresses import RESERVED_MAX, checksum
from chains.evm.safe import OWNERS_MAX, THRESHOLD_MIN, SafeVault
from chains.evm.safe_governance import SENTINEL, GovernanceCall, SelfCall
from signer.errors import Refused
from signer.guards.facts import GovernanceFact, GuardContext
from signer.guards.owners import fixed_addresses

_BINDS: Mapping[SelfCall, str] = {
    SelfCall.ENABLE_MODULE: "modules",
    SelfCall.SET_GUARD: "guards",
    SelfCall.SET_MODULE_GUARD: "guards",
    SelfCall.SET_FALLBACK_HANDLER: "fallback_handlers",
}
"""Changes that give a contract power over the Safe; the policy must pin its address."""


def check_governance(
    call: GovernanceCall, vault: SafeVault, context: GuardContext
) -> tuple[GovernanceFact, tuple[str, ...]]:
    """What would change, for the policy and in words. Raises Refused."""
    match call.action:
        case SelfCall.ADD_OWNER:
            lines = _added(call, vault, context)
        case SelfCall.REMOVE_OWNER:
            lines = _removed(call, vault)
        case SelfCall.SWAP_OWNER:
            lines = _swapped(call, vault, context)
        case SelfCall.CHANGE_THRESHOLD:
            lines = _threshold(call, vault, len(vault.owners), must_differ=True)
        case SelfCall.DISABLE_MODULE:
            lines = (f"module {checksum(call.addresses[1])} is DISABLED",)
        case _:
            lines = (f"{call.action.replace('_', ' ').upper()} {checksum(call.addresses[0])}",)
    binds = _BINDS.get(call.action, "")
    address = checksum(call.addresses[0]) if binds else ""
    fact = GovernanceFact(action=str(call.action), binds=binds, address=address)
    return fact, (f"CHANGES THE SAFE {vault.name}: {call.action}", *lines)


def _added(call: GovernanceCall, vault: SafeVault, context: GuardContext) -> tuple[str, ...]:
    owner = call.addresses[0]
    _check_new(owner, vault, context)
    line = f"owner ADDED {checksum(owner)}"
    return (line, *_threshold(call, vault, len(vault.owners) + 1))


def _removed(call: GovernanceCall, vault: SafeVault) -> tuple[str, ...]:
    previous, owner = call.addresses
    _check_link(previous, owner, vault)
    line = f"owner REMOVED {checksum(owner)}"
    return (line, *_threshold(call, vault, len(vault.owners) - 1))


def _swapped(call: GovernanceCall, vault: SafeVault, context: GuardContext) -> tuple[str, ...]:
    previous, old, new = call.addresses
    _check_link(previous, old, vault)
    _check_new(new, vault, context)
    lines = (f"owner REMOVED {checksum(old)}", f"owner ADDED {checksum(new)}")
    return (*lines, f"threshold stays {vault.threshold} of {len(vault.owners)}")


def _check_new(owner: bytes, vault: SafeVault, context: GuardContext) -> None:
    if owner in vault.owners:
        raise Refused("governance.owner_known", f"{checksum(owner)} is an owner already")
    if int.from_bytes(owner, "big") <= RESERVED_MAX or owner == vault.address:
        raise Refused("governance.owner_reserved", f"{checksum(owner)} cannot sign as an owner")
    if checksum(owner) in fixed_addresses(vault.network, context):
        raise Refused(
            "governance.owner_ours", f"{checksum(owner)} is a vault of ours: it would guard itself"
        )


def _check_link(previous: bytes, owner: bytes, vault: SafeVault) -> None:
    """The list's order is the chain's own: a wrong link of two owners only reverts there."""
    if owner not in vault.owners:
        raise Refused("governance.owner_unknown", f"{checksum(owner)} is no owner")
    if previous == owner or previous not in (SENTINEL, *vault.owners):
        raise Refused("governance.prev_owner", f"got {checksum(previous)} before {checksum(owner)}")


def _threshold(
    call: GovernanceCall, vault: SafeVault, owners: int, *, must_differ: bool = False
) -> tuple[str, ...]:
    wanted = call.threshold or 0
    if not THRESHOLD_MIN <= wanted <= owners <= OWNERS_MAX:
        raise Refused(
            "governance.threshold",
            f"got {wanted} of {owners}, expected {THRESHOLD_MIN} to {owners}",
        )
    if must_differ and wanted == vault.threshold:
        raise Refused("governance.threshold", f"got threshold {wanted}, which it is already")
    return (f"threshold from {vault.threshold} of {len(vault.owners)} to {wanted} of {owners}",)
