"""Requests `SR1` and answers `SA1`."""

from dataclasses import dataclass
from enum import StrEnum

from signer.errors import ProtocolError
from signer.protocol.intents import (
    PAYEES_MAX,
    Approval,
    Intent,
    Kind,
    OwnOutput,
    own_list,
    own_output,
)
from signer.protocol.rollbacks import ApprovedRollback
from signer.protocol.wire import Fields, as_blob, as_text, as_units, dump

INTENTS_MAX = 500
"""Payments that one request may carry."""

SIGNERS_MAX = 15
"""Signers that one request may name."""

WINDOWS_MAX = 8
"""Sums that one answer may carry."""

ROLLBACKS_MAX = 8
"""Rollbacks that one request may carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerState:
    """How far a signer's log was when it last answered: the counter and log head it gave."""

    signer_id: str
    counter: int
    log_head: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHead:
    """The last height of the coordinator's ledger at a time, and the hash of all up to it."""

    height: int
    state_hash: bytes
    time_s: int

    def encode(self) -> bytes:
        """The canonical body that the coordinator signs where a head stands by itself."""
        body = {"v": 1, "height": self.height, "state_hash": self.state_hash, "time_s": self.time_s}
        return dump(body)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSum:
    """What a signer has signed for in the last `seconds`, this payment included."""

    seconds: int
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignRequest:
    """A request to sign exact bytes for the stated intents.

    `payload` is a PSBT, an unsigned transaction (EIP-1559: 0x02 || rlp, or EIP-155), a SafeTx as
    `chains.evm.safe.SafeTx.encode` writes it (ABI), an EIP-7702 authorisation (0x05 || rlp), or a
    transaction that may carry some (0x04 || rlp).
    `sender` (EVM) is the key's origin. `own` lists re-derivable addresses among payees.
    `ledger_head` is the head of the ledger the request came from: signers keep it in their logs.
    `rollbacks` took that ledger back, by approval of staff, from heights it has not passed again.
    `prev_state` is what each signer last said of its log, so that one put back notices itself.
    `safe_nonce` goes with a transaction that executes a Safe's: its owners' signatures cover the
    Safe's nonce, and calldata does not hold it. It makes the request version 2.
    """

    request_id: str
    created_s: int
    expires_s: int
    network: str
    source: str
    kind: Kind
    payload: bytes
    intents: tuple[Intent, ...]
    approvals: tuple[Approval, ...] = ()
    sender: OwnOutput | None = None
    own: tuple[OwnOutput, ...] = ()
    signers: tuple[str, ...] = ()
    prev_state: tuple[SignerState, ...] = ()
    safe_nonce: int | None = None
    ledger_head: LedgerHead | None = None
    rollbacks: tuple[ApprovedRollback, ...] = ()

    def encode(self) -> bytes:
        """The canonical body that the coordinator signs."""
        fields = {
            "v": 1,
            "request_id": self.request_id,
            "created_s": self.created_s,
            "expires_s": self.expires_s,
            "network": self.network,
            "source": self.source,
            "kind": str(self.kind),
            "payload": self.payload,
            "intents": [intent.encode() for intent in self.intents],
            "approvals": [[approval.body, approval.sig] for approval in self.approvals],
            "sender": [own_list(self.sender)] if self.sender else [],
            "own": [own_list(own) for own in self.own],
            "signers": list(self.signers),
        }
        if self.prev_state:
            states = self.prev_state
            fields["prev_state"] = [[one.signer_id, one.counter, one.log_head] for one in states]
        head = self.ledger_head
        if head is not None:
            fields["ledger_head"] = [head.height, head.state_hash, head.time_s]
        if self.rollbacks:
            fields["rollbacks"] = [rollback.encode() for rollback in self.rollbacks]
        if self.safe_nonce is not None:
            fields |= {"v": 2, "safe_nonce": self.safe_nonce}
        return dump(fields)

    @classmethod
    def decode(cls, body: bytes) -> "SignRequest":
        """Parse canonical bytes. Raises ProtocolError."""
        fields = Fields(body, "request")
        senders = [own_output(item) for item in fields.items("sender", 1)]
        approvals = tuple(
            Approval(body=as_blob(item[0]), sig=as_blob(item[1]))
            for item in fields.pairs("approvals", PAYEES_MAX)
        )
        version = fields.version(2)
        request = cls(
            request_id=fields.text("request_id"),
            created_s=fields.units("created_s"),
            expires_s=fields.units("expires_s"),
            network=fields.text("network"),
            source=fields.text("source"),
            kind=fields.choice("kind", Kind),
            payload=fields.blob("payload"),
            intents=tuple(
                Intent.decode(as_blob(item)) for item in fields.items("intents", INTENTS_MAX)
            ),
            approvals=approvals,
            sender=senders[0] if senders else None,
            own=tuple(own_output(item) for item in fields.items("own", INTENTS_MAX + PAYEES_MAX)),
            signers=tuple(as_text(item) for item in fields.items("signers", SIGNERS_MAX)),
            prev_state=_prev_state(fields),
            ledger_head=_ledger_head(fields),
            rollbacks=tuple(
                ApprovedRollback.decode(item)
                for item in fields.later_items("rollbacks", ROLLBACKS_MAX)
            ),
            safe_nonce=fields.units("safe_nonce") if version == 2 else None,
        )
        fields.done()
        for approval in request.approvals:
            approval.check()
        return request


def _ledger_head(fields: Fields) -> LedgerHead | None:
    found = fields.later_items("ledger_head", 3)
    if not found:
        return None
    if len(found) != 3:
        raise ProtocolError("got a ledger's head of another shape, expected three fields")
    head = LedgerHead(
        height=as_units(found[0]), state_hash=as_blob(found[1]), time_s=as_units(found[2])
    )
    if head.height == 0 or len(head.state_hash) != 32:
        raise ProtocolError("got a ledger's head without a height, or without a hash of 32 bytes")
    return head


def _prev_state(fields: Fields) -> tuple[SignerState, ...]:
    found = []
    for item in fields.later_items("prev_state", SIGNERS_MAX):
        if not isinstance(item, list) or len(item) != 3:
            raise ProtocolError("got a signer's state of another shape, expected three fields")
        name, counter, log_head = as_text(item[0]), as_units(item[1]), as_blob(item[2])
        found.append(SignerState(signer_id=name, counter=counter, log_head=log_head))
    if len({state.signer_id for state in found}) != len(found):
        raise ProtocolError("got the state of a signer twice")
    return tuple(found)


class Result(StrEnum):
    """The two ends of a request."""

    SIGNED = "signed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSignature:
    """One signature: DER + sighash byte for a PSBT input, 65 bytes r||s||v for EVM and Safe.

    `index` is the PSBT input, else 0; `public_key` is the compressed key, or the 20 address bytes.
    """

    index: int
    public_key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SignAnswer:
    """A signer's answer; only the coarse `code` of a refusal leaves the signer.

    `counter` is the number of the record that holds this answer, `log_head` the head before it.
    `windows` is what was spent of the same network, asset, source and purpose; when refused, none.
    """

    request_id: str
    request_digest: bytes
    result: Result
    code: str
    signatures: tuple[InputSignature, ...]
    signer_id: str
    policy_hash: str
    counter: int
    log_head: bytes
    windows: tuple[WindowSum, ...] = ()

    @property
    def state(self) -> SignerState:
        """How far the signer's log is with this answer."""
        return SignerState(signer_id=self.signer_id, counter=self.counter, log_head=self.log_head)

    def encode(self) -> bytes:
        """The canonical body that the signer's identity key signs."""
        later = [[window.seconds, window.units] for window in self.windows]
        return dump(
            {
                **({"windows": later} if later else {}),
                "v": 1,
                "request_id": self.request_id,
                "request_digest": self.request_digest,
                "result": str(self.result),
                "code": self.code,
                "signatures": [[s.index, s.public_key, s.signature] for s in self.signatures],
                "signer_id": self.signer_id,
                "policy_hash": self.policy_hash,
                "counter": self.counter,
                "log_head": self.log_head,
            }
        )

    @classmethod
    def decode(cls, body: bytes) -> "SignAnswer":
        """Parse canonical bytes. Raises ProtocolError."""
        fields = Fields(body, "answer")
        signatures = []
        for item in fields.items("signatures", 10_000):
            if not isinstance(item, list) or len(item) != 3:
                raise ProtocolError("got a signature of another shape, expected three fields")
            signatures.append(
                InputSignature(
                    index=as_units(item[0]),
                    public_key=as_blob(item[1]),
                    signature=as_blob(item[2]),
                )
            )
        answer = cls(
            request_id=fields.text("request_id"),
            request_digest=fields.blob("request_digest"),
            result=fields.choice("result", Result),
            code=fields.text("code"),
            signatures=tuple(signatures),
            signer_id=fields.text("signer_id"),
            policy_hash=fields.text("policy_hash"),
            counter=fields.units("counter"),
            log_head=fields.blob("log_head"),
            windows=_windows(fields),
        )
        fields.done(version=1)
        return answer


def _windows(fields: Fields) -> tuple[WindowSum, ...]:
    found = []
    for item in fields.later_items("windows", WINDOWS_MAX):
        if not isinstance(item, list) or len(item) != 2:
            raise ProtocolError("got a window of another shape, expected two fields")
        found.append(WindowSum(seconds=as_units(item[0]), units=as_units(item[1])))
    return tuple(found)
