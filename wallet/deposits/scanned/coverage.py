"""Which heights were scanned, by which adapter and under which rules: ranges without a gap.

A range grows in the transaction that records the block and its deposits. Another adapter or other
rules begin a new range; what an older one covers can then be scanned again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from chains.ports import Chain, Versioned
from chains.types import BlockRef
from wallet.errors import Conflict
from wallet.settings import AssetSettings
from wallet.store.schema import blocks, scan_ranges

_LAST = (
    select(scan_ranges)
    .where(scan_ranges.c.network == bindparam("on"))
    .order_by(scan_ranges.c.from_height.desc())
    .limit(1)
)
_GROW = update(scan_ranges).where(
    scan_ranges.c.network == bindparam("on"), scan_ranges.c.from_height == bindparam("start")
)


class CoverageBroken(Conflict):
    """Ranges, blocks and deposits do not fit together: the scan stops until somebody looks."""

    code = "coverage.broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanVersion:
    """How a block was read: the adapter's number, and the digest of what was watched for."""

    adapter: int
    rules: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRange:
    """Heights scanned one after another in the same way; both ends belong to it."""

    from_height: int
    from_hash: str
    to_height: int
    to_hash: str
    version: ScanVersion

    @property
    def blocks(self) -> int:
        """How many heights it covers."""
        return self.to_height - self.from_height + 1


def scan_version(chain: Chain, assets: Mapping[str, AssetSettings]) -> ScanVersion:
    """How `chain` reads blocks now for these configured assets."""
    adapter, evidence = 0, ""
    if isinstance(chain, Versioned):
        adapter, evidence = chain.adapter_version, str(chain.evidence_mode)
    watched = sorted(
        [asset.code, asset.decimals, (asset.contract or "").lower()]
        for asset in chain.assets
        if asset.code in assets
    )
    text = json.dumps({"assets": watched, "evidence": evidence}, separators=(",", ":"))
    return ScanVersion(adapter=adapter, rules=hashlib.sha256(text.encode()).hexdigest())


def ranges(tx: Connection, network: str) -> Sequence[ScanRange]:
    """All ranges of a network, lowest first."""
    query = select(scan_ranges).where(scan_ranges.c.network == network)
    return [_range(row) for row in tx.execute(query.order_by(scan_ranges.c.from_height))]


def extend(tx: Connection, network: str, ref: BlockRef, version: ScanVersion) -> None:
    """Cover the next block. Raises CoverageBroken unless it follows the last covered one."""
    last = _last(tx, network)
    if last is None:
        _insert(tx, network, _single(ref.height, ref.hash, version))
        return
    if (last.to_height + 1, last.to_hash) != (ref.height, ref.parent):
        raise CoverageBroken(
            f"got block {ref.height} on {ref.parent[:16]}, "
            f"expected {last.to_height + 1} on {last.to_hash[:16]}"
        )
    if last.version == version:
        _store(tx, network, replace(last, to_height=ref.height, to_hash=ref.hash))
    else:
        _insert(tx, network, _single(ref.height, ref.hash, version))


def cut(tx: Connection, network: str, fork_height: int) -> None:
    """Forget what a reorganisation took: everything above `fork_height`."""
    here = scan_ranges.c.network == network
    tx.execute(delete(scan_ranges).where(here, scan_ranges.c.from_height > fork_height))
    last = _last(tx, network)
    if last is not None and last.to_height > fork_height:
        fork_hash = _hash_at(tx, network, fork_height)
        _store(tx, network, replace(last, to_height=fork_height, to_hash=fork_hash))


def cover_again(tx: Connection, network: str, ref: BlockRef, version: ScanVersion) -> None:
    """A covered block was scanned once more: from now on its height counts as `version`.

    Splits the range it was in, and joins the one below if that was scanned in the same way.
    """
    old = _containing(tx, network, ref.height)
    if old.version == version:
        return
    before = _containing(tx, network, old.from_height - 1, required=False)
    tx.execute(
        delete(scan_ranges).where(
            scan_ranges.c.network == network, scan_ranges.c.from_height == old.from_height
        )
    )
    if old.from_height < ref.height:
        below = _hash_at(tx, network, ref.height - 1)
        before = replace(old, to_height=ref.height - 1, to_hash=below)
        _insert(tx, network, before)
    if before is not None and before.version == version:
        _store(tx, network, replace(before, to_height=ref.height, to_hash=ref.hash))
    else:
        _insert(tx, network, _single(ref.height, ref.hash, version))
    if ref.height < old.to_height:
        above = _hash_at(tx, network, ref.height + 1)
        _insert(tx, network, replace(old, from_height=ref.height + 1, from_hash=above))


def _last(tx: Connection, network: str) -> ScanRange | None:
    row = tx.execute(_LAST, {"on": network}).one_or_none()
    return None if row is None else _range(row)


def _containing(tx: Connection, network: str, height: int, *, required: bool = True) -> Any:
    row = tx.execute(
        select(scan_ranges).where(
            scan_ranges.c.network == network,
            scan_ranges.c.from_height <= height,
            scan_ranges.c.to_height >= height,
        )
    ).one_or_none()
    if row is None and required:
        raise CoverageBroken(f"got block {height} of {network} in no range, expected one")
    return None if row is None else _range(row)


def _hash_at(tx: Connection, network: str, height: int) -> str:
    found = tx.execute(
        select(blocks.c.hash).where(blocks.c.network == network, blocks.c.height == height)
    ).scalar_one_or_none()
    if found is None:
        raise CoverageBroken(f"got no block {height} of {network}, expected a scanned one")
    return str(found)


def _single(height: int, hash: str, version: ScanVersion) -> ScanRange:
    return ScanRange(
        from_height=height, from_hash=hash, to_height=height, to_hash=hash, version=version
    )


def _insert(tx: Connection, network: str, new: ScanRange) -> None:
    tx.execute(
        insert(scan_ranges).values(
            network=network,
            from_height=new.from_height,
            from_hash=new.from_hash,
            to_height=new.to_height,
            to_hash=new.to_hash,
            adapter_version=new.version.adapter,
            rules_version=new.version.rules,
        )
    )


def _store(tx: Connection, network: str, changed: ScanRange) -> None:
    ends = {"to_height": changed.to_height, "to_hash": changed.to_hash}
    tx.execute(_GROW, {"on": network, "start": changed.from_height, **ends})


def _range(row: Any) -> ScanRange:
    return ScanRange(
        from_height=row.from_height,
        from_hash=row.from_hash,
        to_height=row.to_height,
        to_hash=row.to_hash,
        version=ScanVersion(adapter=row.adapter_version, rules=row.rules_version),
    )
