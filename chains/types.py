"""The values every chain shares. Amounts are `int` base units; hashes are lower-case hex."""

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """How a chain keeps money: unspent outputs, or accounts with a nonce."""

    UTXO = "utxo"
    EVM = "evm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A currency on one network; `contract` is the EIP-55 address of an ERC-20 token.

    `balance_check` holds a token's logs against balances, block by block.
    """

    code: str
    network: str
    decimals: int
    contract: str | None = None
    balance_check: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRef:
    """A block by its hash (64 hex digits, no 0x); a height alone never names a block.

    `bits` is the target in a UTXO chain's header, 0 on chains without proof of work.
    """

    height: int
    hash: str
    parent: str
    time_s: int
    bits: int = 0


class FinalityTag(StrEnum):
    """Blocks that validators stand by (EVM): safe after an epoch, finalized after two."""

    SAFE = "safe"
    FINALIZED = "finalized"


@dataclass(frozen=True, slots=True, order=True)
class OutPoint:
    """An output of a UTXO transaction."""

    txid: str
    vout: int

    def __str__(self) -> str:
        return f"{self.txid}:{self.vout}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A payable destination: the text as given, in canonical form, and the bytes it means.

    `target` is the scriptPubKey on a UTXO chain and the 20 address bytes on an EVM chain.
    It is what blocks are matched against; text never is.
    """

    network: str
    address: str
    target: bytes
    kind: str


class Evidence(StrEnum):
    """How a movement into a watched target was found."""

    OUTPUT = "output"
    LOG = "log"
    TRANSACTION = "transaction"
    TRACE = "trace"
    BALANCE_DELTA = "balance_delta"
    BEACON_WITHDRAWAL = "beacon_withdrawal"
    MEMPOOL = "mempool"  # seen waiting, in no block: never credited


@dataclass(frozen=True, slots=True, kw_only=True)
class Inflow:
    """Money that one block moved to a watched target.

    `position` tells several inflows of one transaction apart: "out:1", "log:7" (number in
    the transaction, not in the block: that changes when a reorg moves it), "tx", "trace:0.2". With
    the txid it is unique for ever. What no transaction explains carries "0x" and the block hash as
    txid: "delta:<hex target>", "withdrawal:7".
    `raw_tx` is the whole transaction on a UTXO chain (a signer wants it as proof), else empty.
    `maturity_blocks` is how many blocks must lie between it and what spends it; 0 for most.
    """

    txid: str
    position: str
    asset: str
    target: bytes
    units: int
    evidence: Evidence
    raw_tx: bytes = b""
    maturity_blocks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What one block did to a watched account: `units` came in, or went out when negative.

    `position` is that of an inflow, or "fee" for what a sender paid for its transaction. `other` is
    the account on the other side, None where the network itself took or gave the money.
    """

    txid: str
    position: str
    asset: str
    target: bytes
    units: int
    other: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetMove:
    """A transfer of a listed token between two accounts, as a transaction's receipt shows it."""

    asset: str
    sender: bytes
    to: bytes
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """A watched output that one block spent."""

    outpoint: OutPoint
    txid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMove:
    """What one block did to a watched address's balance of a token, beside what its logs say.

    `before` and `after` are balances at the parent and at the block, None when the contract or the
    node does not tell; `logged_in` and `logged_out` are sums of Transfer logs.
    """

    asset: str
    target: bytes
    before: int | None
    after: int | None
    logged_in: int
    logged_out: int

    @property
    def unlogged(self) -> int | None:
        """What the balance gained beyond the logs: negative when less arrived than they say."""
        if self.before is None or self.after is None:
            return None
        return self.after - self.before - self.logged_in + self.logged_out


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCode:
    """Which code answered for a token at a block; another fingerprint is another contract.

    `fingerprint` is 64 hex digits over the contract's code and that of what it stands in for.
    """

    asset: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableLog:
    """A Transfer log of a listed token in another shape: what it moved, and whose, nobody can say.

    `position` is "log:7", as of an inflow.
    """

    asset: str
    txid: str
    position: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenOutcome:
    """What a mined transaction did with a token, by its receipt and by balances, in base units.

    `is_logged`: the only Transfer log from the sender is the one expected. `left` is what the
    sender lost, `arrived` what the payee got in that block, other transactions' logs taken out;
    None when the balances are not known.
    """

    is_logged: bool
    left: int | None
    arrived: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockScan:
    """All that one block means to us; `ref.hash` was recomputed from the bytes on UTXO chains.

    `moves` and `codes` are there for tokens whose logs or calls touch what is watched, `unreadable`
    for whomever it may concern.
    """

    ref: BlockRef
    inflows: tuple[Inflow, ...]
    spends: tuple[Spend, ...]
    moves: tuple[TokenMove, ...] = ()
    codes: tuple[TokenCode, ...] = ()
    unreadable: tuple[UnreadableLog, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingTx:
    """A transaction that waits in a node's pool and would pay watched targets.

    `conflicts` names what only one mined transaction can use: the outpoints it spends ("txid:vout")
    or its sender's nonce ("0x...:7"). Amounts are what it says, not what will arrive.
    """

    txid: str
    inflows: tuple[Inflow, ...]
    conflicts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A node's pool: the ids of all that waits, and what of it concerns us as far as looked at."""

    txids: frozenset[str]
    found: tuple[PendingTx, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relative:
    """A waiting transaction, what it builds on, and how much builds on it, itself counted in.

    `parents` are the waiting transactions that it spends from; sizes are vbytes.
    """

    txid: str
    vsize: int
    parents: tuple[str, ...]
    descendants: int
    descendant_vsize: int


class TxState(StrEnum):
    """Where a transaction of ours stands, as one node sees it."""

    UNKNOWN = "unknown"
    MEMPOOL = "mempool"
    MINED = "mined"


@dataclass(frozen=True, slots=True, kw_only=True)
class TxSighting:
    """What a node knows about a txid.

    `block` and `fee_units` (network base units) are set when mined; `succeeded` is False for an
    EVM transaction that reverted.
    """

    txid: str
    state: TxState
    block: BlockRef | None = None
    fee_units: int | None = None
    succeeded: bool = True


class BroadcastOutcome(StrEnum):
    """A node's definite answer to a broadcast."""

    ACCEPTED = "accepted"
    ALREADY_KNOWN = "already_known"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastAnswer:
    """`reason` is one of a typed table of node errors when rejected, `detail` the node's words."""

    outcome: BroadcastOutcome
    txid: str
    reason: str = ""
    detail: str = ""
