"""Taking withdrawals in, and everything that may happen to one before it is signed.

The hold, the row and its event are one transaction, so there is no withdrawal without its money
and no held money without its withdrawal. Paying is not done here: see `wallet.payments`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select

from chains.ports import Chain
from policies import Decision, Outcome, Policy
from signer.protocol import Intent, Payee, Purpose
from wallet.addresses.accounts import get_account
from wallet.clock import Clock
from wallet.ledger import chart
from wallet.ledger.posting import post_batch
from wallet.ledger.transfers import Transfer
from wallet.settings import AssetSettings, NetworkSettings
from wallet.store.database import Database
from wallet.store.schema import approvals, withdrawals
from wallet.withdrawals import records
from wallet.withdrawals.errors import (
    BelowMinimum,
    ExternalIdTaken,
    MalformedOrder,
    NotCancellable,
    UnknownAsset,
)
from wallet.withdrawals.records import Withdrawal
from wallet.withdrawals.screening import Order, screen
from wallet.withdrawals.states import CANCELLABLE, WithdrawalStatus

DEADLINE_S = 86_400
"""A withdrawal not signed within a day ends by itself and gives the held money back."""

EXPIRY_BATCH = 500
"""Overdue withdrawals ended in one transaction."""

_EXTERNAL_ID_MAX = 128
_INSERT = insert(withdrawals)
_NAMED = select(withdrawals.c.id).where(withdrawals.c.external_id == bindparam("named"))
_S = WithdrawalStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalOrder:
    """What the exchange asks for. `units` is what the payee gets, in the asset's base units."""

    external_id: str
    account_id: str
    asset: str
    address: str
    units: int
    requester: str


class Withdrawals:
    """The withdrawal desk: submit, cancel, approve, reject, release, expire."""

    def __init__(
        self,
        *,
        networks: Mapping[str, NetworkSettings],
        assets: Mapping[str, AssetSettings],
        chains: Mapping[str, Chain],
        policy: Policy,
        clock: Clock,
        new_id: Callable[[], str],
        deadline_s: int = DEADLINE_S,
    ) -> None:
        self._networks = networks
        self._assets = assets
        self._chains = chains
        self._policy = policy
        self._clock = clock
        self._new_id = new_id
        self._deadline_s = deadline_s

    def submit(self, tx: Connection, order: WithdrawalOrder) -> Withdrawal:
        """Take a withdrawal in: hold, row and events together.

        A policy's denial is a `rejected` withdrawal, with the reason as its sub-status. Raises
        UnknownAsset, BelowMinimum, ExternalIdTaken, MalformedOrder, an AddressError of the chain,
        or the ledger's InsufficientFunds; then nothing was written.
        """
        asset = self._asset(order)
        self._check_external_id(tx, order.external_id)
        get_account(tx, order.account_id)
        payee = self._chains[asset.network].destination(order.address)
        now_s = self._clock.now_s()
        asked = Order(
            withdrawal_id=self._new_id(),
            account_id=order.account_id,
            network=asset.network,
            asset=asset.code,
            source=self._networks[asset.network].hot,
            address=payee.address,
            target=payee.target,
            units=order.units,
            requester=order.requester,
        )
        decision = screen(tx, self._policy, asked, now_s)
        self._insert(tx, order.external_id, asked, asset, decision, now_s)
        withdrawal = records.get(tx, asked.withdrawal_id)
        records.announce(tx, withdrawal, now_s)
        return self._admit(tx, withdrawal, decision, now_s)

    def cancel(self, tx: Connection, withdrawal_id: str) -> Withdrawal:
        """Take a withdrawal back while nobody has signed it. Raises NotCancellable."""
        withdrawal = records.get(tx, withdrawal_id)
        if withdrawal.status not in CANCELLABLE:
            raise NotCancellable(
                f"got a withdrawal that is {withdrawal.status}, expected one before signing",
                {"status": str(withdrawal.status)},
            )
        return self._give_back(tx, withdrawal, _S.CANCELLED, "by_exchange")

    def approved(self, tx: Connection, withdrawal_id: str) -> Withdrawal:
        """Queue a withdrawal once enough people, its requester not among them, approved it.

        Called after an approval was verified and stored; with too few it changes nothing.
        """
        withdrawal = records.get(tx, withdrawal_id)
        if withdrawal.status is not _S.PENDING_APPROVAL:
            return withdrawal
        names = tx.execute(
            select(approvals.c.approver).where(
                approvals.c.intent_digest == withdrawal.intent_digest
            )
        ).scalars()
        people = set(names) - {withdrawal.requester}
        if len(people) < withdrawal.approvals_required:
            return withdrawal
        return records.move(tx, withdrawal, _S.QUEUED, self._clock.now_s())

    def reject(self, tx: Connection, withdrawal_id: str, why: str) -> Withdrawal:
        """A person says no. Raises ForbiddenArrow unless it waits for a person."""
        return self._give_back(tx, records.get(tx, withdrawal_id), _S.REJECTED, why)

    def release(self, tx: Connection, withdrawal_id: str) -> Withdrawal:
        """A person puts a blocked withdrawal back into the queue."""
        return records.move(tx, records.get(tx, withdrawal_id), _S.QUEUED, self._clock.now_s())

    def expire(self, database: Database) -> int:
        """End what waited past its deadline, and give the money back; returns how many."""
        now_s = self._clock.now_s()
        waiting = (_S.PENDING_APPROVAL, _S.QUEUED, _S.BLOCKED)
        with database.write() as tx:
            late = records.overdue(tx, waiting, now_s, EXPIRY_BATCH)
            for withdrawal in late:
                unasked = withdrawal.status is _S.PENDING_APPROVAL
                self._give_back(tx, withdrawal, _S.CANCELLED if unasked else _S.FAILED, "expired")
        return len(late)

    def _asset(self, order: WithdrawalOrder) -> AssetSettings:
        asset = self._assets.get(order.asset)
        if asset is None:
            known = ", ".join(sorted(self._assets))
            raise UnknownAsset(f"got another asset, expected one of: {known}")
        if order.units < max(1, asset.withdrawal_units_min):
            raise BelowMinimum(
                f"got {order.units} units, expected at least {asset.withdrawal_units_min}",
                {"minimum_units": str(asset.withdrawal_units_min)},
            )
        return asset

    @staticmethod
    def _check_external_id(tx: Connection, external_id: str) -> None:
        if not 0 < len(external_id) <= _EXTERNAL_ID_MAX or not external_id.isprintable():
            raise MalformedOrder("got an external_id that is empty, too long or not printable")
        taken = tx.execute(_NAMED, {"named": external_id}).scalar_one_or_none()
        if taken is not None:
            raise ExternalIdTaken(
                "got an external_id that names another withdrawal already",
                {"withdrawal_id": taken},
            )

    def _insert(
        self,
        tx: Connection,
        external_id: str,
        asked: Order,
        asset: AssetSettings,
        decision: Decision,
        now_s: int,
    ) -> None:
        intent = Intent(
            intent_id=asked.withdrawal_id,
            purpose=Purpose.WITHDRAWAL,
            network=asked.network,
            asset=asked.asset,
            source=asked.source,
            payees=(Payee(address=asked.address, units=asked.units),),
            fee_units_max=self._networks[asked.network].fee_units_max,
            requester=asked.requester,
            created_s=now_s,
            expires_s=now_s + self._deadline_s,
        )
        tx.execute(
            _INSERT,
            {
                "id": asked.withdrawal_id,
                "external_id": external_id,
                "account_id": asked.account_id,
                "network": asked.network,
                "asset": asked.asset,
                "address": asked.address,
                "target": asked.target,
                "units": asked.units,
                "fee_units": asset.withdrawal_fee_units,
                "status": str(_S.SUBMITTED),
                "sub_status": "",
                "intent": intent.encode(),
                "intent_digest": intent.digest,
                "approvals_required": decision.approvals_required,
                "policy_hash": decision.policy_hash,
                "requester": asked.requester,
                "created_s": now_s,
                "updated_s": now_s,
                "since_s": now_s,
                "deadline_s": intent.expires_s,
            },
        )

    def _admit(
        self, tx: Connection, submitted: Withdrawal, decision: Decision, now_s: int
    ) -> Withdrawal:
        withdrawal = records.move(tx, submitted, _S.SCREENING, now_s)
        match decision.outcome:
            case Outcome.DENY:
                return records.move(tx, withdrawal, _S.REJECTED, now_s, sub_status=decision.code)
            case Outcome.NEEDS_APPROVAL:
                after = _S.PENDING_APPROVAL
            case Outcome.ALLOW:
                after = _S.QUEUED
        held = Transfer.hold(
            id=withdrawal.id,
            debit=chart.user(withdrawal.account_id),
            credit=chart.CLEARING,
            asset=withdrawal.asset,
            units=withdrawal.total_units,
        )
        post_batch(tx, f"withdrawal:{withdrawal.id}:hold", [held], now_s)
        return records.move(tx, withdrawal, after, now_s)

    def _give_back(
        self, tx: Connection, withdrawal: Withdrawal, after: WithdrawalStatus, why: str
    ) -> Withdrawal:
        now_s = self._clock.now_s()
        ended = records.move(tx, withdrawal, after, now_s, sub_status=why[:64])
        void_hold(tx, withdrawal, now_s)
        return ended


def void_hold(tx: Connection, withdrawal: Withdrawal, now_s: int) -> None:
    """Give the held money back to its user; once, whoever calls."""
    post_batch(
        tx, f"withdrawal:{withdrawal.id}:void", [Transfer.void(hold_id=withdrawal.id)], now_s
    )
