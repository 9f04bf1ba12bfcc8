"""Apportionments as rows: what was shared out, and who bore how much for which gain."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, insert, select

from wallet.apportionment.errors import ApportionmentNotFound, ExternalIdTaken
from wallet.apportionment.shares import Gain, Share
from wallet.ledger.chart import SubAccount
from wallet.store.schema import apportionment_shares, apportionments


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What is to be shared out: who gained, and from which part of each account a share is taken.

    The shares go to the spot account of `receiver_id`, or to the house where that is None.
    """

    asset: str
    units: int
    sub_account: SubAccount
    gains: tuple[Gain, ...]
    receiver_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Apportionment:
    """A loss that was shared out; `shares` is in the order of account ids."""

    id: str
    external_id: str
    loss: Loss
    shares: tuple[Share, ...]
    requester: str
    created_s: int


def id_of(external_id: str) -> str:
    """The apportionment's id, which follows from the exchange's."""
    digest = hashlib.sha256(b"apportionment\n" + external_id.encode()).digest()
    return str(UUID(bytes=digest[:16]))


def find(tx: Connection, external_id: str) -> Apportionment | None:
    """The apportionment that the exchange named so, if there is one."""
    query = select(apportionments).where(apportionments.c.external_id == external_id)
    row = tx.execute(query).one_or_none()
    if row is None:
        return None
    of_it = select(apportionment_shares).where(apportionment_shares.c.apportionment_id == row.id)
    # Sorted here: engines collate text in their own ways.
    kept = sorted(tx.execute(of_it), key=lambda share: str(share.account_id))
    total = sum(share.gain_units for share in kept)
    return Apportionment(
        id=row.id,
        external_id=row.external_id,
        loss=Loss(
            asset=row.asset,
            units=row.loss_units,
            sub_account=SubAccount(row.sub_account),
            gains=tuple(Gain(account_id=s.account_id, units=s.gain_units) for s in kept),
            receiver_id=row.receiver_id,
        ),
        shares=tuple(
            Share(
                account_id=share.account_id,
                gain_units=share.gain_units,
                units=share.units,
                rounded_up=share.units * total > row.loss_units * share.gain_units,
            )
            for share in kept
        ),
        requester=row.requester,
        created_s=row.created_s,
    )


def get(tx: Connection, external_id: str) -> Apportionment:
    """The apportionment that the exchange named so. Raises ApportionmentNotFound."""
    found = find(tx, external_id)
    if found is None:
        raise ApportionmentNotFound("got an external id of no apportionment")
    return found


def same(earlier: Apportionment, loss: Loss) -> Apportionment:
    """The earlier one, if it shared out this very loss. Raises ExternalIdTaken."""
    asked = sorted(loss.gains, key=lambda gain: gain.account_id)
    if earlier.loss != Loss(
        asset=loss.asset,
        units=loss.units,
        sub_account=loss.sub_account,
        gains=tuple(asked),
        receiver_id=loss.receiver_id,
    ):
        raise ExternalIdTaken(
            "got an external_id that names another apportionment already",
            {"apportionment_id": earlier.id},
        )
    return earlier


def keep(tx: Connection, made: Apportionment) -> None:
    """Write it down, in the transaction that posts it."""
    row = {
        "id": made.id,
        "external_id": made.external_id,
        "asset": made.loss.asset,
        "sub_account": str(made.loss.sub_account),
        "loss_units": made.loss.units,
        "receiver_id": made.loss.receiver_id,
        "requester": made.requester,
        "created_s": made.created_s,
    }
    tx.execute(insert(apportionments).values(row))
    rows = [
        {
            "apportionment_id": made.id,
            "account_id": share.account_id,
            "gain_units": share.gain_units,
            "units": share.units,
        }
        for share in made.shares
    ]
    tx.execute(insert(apportionment_shares), rows)
