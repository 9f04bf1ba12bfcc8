"""Holding an image against itself, and against a ledger: what a signature alone does not show."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from wallet.ledger import chart
from wallet.ledger.encoding import Fingerprint
from wallet.ledger.errors import UnknownOwner
from wallet.mirrors.errors import (
    AccountWrong,
    HoldsDiffer,
    Overdrawn,
    PartDamaged,
    StateDiffers,
    SumNotZero,
)
from wallet.mirrors.image import Image, Progress, silent
from wallet.mirrors.making import without_heights
from wallet.mirrors.manifest import Manifest
from wallet.mirrors.promises import promised_by
from wallet.store.tables.ledger import ledger_batches

ID_BYTES = 16

Sums = list[int]
"""Debits, credits, and the same of open holds."""


@dataclass(slots=True)
class Checked:
    """What an image's accounts add up to, by asset and kind, with the last height of each."""

    totals: dict[tuple[str, str], Sums]
    heights: dict[tuple[str, str], int]


def check_image(image: Image, progress: Progress = silent) -> Checked:
    """Read all of an image and check it whole: digests, sums, bounds, holds, promises, fingerprint.

    Raises PartDamaged, AccountWrong, Overdrawn, SumNotZero, HoldsDiffer, StandingWrong.
    """
    manifest, fingerprint = image.manifest, Fingerprint()
    held: dict[int, Sums] = {}
    checked = Checked(defaultdict(lambda: [0, 0, 0, 0]), defaultdict(int))
    promised = promised_by(image, progress)
    accounts = _fields(image, "accounts", fingerprint, progress)
    balances = _fields(image, "balances", fingerprint, progress)
    for number, (account, balance) in enumerate(_paired(accounts, balances), 1):
        covered = _check_account(account, number, manifest.height)
        sums = _sums(balance, number, manifest.height)
        if covered and sums[0] + sums[2] > sums[1]:
            raise Overdrawn(f"account {number} of {account[1]} is below zero, which it may not be")
        promised.meet_account(account[1], account[2], sums[0] - sums[1])
        key = account[2], account[3]
        checked.totals[key] = [a + b for a, b in zip(checked.totals[key], sums, strict=True)]
        checked.heights[key] = max(checked.heights[key], int(balance[5]))
        if sums[2] or sums[3]:
            held[number] = sums[2:]
    holds = _fields(image, "holds", fingerprint, progress)
    _check_holds(promised.meet_holds(holds), held)
    promised.check_met()
    _check_totals(checked)
    if fingerprint.digest() != manifest.fingerprint:
        raise PartDamaged("the state is not that of the fingerprint in the signed manifest")
    if manifest.has_ids:
        _check_posted(image, progress)
    return checked


def check_beside(tx: Connection, manifest: Manifest) -> bool:
    """Compare an image with the ledger at hand; False where that does not know its height.

    Raises StateDiffers.
    """
    query = select(ledger_batches.c.state_hash).where(ledger_batches.c.height == manifest.height)
    known = tx.execute(query).scalar()
    if known is None:
        return False
    if bytes(known) != manifest.state_hash:
        raise StateDiffers(
            f"got image {manifest.tag} of height {manifest.height} with another state hash than "
            "the ledger has there: it is of another ledger, or of heights that were undone",
            {"height": manifest.height},
        )
    return True


def _check_account(account: list[str], number: int, height: int) -> bool:
    """Whether it may not go below zero."""
    if len(account) != 6 or account[0] != str(number):
        raise AccountWrong(f"got account {account[0][:20]!r} in place {number}: one is missing")
    try:
        known = chart.account(account[1], account[2])
    except UnknownOwner as error:
        raise AccountWrong(f"account {number} has an owner outside the chart") from error
    flag = str(int(known.may_go_negative))
    if (account[3], account[4]) != (str(known.kind), flag) or not 0 < int(account[5]) <= height:
        raise AccountWrong(f"account {number} of {account[1]} is not of the kind its owner has")
    return not known.may_go_negative


def _sums(balance: list[str], number: int, height: int) -> Sums:
    if len(balance) != 6 or balance[0] != str(number) or not 0 < int(balance[5]) <= height:
        raise AccountWrong(f"got no balance of account {number} in its place")
    sums = [int(text) for text in balance[1:5]]
    if min(sums) < 0:
        raise AccountWrong(f"account {number} has a sum below zero")
    return sums


def _check_holds(holds: Iterable[list[str]], held: dict[int, Sums]) -> None:
    found: dict[int, Sums] = defaultdict(lambda: [0, 0])
    last = ""
    for id, debit, credit, units, _expires_s in holds:
        if id <= last or int(units) <= 0:
            raise HoldsDiffer(f"got hold {id[:36]!r} out of order, twice, or of nothing")
        last = id
        found[int(debit)][0] += int(units)
        found[int(credit)][1] += int(units)
    if found != held:
        number = min(n for n in found.keys() | held.keys() if found.get(n) != held.get(n))
        raise HoldsDiffer(
            f"account {number} has held {held.get(number, [0, 0])}, and its open holds are "
            f"{found.get(number, [0, 0])}"
        )


def _check_totals(checked: Checked) -> None:
    assets: dict[str, Sums] = defaultdict(lambda: [0, 0])
    for (asset, _kind), (debits, credits, debits_held, credits_held) in checked.totals.items():
        assets[asset][0] += debits - credits
        assets[asset][1] += debits_held - credits_held
    off = sorted(asset for asset, sums in assets.items() if sums != [0, 0])
    if off:
        raise SumNotZero(f"debits and credits of {', '.join(off)} differ, expected the same")


def _check_posted(image: Image, progress: Progress) -> None:
    """There is a batch for every height, and an id for every transfer of each."""
    height = transfers = 0
    for block in image.lines("batches"):
        for line in block.decode().splitlines():
            fields = line.split("\t")
            height += 1
            if len(fields) != 6 or fields[0] != str(height):
                raise PartDamaged(f"got no batch {height} in its place")
            transfers += int(fields[2])
        progress("batches", height, image.manifest.height)
    if height != image.manifest.height:
        raise PartDamaged(f"got batches up to {height}, expected {image.manifest.height}")
    size = sum(len(block) for block in image.blocks("ids"))
    if size != transfers * ID_BYTES:
        raise PartDamaged(f"got {size} bytes of ids, expected {ID_BYTES} of {transfers} transfers")


def _fields(image: Image, name: str, into: Fingerprint, progress: Progress) -> Iterator[list[str]]:
    done, digest = 0, getattr(into, name)
    for block in image.lines(name):
        digest.update(block if name == "holds" else without_heights(block))
        lines = block.decode().splitlines()
        for line in lines:
            yield line.split("\t")
        done += len(lines)
        progress(name, done, image.manifest.part(name).rows)


def _paired(
    accounts: Iterator[list[str]], balances: Iterator[list[str]]
) -> Iterator[tuple[list[str], list[str]]]:
    """Both in step, nothing where a balance is missing. Raises AccountWrong for one too many."""
    nothing: list[str] = []
    for account in accounts:
        yield account, next(balances, nothing)
    if next(balances, nothing):
        raise AccountWrong("got a balance without an account")
