"""Queries behind the list and read routes; nothing here writes."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, select

from wallet.addresses.accounts import AccountNotFound
from wallet.api.services import Services
from wallet.api.views import (
    AccountView,
    AddressView,
    DepositView,
    TreasuryRequestView,
    WithdrawalView,
)
from wallet.errors import NotFound
from wallet.store.schema import (
    accounts,
    addresses,
    approvals,
    blocks,
    deposits,
    payments,
    treasury_requests,
    withdrawals,
)
from wallet.treasury.errors import RequestNotFound
from wallet.withdrawals.errors import WithdrawalNotFound


class DepositNotFound(NotFound):
    """No deposit has this id."""

    code = "deposit.not_found"


def select_accounts() -> Select[Any]:
    """All columns of accounts."""
    return select(accounts)


def select_addresses() -> Select[Any]:
    """Addresses that belong to accounts; our own (change, hot, cold) are not the API's business."""
    return select(addresses).where(addresses.c.account_id.is_not(None))


def select_deposits() -> Select[Any]:
    """Deposits with the text of their address."""
    joined = deposits.join(addresses, deposits.c.address_id == addresses.c.id)
    return select(deposits, addresses.c.address).select_from(joined)


def select_withdrawals() -> Select[Any]:
    """Withdrawals with the transaction that carries them, if there is one."""
    joined = withdrawals.outerjoin(payments, withdrawals.c.payment_id == payments.c.id)
    return select(withdrawals, payments.c.txid, payments.c.height).select_from(joined)


def select_treasury_requests() -> Select[Any]:
    """Treasury requests with the transaction that carries them, if there is one.

    What a Safe signed has no transaction of its own: another payment executes it.
    """
    execution = payments.alias("execution")
    joined = treasury_requests.outerjoin(
        payments, treasury_requests.c.payment_id == payments.c.id
    ).outerjoin(
        execution,
        (execution.c.parent_id == payments.c.id) & (execution.c.status != "abandoned"),
    )
    txid = func.coalesce(payments.c.txid, execution.c.txid).label("txid")
    return select(treasury_requests, txid).select_from(joined)


def one_account(tx: Connection, account_id: str) -> AccountView:
    """The account of this id. Raises AccountNotFound."""
    row = tx.execute(select_accounts().where(accounts.c.id == account_id)).mappings().one_or_none()
    if row is None:
        raise AccountNotFound(f"got account {account_id}, expected the id of one that exists")
    return account_view(row)


def one_deposit(tx: Connection, services: Services, deposit_id: str) -> DepositView:
    """The deposit of this id. Raises DepositNotFound."""
    row = tx.execute(select_deposits().where(deposits.c.id == deposit_id)).mappings().one_or_none()
    if row is None:
        raise DepositNotFound(f"got deposit {deposit_id}, expected the id of one that exists")
    return deposit_view(row, services, scanned_heights(tx))


def one_withdrawal(tx: Connection, services: Services, withdrawal_id: str) -> WithdrawalView:
    """The withdrawal of this id. Raises WithdrawalNotFound."""
    query = select_withdrawals().where(withdrawals.c.id == withdrawal_id)
    return _one_withdrawal(tx, services, query, withdrawal_id)


def one_withdrawal_of(tx: Connection, services: Services, external_id: str) -> WithdrawalView:
    """The withdrawal of this external id. Raises WithdrawalNotFound."""
    query = select_withdrawals().where(withdrawals.c.external_id == external_id)
    return _one_withdrawal(tx, services, query, external_id)


def _one_withdrawal(
    tx: Connection, services: Services, query: Select[Any], asked: str
) -> WithdrawalView:
    row = tx.execute(query).mappings().one_or_none()
    if row is None:
        raise WithdrawalNotFound(f"got withdrawal {asked}, expected the id of one that exists")
    approvers = approvers_of(tx, [row["intent_digest"]])
    return withdrawal_view(row, services, scanned_heights(tx), approvers)


def one_treasury_request(
    tx: Connection, services: Services, request_id: str
) -> TreasuryRequestView:
    """The treasury request of this id. Raises RequestNotFound."""
    query = select_treasury_requests().where(treasury_requests.c.id == request_id)
    row = tx.execute(query).mappings().one_or_none()
    if row is None:
        raise RequestNotFound(
            f"got treasury request {request_id}, expected the id of one that exists"
        )
    return treasury_view(row, services, approvers_of(tx, [row["intent_digest"]]))


def scanned_heights(tx: Connection) -> Mapping[str, int]:
    """The highest scanned block of each network."""
    query = select(blocks.c.network, func.max(blocks.c.height)).group_by(blocks.c.network)
    return {row[0]: row[1] for row in tx.execute(query)}


def approvers_of(tx: Connection, digests: Sequence[bytes]) -> Mapping[bytes, list[str]]:
    """Who approved each intent so far, by name."""
    query = (
        select(approvals.c.intent_digest, approvals.c.approver)
        .where(approvals.c.intent_digest.in_(digests))
        .order_by(approvals.c.approver)
    )
    found: dict[bytes, list[str]] = {}
    for digest, approver in tx.execute(query):
        found.setdefault(bytes(digest), []).append(approver)
    return found


def account_view(row: RowMapping) -> AccountView:
    """An account as the API shows it."""
    return AccountView(id=row["id"], external_id=row["external_id"], created_s=row["created_s"])


def address_view(row: RowMapping) -> AddressView:
    """An address as the API shows it."""
    return AddressView(
        id=row["id"],
        account_id=row["account_id"],
        network=row["network"],
        address=row["address"],
        label=row["label"],
        created_s=row["created_s"],
    )


def deposit_view(row: RowMapping, services: Services, heights: Mapping[str, int]) -> DepositView:
    """A deposit as the API shows it."""
    return DepositView(
        id=row["id"],
        account_id=row["account_id"],
        network=row["network"],
        asset=row["asset"],
        address=row["address"],
        txid=row["txid"],
        position=row["position"],
        amount=services.text(row["asset"], row["units"]),
        amount_units=str(row["units"]),
        evidence=row["evidence"],
        status=row["status"],
        sub_status=row["sub_status"],
        height=row["height"],
        block_hash=row["block_hash"],
        confirmations=_confirmations(row["height"], heights.get(row["network"])),
        confirmations_required=row["confirmations_required"],
        seen_s=row["seen_s"],
        credited_s=row["credited_s"],
    )


def withdrawal_view(
    row: RowMapping,
    services: Services,
    heights: Mapping[str, int],
    approvers: Mapping[bytes, list[str]],
) -> WithdrawalView:
    """A withdrawal as the API shows it."""
    digest = bytes(row["intent_digest"])
    return WithdrawalView(
        id=row["id"],
        external_id=row["external_id"],
        account_id=row["account_id"],
        network=row["network"],
        asset=row["asset"],
        address=row["address"],
        amount=services.text(row["asset"], row["units"]),
        amount_units=str(row["units"]),
        fee=services.text(row["asset"], row["fee_units"]),
        fee_units=str(row["fee_units"]),
        status=row["status"],
        sub_status=row["sub_status"],
        approvals_required=row["approvals_required"],
        approvals=approvers.get(digest, []),
        intent=bytes(row["intent"]).hex(),
        intent_digest=digest.hex(),
        txid=row["txid"],
        height=row["height"],
        confirmations=_confirmations(row["height"], heights.get(row["network"])),
        created_s=row["created_s"],
        updated_s=row["updated_s"],
        deadline_s=row["deadline_s"],
    )


def treasury_view(
    row: RowMapping, services: Services, approvers: Mapping[bytes, list[str]]
) -> TreasuryRequestView:
    """A treasury request as the API shows it."""
    digest = bytes(row["intent_digest"])
    return TreasuryRequestView(
        id=row["id"],
        purpose=row["purpose"],
        network=row["network"],
        asset=row["asset"],
        amount=services.text(row["asset"], row["units"]),
        amount_units=str(row["units"]),
        status=row["status"],
        sub_status=row["sub_status"],
        intent=bytes(row["intent"]).hex(),
        intent_digest=digest.hex(),
        approvals_required=row["approvals_required"],
        approvals=approvers.get(digest, []),
        requester=row["requester"],
        txid=row["txid"],
        created_s=row["created_s"],
        updated_s=row["updated_s"],
        expires_s=row["expires_s"],
    )


def _confirmations(height: int | None, scanned: int | None) -> int:
    return 0 if height is None or scanned is None else max(0, scanned - height + 1)
