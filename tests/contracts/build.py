"""Compile the odd tokens; run `python -m tests.contracts.build` after a change."""

import json
from pathlib import Path

from wallet.devnet.contracts.build import compile_contract

HERE = Path(__file__).parent

NAMES = (
    "NoReturn",
    "FalseReturn",
    "FeeOnTransfer",
    "FeeTold",
    "Rebasing",
    "MissingEvents",
    "FakeEvents",
    "Reentrant",
    "ReentrantHook",
    "Pausable",
    "BlockedHolder",
    "RevertOnZero",
    "SameEventTwice",
    "UnindexedEvents",
)

PROXY_SLOT = "360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
"""Where EIP-1967 keeps the implementation's address."""


def artifact_path(name: str) -> Path:
    """Where the committed output of one contract is."""
    return HERE.joinpath(f"{name}.json")


def creation_code(name: str) -> bytes:
    """The committed bytecode of a contract, before its arguments."""
    artifact = json.loads(artifact_path(name).read_text(encoding="utf-8"))
    return bytes.fromhex(artifact["bytecode"][2:])


def proxy_code() -> bytes:
    """Runtime code of a proxy that delegates every call to the address in the EIP-1967 slot.

    Assembled by hand: Vyper has no way to read a storage slot of one's own choosing.
    """
    parts = (
        "363d3d37",  # calldatacopy(0, 0, calldatasize)
        "3d3d363d",  # out size, out offset, in size, in offset
        "7f" + PROXY_SLOT + "54",  # sload(slot)
        "5af4",  # delegatecall(gas, implementation, ...)
        "3d5f5f3e",  # returndatacopy(0, 0, returndatasize)
        "603657",  # on success jump to the last line
        "3d5ffd",  # revert(0, returndatasize)
        "5b3d5ff3",  # return(0, returndatasize)
    )
    return bytes.fromhex("".join(parts))


def main() -> None:
    """Write every artifact."""
    for name in NAMES:
        text = json.dumps(compile_contract(name, HERE), indent=1) + "\n"
        artifact_path(name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
