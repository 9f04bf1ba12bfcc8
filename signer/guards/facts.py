"""What every guard is given and what it must return, whatever the chain.

A guard reads decoded bytes and what this signer itself has registered; claims in the request are
only compared against that. It raises `signer.errors.Refused` with its own code for every check.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from chains.utxo.params import UtxoParams
from signer.protocol import Purpose, dump


class Role(StrEnum):
    """What a registered vault is for; given by a person at registration."""

    HOT = "hot"
    COLD = "cold"
    DEPOSIT = "deposit"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnKey:
    """One of our keys in a vault: its full path from the master key and its account xpub."""

    path: tuple[int, ...]
    xpub: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredVault:
    """A vault that a person registered in this signer.

    `vault` is what `chains.vaults.load_vault` gave. `own` is our key in it, None where the vault is
    known only as a destination (a cold vault registered in a hot signer, and the reverse).
    `custodians` name who keeps each key, in the order of the vault; empty if the file does not.
    """

    name: str
    network: str
    role: Role
    vault: Any
    own: OwnKey | None
    custodians: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRule:
    """A token this signer may transfer; everything about it is pinned."""

    code: str
    contract: str
    decimals: int
    symbol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRules:
    """Hard limits of one network, from this signer's own file; a policy can only be stricter.

    `fee_units_max` is in base units of `asset`, the native asset; `fee_ppm_max` is the fee's share
    of the native value paid; `feerate_max` is sats per 1000 vbytes, or wei per gas (maxFeePerGas).
    `chain_id` is None on a UTXO network and `utxo` None on an EVM one. `tokens` maps asset codes.
    `sweeper` is the EIP-55 address of the only contract that deposit addresses may delegate to
    (EIP-7702), empty where none; `batch_gas_limit_max` is what one batch by it may take. `legacy`
    allows EIP-155 transactions, for chains without EIP-1559.
    """

    id: str
    asset: str
    decimals: int
    fee_units_max: int
    fee_ppm_max: int
    feerate_max: int
    chain_id: int | None = None
    utxo: UtxoParams | None = None
    gas_limit_max: int = 0
    nonce_gap_max: int = 0
    inputs_max: int = 500
    outputs_max: int = 500
    change_gap_max: int = 200
    tokens: Mapping[str, TokenRule] = field(default_factory=dict)
    sweeper: str = ""
    batch_gas_limit_max: int = 0
    legacy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBytes:
    """What was signed for some intents, as far as a replacement is compared with it.

    `consumes` are outpoints "txid:vout", or "address/nonce": two transactions that share one
    conflict. `time_s` and `units` are how it was counted in windows.
    """

    intents: frozenset[bytes]
    consumes: frozenset[str]
    payees_digest: bytes
    fee_units: int
    time_s: int
    units: int


@dataclass(frozen=True, slots=True)
class SignedPayment:
    """What was last signed with a nonce: a digest of who gets what, and the most fee."""

    payees_digest: bytes
    fee_units: int


class Memory(Protocol):
    """What the signer remembers from its own log, as far as guards need it."""

    def outpoint_units(self, network: str, outpoint: str) -> int | None:
        """Amount this signer saw for `txid:vout` before, or None."""
        ...

    def last_nonce(self, network: str, address: str) -> int | None:
        """Highest nonce signed for an EIP-55 address (an account or a Safe), or None."""
        ...

    def signed_payment(self, network: str, address: str, nonce: int) -> SignedPayment | None:
        """What was last signed with a nonce of an account, or None."""
        ...

    def change_index_max(self, vault: str) -> int | None:
        """Highest change index signed for in a vault, or None."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardContext:
    """All that a guard may look at besides the request."""

    now_s: int
    vaults: Mapping[str, RegisteredVault]
    networks: Mapping[str, NetworkRules]
    memory: Memory


class Owner(StrEnum):
    """Whose address a payee is, as this signer derived it; the words of `policies`."""

    NONE = "none"
    HOT = "hot"
    COLD = "cold"
    DEPOSIT = "deposit"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayeeFact:
    """A payment as the bytes say it; `source` and `path` are set when the signer derived it."""

    intent_id: str
    address: str
    units: int
    owner: Owner
    source: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFact:
    """Money that comes back to the paying vault, re-derived by this signer."""

    address: str
    units: int
    branch: int
    index: int


class SignatureForm(StrEnum):
    """How a signature is written into the answer."""

    DER_ALL = "der_all"
    """DER and the byte 0x01 (SIGHASH_ALL)."""
    SCHNORR = "schnorr"
    """BIP-340 by the taproot output key, 64 bytes: type DEFAULT."""
    SCHNORR_ALL = "schnorr_all"
    """The same and the byte 0x01, where the input asks for ALL in so many words."""
    RSV = "rsv"
    """r || s || v, 65 bytes; v is 27 or 28."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningJob:
    """One digest to sign and the key that must sign it.

    `public_key` is the compressed key that the guard derived from the registered vault; the engine
    signs only if the private key at `path` gives exactly it. `answer_key` is what the answer names:
    the compressed key for a PSBT, the 20 address bytes on an EVM chain. On taproot they are the
    x-only internal key and output key.
    """

    index: int
    digest: bytes
    path: tuple[int, ...]
    public_key: bytes
    answer_key: bytes
    form: SignatureForm


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernanceFact:
    """A change of a Safe. `binds` and `address` say which contract it would be tied to, if any."""

    action: str
    binds: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationFact:
    """Leave for a contract to act as a deposit address (EIP-7702)."""

    delegate: str


@dataclass(frozen=True, slots=True)
class UnstickFact:
    """A nonce is used up by a payment of nothing to ourselves; only its fee is spent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFact:
    """Deposit addresses that the sweeper empties to hot, and how many of them give their leave."""

    sweeper: str
    accounts: int
    authorizations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservesFact:
    """Coins or accounts are shown to be ours, for the statement with this digest."""

    statement: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendFacts:
    """What the exact bytes do, as this signer understood them.

    `payees` is in base units of `asset`, each tied to the intent it fulfils; `fee_units` is the
    most the network can take, in base units of the native asset; `size` is vbytes or the gas
    limit; `feerate` is sats per 1000 vbytes (rounded up) or wei per gas. `snapshot` is the SHA-256
    of the payload that was reviewed. `outpoints` maps "txid:vout" to its proven amount. `nonce` is
    (EIP-55 address, nonce) on an EVM chain, `inputs` every "txid:vout" on a UTXO chain. `notes` are
    further lines to show (Safe hashes, token contract). `act` is set where nobody is paid: what is
    done instead. `replaces`: a Safe's nonce was signed before; then somebody must have approved,
    whatever the tiers say. `act_digest` is of an act that may be sent again at a higher fee, empty
    for any other.
    """

    purpose: Purpose
    network: str
    asset: str
    source: str
    payees: tuple[PayeeFact, ...]
    change: tuple[ChangeFact, ...]
    fee_units: int
    size: int
    feerate: int
    snapshot: bytes
    jobs: tuple[SigningJob, ...]
    outpoints: Mapping[str, int] = field(default_factory=dict)
    nonce: tuple[str, int] | None = None
    inputs: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    act: GovernanceFact | DelegationFact | UnstickFact | BatchFact | ReservesFact | None = None
    replaces: bool = False
    act_digest: bytes = b""

    @property
    def units(self) -> int:
        """All payees together."""
        return sum(payee.units for payee in self.payees)

    @property
    def counted_units(self) -> int:
        """What windows count: all payees, or the fee where that is all that is spent."""
        return self.fee_units if isinstance(self.act, UnstickFact) else self.units

    @property
    def consumes(self) -> frozenset[str]:
        """What a chain lets only one transaction have: outpoints, or an account's nonce."""
        if self.nonce is None:
            return self.inputs
        address, nonce = self.nonce
        return self.inputs | {f"{address}/{nonce}"}

    @property
    def payees_digest(self) -> bytes:
        """SHA-256 of who gets what, or of what is done instead; empty where it is done once."""
        return payees_digest(self.asset, self.payees) or self.act_digest


def payees_digest(asset: str, payees: Sequence[PayeeFact]) -> bytes:
    """SHA-256 of who gets how much of an asset; empty where nobody is paid."""
    if not payees:
        return b""
    listed = sorted([payee.address, payee.units] for payee in payees)
    return hashlib.sha256(dump([asset, listed])).digest()
