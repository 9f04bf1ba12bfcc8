"""What people approve: intents, their payees, and approvals."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from signer.errors import ProtocolError
from signer.protocol.wire import Fields, as_text, as_units, digest, dump

PAYEES_MAX = 500
"""Payees that one intent may carry."""


class Kind(StrEnum):
    """What the payload of a request is."""

    PSBT = "psbt"
    EVM_TX = "evm_tx"
    SAFE_TX = "safe_tx"
    EVM_AUTH = "evm_auth"
    EVM_BATCH = "evm_batch"
    RESERVES = "reserves"


class Purpose(StrEnum):
    """Why money moves, or is shown to be ours; each purpose has rules of its own."""

    WITHDRAWAL = "withdrawal"
    GATHER = "gather"
    TOP_UP = "top_up"
    SWEEP = "sweep"
    REFILL = "refill"
    RESHAPE = "reshape"
    UNSTICK = "unstick"
    GOVERNANCE = "governance"
    RESERVES = "reserves"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """Who gets how much, in base units of the intent's asset."""

    address: str
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What people approve: who is paid what, why, at what fee at most, until when.

    `fee_units_max` is in base units of the network's native asset. Times are Unix seconds.
    `source` names the vault, account or Safe that pays.
    `call` is what an intent without payees does, byte for byte: the calldata of a Safe's call to
    itself (governance), an EIP-7702 authorisation of a deposit address (gather), the calldata of
    a batch by the sweeper (gather, by hot), or a claim (reserves). `hot_units` is
    what hot had of the asset, less what it owed out, when a refill was asked for. Either makes it
    version 2; the bytes, and so the digests, of all other intents are as they were.
    """

    intent_id: str
    purpose: Purpose
    network: str
    asset: str
    source: str
    payees: tuple[Payee, ...]
    fee_units_max: int
    requester: str
    created_s: int
    expires_s: int
    call: bytes = b""
    hot_units: int | None = None

    def encode(self) -> bytes:
        """The canonical bytes that are hashed, approved and compared."""
        fields: dict[str, Any] = {
            "v": 1,
            "intent_id": self.intent_id,
            "purpose": str(self.purpose),
            "network": self.network,
            "asset": self.asset,
            "source": self.source,
            "payees": [[payee.address, payee.units] for payee in self.payees],
            "fee_units_max": self.fee_units_max,
            "requester": self.requester,
            "created_s": self.created_s,
            "expires_s": self.expires_s,
        }
        if self._is_extended:
            hot = [] if self.hot_units is None else [self.hot_units]
            fields |= {"v": 2, "call": self.call, "hot_units": hot}
        return dump(fields)

    @property
    def _is_extended(self) -> bool:
        return bool(self.call) or self.hot_units is not None

    @classmethod
    def decode(cls, body: bytes) -> "Intent":
        """Parse canonical bytes. Raises ProtocolError."""
        fields = Fields(body, "intent")
        payees = tuple(
            Payee(address=as_text(item[0]), units=as_units(item[1]))
            for item in fields.pairs("payees", PAYEES_MAX)
        )
        version = fields.version(2)
        call = fields.blob("call") if version == 2 else b""
        hot = [as_units(item) for item in fields.items("hot_units", 1)] if version == 2 else []
        intent = cls(
            intent_id=fields.text("intent_id"),
            purpose=fields.choice("purpose", Purpose),
            network=fields.text("network"),
            asset=fields.text("asset"),
            source=fields.text("source"),
            payees=payees,
            fee_units_max=fields.units("fee_units_max"),
            requester=fields.text("requester"),
            created_s=fields.units("created_s"),
            expires_s=fields.units("expires_s"),
            call=call,
            hot_units=hot[0] if hot else None,
        )
        fields.done()
        if intent.encode() != body:
            raise ProtocolError("got an intent in another form than its own")
        return intent

    @property
    def digest(self) -> bytes:
        """What an approval names: 32 bytes."""
        return digest("intent", self.encode())

    @property
    def total_units(self) -> int:
        """All payees together."""
        return sum(payee.units for payee in self.payees)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One person's signed yes to one intent. `sig` is Ed25519 over digest("approval", body)."""

    body: bytes
    sig: bytes

    @property
    def approver(self) -> str:
        """The name it claims; verify the signature against a roster before trusting it."""
        return Fields(self.body, "approval").text("approver")

    @property
    def intent_digest(self) -> bytes:
        """The intent it approves."""
        return Fields(self.body, "approval").blob("intent_digest")

    @staticmethod
    def body_of(approver: str, intent_digest: bytes, time_s: int) -> bytes:
        """The bytes a staff member signs to approve."""
        return dump(
            {
                "v": 1,
                "approver": approver,
                "intent_digest": intent_digest,
                "decision": "approve",
                "time_s": time_s,
            }
        )

    def check(self) -> None:
        """Raise ProtocolError unless the body has exactly the known fields."""
        fields = Fields(self.body, "approval")
        fields.text("approver")
        fields.blob("intent_digest")
        fields.units("time_s")
        if fields.text("decision") != "approve":
            raise ProtocolError("got another decision, expected approve")
        fields.done(version=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOutput:
    """Where a payee or sender of ours comes from: the signer re-derives it and compares."""

    address: str
    source: str
    branch: int
    index: int


def own_list(own: OwnOutput) -> list[Any]:
    """An origin as plain values."""
    return [own.address, own.source, own.branch, own.index]


def own_output(item: Any) -> OwnOutput:
    """An origin from plain values. Raises ProtocolError."""
    if not isinstance(item, list) or len(item) != 4:
        raise ProtocolError("got an origin of another shape, expected four fields")
    return OwnOutput(
        address=as_text(item[0]),
        source=as_text(item[1]),
        branch=as_units(item[2]),
        index=as_units(item[3]),
    )
