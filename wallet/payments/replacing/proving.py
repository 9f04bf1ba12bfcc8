"""An auditor's proof that every withdrawal was paid at most once, in its amount, and booked once.

Asked of the whole history. Nothing that the service concluded is believed: signed bytes are parsed
again, for what they consume and whom they pay, and held against intents, ledger and chain.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from chains.errors import ChainError
from chains.evm.addresses import checksum, from_text
from chains.evm.erc20 import TRANSFER, decode_transfer
from chains.evm.set_code import SET_CODE_TYPE, SignedSetCodeTx
from chains.evm.transactions import SignedTx, txid_of
from chains.ports import Chain
from chains.types import TxState
from chains.utxo.transactions import parse
from signer.protocol import Kind
from wallet.ledger.holds import ending_of
from wallet.ledger.transfers import TransferKind
from wallet.payments.replacing import versions
from wallet.payments.replacing.versions import Act, Version
from wallet.payments.states import PaymentStatus
from wallet.settings import AssetSettings
from wallet.store.schema import delegations, ledger_batches, payments, withdrawals
from wallet.withdrawals.states import WithdrawalStatus

Progress = Callable[[int, int], None]
"""(done, of all)"""


def silent(_done: int, _total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """What is wrong, with which payment or withdrawal; `code` names the check."""

    code: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was looked at, and what was found; none found means paid once."""

    payments: int
    versions: int
    withdrawals: int
    violations: tuple[Violation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A signed version as its own bytes have it."""

    version: Version
    payment_id: str
    status: PaymentStatus
    txid: str
    consumes: frozenset[str]

    @property
    def name(self) -> str:
        return f"{self.payment_id} version {self.version.number}"


class Prover:
    """Goes through the history once; with `chains` it also asks where each version is now."""

    def __init__(
        self,
        chains: Mapping[str, Chain],
        assets: Mapping[str, AssetSettings],
        *,
        ask_chain: bool = False,
    ) -> None:
        self._chains = chains
        self._assets = assets
        self._ask_chain = ask_chain

    def prove(self, tx: Connection, progress: Progress = silent) -> Proof:
        """Check every payment and every withdrawal. Raises NodeError where the chain is asked."""
        rows = tx.execute(select(payments.c.id, payments.c.network, payments.c.status)).all()
        violations: list[Violation] = []
        by_intent: dict[bytes, list[_Made]] = {}
        count = 0
        for done, row in enumerate(rows, 1):
            status, own = PaymentStatus(row.status), list[_Made]()
            for version in versions.signed(tx, row.id):
                count += 1
                try:
                    made = _made(version, row.id, status)
                    violations += self._check_bytes(made)
                except ChainError as error:
                    violations.append(_wrong("bytes", version.payment_id, str(error)))
                    continue
                own.append(made)
                # An authorisation pays nobody and is no transaction: a batch carries it.
                if version.act is Act.PAY and version.request.kind is not Kind.EVM_AUTH:
                    for intent in version.request.intents:
                        by_intent.setdefault(intent.digest, []).append(made)
            violations += _check_conflicts(row.id, own)
            violations += _check_booked(tx, row.id, status)
            progress(done, len(rows))
        for digest, all_made in by_intent.items():
            violations += _check_conflicts(digest.hex(), all_made)
            violations += self._check_confirmed(digest, all_made)
        paid = tx.execute(select(withdrawals)).all()
        for row in paid:
            violations += _check_withdrawal(tx, row, by_intent.get(bytes(row.intent_digest), []))
        return Proof(
            payments=len(rows),
            versions=count,
            withdrawals=len(paid),
            violations=tuple(violations),
        )

    def _check_bytes(self, made: _Made) -> Iterator[Violation]:
        version = made.version
        if made.txid != (version.txid or "") or made.consumes != version.consumes:
            yield _wrong("bytes", made.name, "its signed bytes are not what is recorded of them")
        if version.act is Act.PAY and version.request.kind in (Kind.PSBT, Kind.EVM_TX):
            wanted = self._wanted(version)
            if wanted is not None and wanted - self._paid(version):
                yield _wrong("amount", made.name, "its signed bytes do not pay what was approved")

    def _wanted(self, version: Version) -> Counter[tuple[bytes, int]] | None:
        """Targets and units of the intents; None where another contract is what pays them."""
        request = version.request
        if request.safe_nonce is not None:
            return None
        chain = self._chains[request.network]
        return Counter(
            (chain.destination(payee.address).target, payee.units)
            for intent in request.intents
            for payee in intent.payees
        )

    def _paid(self, version: Version) -> Counter[tuple[bytes, int]]:
        """Targets and units that the bytes pay, in the intents' asset."""
        raw = version.raw or b""
        if version.request.kind is Kind.PSBT:
            return Counter((output.script, output.sats) for output in parse(raw).outputs)
        unsigned = SignedTx.decode(raw).tx
        contract = self._assets[version.request.intents[0].asset].contract
        if contract is None:
            return Counter({(unsigned.to, unsigned.value_wei): 1})
        if unsigned.to != from_text(contract) or unsigned.data[:4] != TRANSFER:
            return Counter()
        return Counter({decode_transfer(unsigned.data): 1})

    def _check_confirmed(self, digest: bytes, all_made: Sequence[_Made]) -> Iterator[Violation]:
        """At most one version is mined; where the chain is asked, that is the one we booked."""
        # A Safe's payload ends with the transaction that executes it; only that one is mined.
        sent = [made for made in all_made if made.txid]
        booked = {made.payment_id for made in sent if made.status is PaymentStatus.COMPLETED}
        if len(booked) > 1:
            yield _wrong("two_confirmed", digest.hex(), f"completed by {sorted(booked)}")
        if not self._ask_chain:
            return
        mined = [made for made in sent if self._is_mined(made)]
        if len(mined) > 1:
            text = ", ".join(made.txid for made in mined)
            yield _wrong("two_confirmed", digest.hex(), f"mined: {text}")
        if booked and not mined:
            yield _wrong("not_confirmed", digest.hex(), f"booked by {booked}, and not on the chain")

    def _is_mined(self, made: _Made) -> bool:
        chain = self._chains[made.version.request.network]
        sighting = chain.sighting(made.txid)
        return sighting.state is TxState.MINED and sighting.succeeded


def _made(version: Version, payment_id: str, status: PaymentStatus) -> _Made:
    """A version from its signed bytes alone. Raises ChainError."""
    raw = version.raw or b""
    if version.request.kind is Kind.PSBT:
        tx = parse(raw)
        consumes, txid = frozenset(f"{one.txid}:{one.vout}" for one in tx.inputs), tx.txid
    elif version.txid is None:
        # A Safe's payload is no transaction; the payment that executes it is looked at itself.
        consumes, txid = version.consumes, ""
    elif raw[:1] == b"\x02":
        signed = SignedTx.decode(raw)
        consumes = frozenset({f"{checksum(signed.sender)}/{signed.tx.nonce}"})
        txid = signed.txid
    elif raw[:1] == bytes([SET_CODE_TYPE]):
        batch = SignedSetCodeTx.decode(raw)
        consumes = frozenset({f"{checksum(batch.sender)}/{batch.tx.call.nonce}"})
        txid = batch.txid
    else:
        consumes, txid = version.consumes, txid_of(raw)
    return _Made(
        version=version,
        payment_id=payment_id,
        status=status,
        txid=txid or "",
        consumes=consumes,
    )


def _check_conflicts(subject: str, all_made: Sequence[_Made]) -> Iterator[Violation]:
    """Of all bytes ever signed for a payment, or an intent, no two can be mined together."""
    transactions = [made for made in all_made if made.txid]
    for place, one in enumerate(transactions):
        for other in transactions[place + 1 :]:
            if not one.consumes & other.consumes:
                text = f"{one.name} and {other.name} could both be mined"
                yield _wrong("no_conflict", subject, text)


def _check_booked(tx: Connection, payment_id: str, status: PaymentStatus) -> Iterator[Violation]:
    """A completed payment has its batch; any other has none."""
    cause = f"payment:{payment_id}:completed"
    batches = tx.execute(
        select(ledger_batches.c.height).where(ledger_batches.c.cause == cause)
    ).all()
    is_safe_payload = (
        status is PaymentStatus.COMPLETED and not batches and _is_payload(tx, payment_id)
    )
    if (status is PaymentStatus.COMPLETED) != (len(batches) == 1) and not is_safe_payload:
        text = f"{status}, with {len(batches)} batches of its completion"
        yield _wrong("booked", payment_id, text)


def _is_payload(tx: Connection, payment_id: str) -> bool:
    """Whether another payment executes or carries it; then that one is what is booked."""
    child = select(payments.c.id).where(payments.c.parent_id == payment_id)
    carried = select(delegations.c.payment_id).where(delegations.c.payment_id == payment_id)
    return any(tx.execute(one.limit(1)).one_or_none() for one in (child, carried))


def _check_withdrawal(tx: Connection, row: Any, made: Sequence[_Made]) -> Iterator[Violation]:
    """A completed withdrawal was paid by one completed payment, and its hold was posted there."""
    is_completed = row.status == str(WithdrawalStatus.COMPLETED)
    ended = ending_of(tx, row.id)
    posted = [] if ended is None or ended.kind is TransferKind.VOID else [ended]
    if is_completed != bool(posted):
        yield _wrong("posted", row.id, f"{row.status}, with {len(posted)} postings of its hold")
    if not is_completed:
        return
    booked = [one for one in made if one.status is PaymentStatus.COMPLETED]
    if row.payment_id not in {one.payment_id for one in booked}:
        yield _wrong(
            "unpaid", row.id, "completed, and no completed payment has signed bytes for it"
        )
    for end in posted:
        if end.cause != f"payment:{row.payment_id}:completed":
            yield _wrong("posted", row.id, f"its hold was posted by {end.cause}")
        if end.units != row.units + row.fee_units:
            yield _wrong("amount", row.id, f"posted {end.units}, held {row.units + row.fee_units}")


def _wrong(check: str, subject: str, text: str) -> Violation:
    return Violation(code=f"paid_once.{check}", subject=subject, text=text)
