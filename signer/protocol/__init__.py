"""The signer's wire protocol: requests `SR1`, answers `SA1`, intents and approvals.

All of it is deterministic CBOR (RFC 8949 section 4.2). A signature always covers the exact bytes
received, under a domain-separated SHA-256, because serialising again may not give them back.
This package is all that the online service sees of the signer; it holds no wallet key.
"""

from signer.errors import ProtocolError
from signer.protocol.intents import Approval, Intent, Kind, OwnOutput, Payee, Purpose
from signer.protocol.ownership import AuthenticatorChange, Ownership
from signer.protocol.proposals import PROPOSAL, Proposal
from signer.protocol.requests import (
    ROLLBACKS_MAX,
    InputSignature,
    LedgerHead,
    Result,
    SignAnswer,
    SignerState,
    SignRequest,
    WindowSum,
)
from signer.protocol.reserves import ReservesClaim, ReservesCoin
from signer.protocol.rollbacks import LEDGER_ROLLBACK, ApprovedRollback, LedgerRollback
from signer.protocol.wire import (
    ANSWER,
    APPROVAL,
    LEDGER_HEAD,
    MESSAGE_BYTES_MAX,
    REQUEST,
    IdentityKey,
    Sealed,
    digest,
    dump,
    identity_sign,
    load,
    public_key_of,
    verify,
)
from signer.protocol.words import check_words, clean

__all__ = [
    "ANSWER",
    "APPROVAL",
    "LEDGER_HEAD",
    "LEDGER_ROLLBACK",
    "MESSAGE_BYTES_MAX",
    "PROPOSAL",
    "REQUEST",
    "ROLLBACKS_MAX",
    "Approval",
    "ApprovedRollback",
    "AuthenticatorChange",
    "IdentityKey",
    "InputSignature",
    "Intent",
    "Kind",
    "LedgerHead",
    "LedgerRollback",
    "OwnOutput",
    "Ownership",
    "Payee",
    "Proposal",
    "ProtocolError",
    "Purpose",
    "ReservesClaim",
    "ReservesCoin",
    "Result",
    "Sealed",
    "SignAnswer",
    "SignRequest",
    "SignerState",
    "WindowSum",
    "check_words",
    "clean",
    "digest",
    "dump",
    "identity_sign",
    "load",
    "public_key_of",
    "verify",
]
