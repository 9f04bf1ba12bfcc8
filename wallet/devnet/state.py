"""What running development chains leave in their folder for other processes to find."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from wallet.devnet.errors import DevnetStopped
from wallet.devnet.evm import Contracts
from wallet.devnet.processes import is_running

_FILE = "devnet.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningNode:
    """One node: where it answers, which process it is, whose rules it follows."""

    url: str
    pid: int
    started: str
    software: str
    params: str


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The whole file. `keeper_pid` is the process that started the nodes and outlives none."""

    keeper_pid: int
    keeper_started: str
    modules: str
    networks: dict[str, RunningNode]
    contracts: Contracts


def state_path(root: Path) -> Path:
    """Where the file is."""
    return root.joinpath(_FILE)


def write_state(root: Path, state: State) -> None:
    """Write the file in one piece; its presence says that the chains are ready."""
    partial = state_path(root).with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(asdict(state), indent=1) + "\n", encoding="utf-8")
    partial.replace(state_path(root))


def read_state(root: Path) -> State:
    """The file of chains that run. Raises DevnetStopped if there is none or its keeper is gone."""
    try:
        body = json.loads(state_path(root).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DevnetStopped(
            f"got no running chains in {root}, expected `devnet up` first"
        ) from None
    nodes = {name: RunningNode(**node) for name, node in body.pop("networks").items()}
    state = State(networks=nodes, contracts=Contracts(**body.pop("contracts")), **body)
    if not is_running(state.keeper_pid, state.keeper_started):
        raise DevnetStopped(f"the chains of {root} have ended; start them again by `devnet up`")
    return state
