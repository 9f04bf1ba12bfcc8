"""What the signer remembers: the log replayed into tables that guards and policy ask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, assert_never

from policies.facts import PaymentFacts
from signer.errors import Refused
from signer.guards.facts import SignedBytes, SignedPayment, SpendFacts
from signer.log import LogKind, LogTampered, Record
from signer.lookalike import outline
from signer.protocol import LedgerHead, SignerState, SignRequest
from signer.registry import Account
from signer.replay import paid_addresses, payment_data
from signer.spending import Counted, Flow, Spending


@dataclass(frozen=True, slots=True)
class VaultRecord:
    """A registration as the log holds it."""

    name: str
    role: str
    text: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class Remembered:
    """An answered request: the digest of exactly that request, and where its record starts."""

    request_digest: bytes
    offset: int


class BackupEvent(StrEnum):
    """What a backup record says happened."""

    SPLIT = "split"
    DRILL = "drill"
    EXPORT = "export"


@dataclass(slots=True)
class State:
    """Tables built from records alone; `apply` is the only writer."""

    signer_id: str = ""
    fingerprint: str = ""
    identity: bytes = b""
    origin: str = ""
    config_sha256: bytes = b""
    policy_sha256: bytes = b""
    activations: int = 0
    governance_quorum: int = 0
    siblings: dict[str, SignerState] = field(default_factory=dict)
    ledger_head: LedgerHead | None = None
    backup_id: str = ""
    drilled_s: int = 0
    accounts: dict[tuple[int, ...], Account] = field(default_factory=dict)
    vaults: dict[str, VaultRecord] = field(default_factory=dict)
    _requests: dict[str, Remembered] = field(default_factory=dict)
    _intents: set[bytes] = field(default_factory=set)
    _intent_ids: set[str] = field(default_factory=set)
    _signed_for: dict[bytes, list[SignedBytes]] = field(default_factory=dict)
    _outpoints: dict[tuple[str, str], int] = field(default_factory=dict)
    _nonces: dict[tuple[str, str], int] = field(default_factory=dict)
    _payments: dict[tuple[str, str, int], SignedPayment] = field(default_factory=dict)
    _change: dict[str, int] = field(default_factory=dict)
    _spending: Spending = field(default_factory=Spending)
    _r_values: dict[bytes, bytes] = field(default_factory=dict)
    _rollbacks: set[bytes] = field(default_factory=set)
    _payees: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def apply(self, record: Record) -> None:
        """Take a record into the tables. Raises LogTampered for one of another shape."""
        if not record.authenticated and record.kind is not LogKind.REFUSED:
            raise LogTampered(f"got record {record.seq} ({record.kind}) without a MAC")
        try:
            self._apply(record, record.data)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise LogTampered(f"got record {record.seq} of another shape: {error!r}") from error

    def _apply(self, record: Record, data: Mapping[str, Any]) -> None:
        match record.kind:
            case LogKind.CREATED:
                self.signer_id = data["signer_id"]
                self.fingerprint = data["fingerprint"]
                self.identity = data["identity"]
                self.origin = data["origin"]
            case LogKind.CONFIGURED:
                self.config_sha256 = data["config_sha256"]
                self.policy_sha256 = data["policy_sha256"]
                self.activations += 1
                self.governance_quorum = data.get("governance_quorum", 0)
            case LogKind.ACCOUNT:
                path = tuple(data["path"])
                self.accounts[path] = Account(network=data["network"], path=path, xpub=data["xpub"])
            case LogKind.REGISTERED:
                self.vaults[data["name"]] = VaultRecord(
                    data["name"], data["role"], data["text"], data["proof"]
                )
            case LogKind.SIGNED:
                self._signed(record, data)
            case LogKind.REFUSED:
                # A record without a MAC could be anybody's: it must not use up a request id.
                if record.authenticated and data["request_id"]:
                    self._remember(record, data)
            case LogKind.BACKUP:
                self._backed_up(BackupEvent(data["event"]), data["backup_id"], record.time_s)
            case _:
                assert_never(record.kind)

    def _backed_up(self, event: BackupEvent, backup_id: str, time_s: int) -> None:
        if event is BackupEvent.SPLIT:
            self.backup_id, self.drilled_s = backup_id, 0
        elif event is BackupEvent.DRILL and backup_id == self.backup_id:
            self.drilled_s = time_s

    def _remember(self, record: Record, data: Mapping[str, Any]) -> None:
        self._requests[data["request_id"]] = Remembered(data["request_digest"], record.offset)

    def _signed(self, record: Record, data: Mapping[str, Any]) -> None:
        self._remember(record, data)
        network, source = data["network"], data["source"]
        for intent_id, intent_digest in data["intents"]:
            self._intent_ids.add(intent_id)
            self._intents.add(intent_digest)
        for outpoint, units in data["outpoints"]:
            self._outpoints[(network, outpoint)] = units
        for address, nonce in data["nonces"]:
            place = (network, address)
            self._nonces[place] = max(nonce, self._nonces.get(place, 0))
            # Records from before replacement was allowed hold no digest: nothing replaces them.
            payment = SignedPayment(data.get("payees_digest", b""), data["fee_units"])
            self._payments[(network, address, nonce)] = payment
        for index in data["change"]:
            self._change[source] = max(index, self._change.get(source, 0))
        for r_value, digest in data["r_values"]:
            self._r_values[r_value] = digest
        for address in paid_addresses(data):
            self._payees.setdefault((network, outline(address)), set()).add(address)
        for name, counter, log_head in data.get("prev_state", ()):
            self._heard(SignerState(signer_id=name, counter=counter, log_head=log_head))
        for rollback_digest, _approvers in data.get("ledger_rollback", ()):
            self._rollbacks.add(rollback_digest)
            self.ledger_head = None  # what was known of the ledger was undone
        for height, state_hash, time_s in data.get("ledger_head", ()):
            self._anchor(LedgerHead(height=height, state_hash=state_hash, time_s=time_s))
        flow = (network, data["asset"], source, data["purpose"])
        if data["units"] and not data.get("replaces"):
            # What pays nobody must not push a payment out of a count of signatures, and what
            # replaces a payment was counted with it.
            self._spending.add(flow, record.time_s, data["units"])
        self._keep_bytes(record, data)

    def _keep_bytes(self, record: Record, data: Mapping[str, Any]) -> None:
        """What a replacement is compared with. A record from before they were allowed has none."""
        if "consumes" not in data:
            return
        intents = frozenset(intent_digest for _, intent_digest in data["intents"])
        first = data["replaces"] or [record.time_s, data["units"]]
        signed = SignedBytes(
            intents=intents,
            consumes=frozenset(data["consumes"]),
            payees_digest=data["payees_digest"],
            fee_units=data["fee_units"],
            time_s=first[0],
            units=first[1],
        )
        for intent_digest in intents:
            self._signed_for.setdefault(intent_digest, []).append(signed)

    def _heard(self, heard: SignerState) -> None:
        """Keep the newest that was said of another signer."""
        known = self.siblings.get(heard.signer_id)
        if heard.signer_id != self.signer_id and (known is None or known.counter < heard.counter):
            self.siblings[heard.signer_id] = heard

    def _anchor(self, head: LedgerHead) -> None:
        """Keep the highest head of the service's ledger that something was signed with.

        One from before the one that is known is of heights that were undone since.
        """
        known = self.ledger_head
        if known is None or (known.height < head.height and known.time_s <= head.time_s):
            self.ledger_head = head

    def rollback_used(self, rollback_digest: bytes) -> bool:
        """Whether a rollback of the service's ledger was accepted before."""
        return rollback_digest in self._rollbacks

    def remembered(self, request_id: str) -> Remembered | None:
        """The answered request of that id, or None."""
        return self._requests.get(request_id)

    def intent_signed(self, intent_id: str, intent_digest: bytes) -> bool:
        """Whether an intent, or another with its id, was signed before."""
        return intent_id in self._intent_ids or intent_digest in self._intents

    def signed_for(self, intent_digests: Sequence[bytes]) -> Sequence[SignedBytes]:
        """All that was signed for any of these intents, oldest first."""
        found: dict[int, SignedBytes] = {}
        for intent_digest in intent_digests:
            found |= {id(one): one for one in self._signed_for.get(intent_digest, ())}
        return tuple(found.values())

    def outpoint_units(self, network: str, outpoint: str) -> int | None:
        """Amount seen for `txid:vout` before, or None."""
        return self._outpoints.get((network, outpoint))

    def last_nonce(self, network: str, address: str) -> int | None:
        """Highest nonce signed for an account or a Safe, or None."""
        return self._nonces.get((network, address))

    def signed_payment(self, network: str, address: str, nonce: int) -> SignedPayment | None:
        """What was last signed with a nonce of an account, or None."""
        return self._payments.get((network, address, nonce))

    def change_index_max(self, vault: str) -> int | None:
        """Highest change index signed for in a vault, or None."""
        return self._change.get(vault)

    def spent_units(
        self, flow: Flow, window_s: int, now_s: int, but: SignedBytes | None = None
    ) -> int:
        """What was signed for in the last `window_s` seconds, but for what is replaced."""
        return self._spending.in_window(flow, window_s, now_s, _counted(but))

    def spent_in_row(self, flow: Flow, signatures: int, but: SignedBytes | None = None) -> int:
        """What the last `signatures - 1` payments were for: with the next one, `signatures`."""
        return self._spending.in_row(flow, signatures, _counted(but))

    def payees_like(self, network: str, address: str) -> frozenset[str]:
        """Addresses paid before that look like this one, itself among them if it was paid."""
        return frozenset(self._payees.get((network, outline(address)), ()))

    def check_r_value(self, r_value: bytes, digest: bytes) -> None:
        """Raise Refused if the same R was made for another digest: that reveals the key."""
        if self._r_values.get(r_value, digest) != digest:
            raise Refused("signature.nonce_reused", "got an R value that was used before")


def _counted(signed: SignedBytes | None) -> Counted | None:
    """How signed bytes stand in the windows."""
    return None if signed is None else (signed.time_s, signed.units)


def signed_data(
    request: SignRequest,
    digest: bytes,
    facts: SpendFacts,
    payment: PaymentFacts,
    r_values: list[list[bytes]],
    answer: bytes,
    replaced: SignedBytes | None = None,
    accepted: tuple[bytes, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """The data of a SIGNED record: all that `State` needs, and the answer itself for `recall`.

    `payment` is what the policy judged, so that another policy can judge it again. `accepted` is
    the digest of a rollback of the service's ledger and who approved it.
    """
    prev_state = [[s.signer_id, s.counter, s.log_head] for s in request.prev_state]
    head = request.ledger_head
    return {
        "request_id": request.request_id,
        "request_digest": digest,
        "ledger_head": [[head.height, head.state_hash, head.time_s]] if head else [],
        "ledger_rollback": [[accepted[0], list(accepted[1])]] if accepted else [],
        "network": facts.network,
        "source": facts.source,
        "asset": facts.asset,
        "purpose": str(facts.purpose),
        "units": facts.counted_units,
        "fee_units": facts.fee_units,
        "payees_digest": facts.payees_digest,
        "intents": [[intent.intent_id, intent.digest] for intent in request.intents],
        "consumes": sorted(facts.consumes),
        "replaces": [] if replaced is None else [replaced.time_s, replaced.units],
        "outpoints": [[outpoint, units] for outpoint, units in sorted(facts.outpoints.items())],
        "nonces": [list(facts.nonce)] if facts.nonce else [],
        "change": [change.index for change in facts.change],
        "r_values": r_values,
        "payment": payment_data(payment),
        "prev_state": prev_state,
        "answer": answer,
    }
