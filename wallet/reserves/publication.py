"""A publication in its folder: what is public, and what its operator keeps.

statement.json   what is said; written last, so that a folder without it is nothing
places.json      where each claimed coin and account lies in its vault (kept)
seed             the secret of all salts (kept; whoever has it can open every leaf)
trees/N.tree     the tree of the statement's N-th liability (kept; proofs are read from it)
intents/N        what people approve, approvals/N-NAME their signatures
requests/N.sr1   what signers were asked, answers/N-SIGNER.sa1 what they said
package.zip      the publication
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from wallet.reserves.claims import Claim, HeldAccount, HeldCoin
from wallet.reserves.errors import NotPublished
from wallet.reserves.owed.leaves import SEED_BYTES, Shares
from wallet.reserves.owed.trees import TreeFile
from wallet.reserves.verifier.package import STATEMENT, statement_digest
from wallet.reserves.verifier.statement import Statement, read_statement

FOLDER = "reserves"
"""Where publications are, in the data directory."""

PLACES, SEED, TREES, PACKAGE = "places.json", "seed", "trees", "package.zip"


@dataclass(frozen=True, slots=True)
class Publication:
    """A finished statement with what belongs to it; signed and published or not."""

    folder: Path
    data: bytes = field(repr=False)
    statement: Statement = field(repr=False)
    claims: tuple[Claim, ...] = field(repr=False)

    @classmethod
    def open(cls, folder: Path) -> "Publication":
        """Read a folder. Raises NotPublished."""
        try:
            data = folder.joinpath(STATEMENT).read_bytes()
            places = json.loads(folder.joinpath(PLACES).read_bytes())
        except OSError as error:
            raise NotPublished(
                f"got no publication in {folder}, expected one that `reserves make` began"
            ) from error
        return cls(folder, data, read_statement(json.loads(data)), read_places(places))

    @property
    def digest(self) -> bytes:
        """What names it, and what its proofs sign."""
        return statement_digest(self.data)

    @property
    def package(self) -> Path:
        """The public file, there once it was published."""
        return self.folder.joinpath(PACKAGE)

    def trees(self) -> dict[str, TreeFile]:
        """The trees by asset."""
        shares = Shares(self._seed())
        return {
            one.asset: TreeFile(tree_path(self.folder, number), one.asset, one.depth, shares)
            for number, one in enumerate(self.statement.liabilities)
        }

    def _seed(self) -> bytes:
        try:
            seed = bytes.fromhex(self.folder.joinpath(SEED).read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise NotPublished(
                f"got no seed in {self.folder}, expected that of its trees"
            ) from error
        if len(seed) != SEED_BYTES:
            raise NotPublished(f"got a seed of {len(seed)} bytes in {self.folder}")
        return seed


def tree_path(folder: Path, number: int) -> Path:
    """Where the tree of a statement's liability is kept."""
    return folder.joinpath(TREES, f"{number}.tree")


def places_json(claims: Sequence[Claim]) -> list[dict[str, Any]]:
    """Claims with their places in our vaults, as plain values."""
    return [_plain(claim) for claim in claims]


def _plain(claim: Claim) -> dict[str, Any]:
    coins = [{**asdict(coin), "script": coin.script.hex()} for coin in claim.coins]
    plain: dict[str, Any] = {"network": claim.network, "source": claim.source, "coins": coins}
    if claim.account is not None:
        account = claim.account
        units = {asset: str(held) for asset, held in account.units.items()}
        plain["account"] = {
            "address": account.address.hex(),
            "index": account.index,
            "units": units,
        }
    return plain


def read_places(values: list[dict[str, Any]]) -> tuple[Claim, ...]:
    """What `places_json` wrote."""
    return tuple(
        Claim(
            network=one["network"],
            source=one["source"],
            coins=tuple(
                HeldCoin(**{**coin, "script": bytes.fromhex(coin["script"])})
                for coin in one["coins"]
            ),
            account=_account(one["account"]) if "account" in one else None,
        )
        for one in values
    )


def _account(values: dict[str, Any]) -> HeldAccount:
    return HeldAccount(
        address=bytes.fromhex(values["address"]),
        index=values["index"],
        units={asset: int(units) for asset, units in values["units"].items()},
    )


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """A file that is there whole or not at all, also after a power cut."""
    part = path.with_name(path.name + ".part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@lru_cache(maxsize=16)
def _published(folder: Path, _written_ns: int) -> Publication:
    """A package never changes; one of another time is another."""
    return Publication.open(folder)


def publications(root: Path) -> list[Publication]:
    """Those that were published below a folder, the newest first."""
    packages = root.glob(f"*/{PACKAGE}")
    found = [_published(path.parent, path.stat().st_mtime_ns) for path in packages]
    return sorted(found, key=lambda one: (-one.statement.made_s, one.folder.name))
