"""Taking the shares of a loss from those who gained: one ledger batch, once per external id.

The shares are posted and kept in one transaction, each with the gain it follows from, so that
whoever asks later why an account bore a share finds the numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from wallet.apportionment import records
from wallet.apportionment.errors import AccountUnknown, ReceiverAmongGains, ShareNotCovered
from wallet.apportionment.records import Apportionment, Loss
from wallet.apportionment.shares import Share, apportion
from wallet.events import append_event
from wallet.ledger import chart
from wallet.ledger.balances import CHUNK, balances_of_accounts
from wallet.ledger.posting import post_batch
from wallet.ledger.transfers import Transfer
from wallet.milestones import Milestone
from wallet.store.schema import accounts

NAMED_MAX = 20
"""Accounts that a refusal names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A share beside what its account has available for it."""

    share: Share
    available_units: int

    @property
    def is_covered(self) -> bool:
        """Whether the account can pay its share now."""
        return self.share.units <= self.available_units


def preview(tx: Connection, loss: Loss) -> list[Line]:
    """What would be posted now; nothing is written.

    Raises an error of `shares.apportion`, AccountUnknown or ReceiverAmongGains.
    """
    shares = apportion(loss.units, loss.gains)
    _check_accounts(tx, loss)
    found = {share.account_id: _account(loss, share.account_id) for share in shares}
    balances = balances_of_accounts(tx, found.values())
    lines = []
    for share in shares:
        balance = balances.get(found[share.account_id])
        available = 0 if balance is None else balance.available
        lines.append(Line(share=share, available_units=available))
    return lines


def post(
    tx: Connection,
    loss: Loss,
    *,
    external_id: str,
    requester: str,
    now_s: int,
    milestone: Milestone,
) -> Apportionment:
    """Share a loss out. Asked again with the same external id, the first answer is given again.

    Raises as `preview`, ShareNotCovered, or ExternalIdTaken for another loss under that id.
    """
    earlier = records.find(tx, external_id)
    if earlier is not None:
        return records.same(earlier, loss)
    lines = preview(tx, loss)
    _check_covered(lines)
    shares = tuple(line.share for line in lines)
    made = Apportionment(
        id=records.id_of(external_id),
        external_id=external_id,
        loss=loss,
        shares=shares,
        requester=requester,
        created_s=now_s,
    )
    post_batch(tx, f"apportionment:{made.id}", _transfers(loss, shares), now_s)
    milestone("apportionment.posted")
    records.keep(tx, made)
    append_event(tx, "apportionment.posted", made.id, _told(made), now_s)
    milestone("apportionment.kept")
    return made


def _account(loss: Loss, account_id: str) -> chart.Account:
    return chart.account(chart.user(account_id, loss.sub_account), loss.asset)


def _transfers(loss: Loss, shares: Sequence[Share]) -> list[Transfer]:
    """A transfer for every share that is not 0."""
    receiver = chart.HOUSE if loss.receiver_id is None else chart.user(loss.receiver_id)
    return [
        Transfer.single(
            debit=chart.user(share.account_id, loss.sub_account),
            credit=receiver,
            asset=loss.asset,
            units=share.units,
        )
        for share in shares
        if share.units
    ]


def _check_accounts(tx: Connection, loss: Loss) -> None:
    wanted = {gain.account_id for gain in loss.gains}
    if loss.receiver_id is not None:
        if loss.receiver_id in wanted:
            raise ReceiverAmongGains(
                f"got account {loss.receiver_id} as receiver and among the gains"
            )
        wanted.add(loss.receiver_id)
    known: set[str] = set()
    ids = sorted(wanted)
    for start in range(0, len(ids), CHUNK):
        query = select(accounts.c.id).where(accounts.c.id.in_(ids[start : start + CHUNK]))
        known.update(tx.execute(query).scalars())
    unknown = sorted(wanted - known)
    if unknown:
        raise AccountUnknown(
            f"got {len(unknown)} accounts that do not exist", {"account_ids": unknown[:NAMED_MAX]}
        )


def _check_covered(lines: Sequence[Line]) -> None:
    short = [line for line in lines if not line.is_covered]
    if short:
        named = {
            line.share.account_id: {
                "share_units": str(line.share.units),
                "available_units": str(line.available_units),
            }
            for line in short[:NAMED_MAX]
        }
        raise ShareNotCovered(
            f"got {len(short)} accounts with less available than their share, expected none",
            {"accounts": named},
        )


def _told(made: Apportionment) -> dict[str, object]:
    return {
        "id": made.id,
        "external_id": made.external_id,
        "asset": made.loss.asset,
        "sub_account": str(made.loss.sub_account),
        "loss_units": str(made.loss.units),
        "receiver_id": made.loss.receiver_id or "",
        "accounts": len(made.shares),
    }
