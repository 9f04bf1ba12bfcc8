"""A service process that is killed by SIGKILL at a milestone; the node and signers outlive it.

What the node took and what the signers were asked is written to files before they answer, so the
test can put the same node and signers back after the kill.
"""

import os
import sys
from pathlib import Path

from chains.utxo.transactions import Transaction
from signer.protocol import Sealed
from tests.payments_world import BTC, Keep, World, make_signers, outside_address
from wallet.milestones import kill_at
from wallet.signing.ports import CheckedAnswer
from wallet.store.database import Database
from wallet.withdrawals.records import Withdrawal

UNITS = 5_000_000


def begin(world: World) -> Withdrawal:
    """A user with money, and a withdrawal that waits to be paid."""
    user = world.account("alice")
    world.deposit(user, "BTC", UNITS)
    return world.withdraw(user, "BTC", outside_address(1), 100_000, "w-1")


def same_node(keep: Keep) -> None:
    """The node as `begin` left it: the same transactions and blocks, hash for hash."""
    world_script = _deposit_script()
    keep.btc.fund(world_script, UNITS)
    keep.btc.mine(2)
    keep.eth.mine(2)
    keep.ids.prefix = "later"


def after_death(folder: Path) -> Keep:
    """The node and the signers with all that reached them before the kill."""
    keep = Keep()
    same_node(keep)
    make_signers(keep)
    for line in _lines(folder / "broadcast"):
        keep.btc.broadcast(bytes.fromhex(line))
    for name, signer in keep.signers.items():
        for line in _lines(folder / f"asked-{name}"):
            signer.answer(bytes.fromhex(line))
    if (folder / "mined").exists():
        keep.btc.mine(len(_lines(folder / "mined")))
    keep.ids.prefix = "last"
    return keep


def main() -> None:
    """Work until the milestone kills us."""
    url, folder, milestone = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    keep = Keep()
    same_node(keep)
    make_signers(keep)
    _record(keep, folder)
    world = World(Database.open(url), keep, kill_at(milestone))
    for _ in range(6):
        world.work()
        _append(folder / "mined", b"\x01")
        keep.btc.mine()


def _record(keep: Keep, folder: Path) -> None:
    take = keep.btc.history.take

    def taking(tx: Transaction) -> None:
        _append(folder / "broadcast", tx.serialize())
        take(tx)

    keep.btc.history.take = taking  # type: ignore[method-assign]
    for name, signer in keep.signers.items():
        sign = signer.sign

        def signing(request: Sealed, name: str = name, sign: object = sign) -> CheckedAnswer:
            _append(folder / f"asked-{name}", request.encode())
            return sign(request)  # type: ignore[operator,no-any-return]

        signer.sign = signing  # type: ignore[method-assign]


def _append(path: Path, data: bytes) -> None:
    with path.open("a") as file:
        file.write(data.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())


def _lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def _deposit_script() -> bytes:
    from tests.payments_world import VAULTS

    return VAULTS[f"{BTC.partition('-')[0]}-hot"].script_pubkey_at(0, 0)  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
