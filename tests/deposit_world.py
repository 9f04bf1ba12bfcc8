"""A UTXO chain written by hand, one user with a deposit address, and the watcher that follows."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import insert, select

from chains.ports import Watched
from chains.types import Asset, BlockRef, BlockScan, Evidence, Family, Inflow, Spend
from chains.utxo.transactions import Transaction, TxInput, TxOutput
from wallet.deposits.rules import DepositRules
from wallet.deposits.watcher import Seen, Watcher
from wallet.events import read_events, verify_chain
from wallet.ledger import chart
from wallet.ledger.posting import balance
from wallet.milestones import pass_by
from wallet.settings import AssetSettings, ConfirmationTier
from wallet.store.database import Database
from wallet.store.schema import accounts, addresses, deposits

NETWORK = "bitcoin-regtest"
USER = "user-1"
TARGETS = {"deposit": b"\x00\x20" + b"d" * 32, "hot": b"\x00\x20" + b"h" * 32}


class FixedClock:
    """A clock that stands still."""

    def now_s(self) -> int:
        return 1_700_000_000


@dataclass
class ScriptedChain:
    """A UTXO chain whose blocks a test writes by hand."""

    network: str = NETWORK
    family: Family = Family.UTXO
    assets: tuple[Asset, ...] = (Asset(code="BTC", network=NETWORK, decimals=8),)
    blocks: list[tuple[BlockRef, tuple[Transaction, ...]]] = field(default_factory=list)

    def mine(self, *transactions: Transaction, salt: str = "") -> BlockRef:
        height = len(self.blocks)
        parent = self.blocks[-1][0].hash if self.blocks else "00" * 32
        names = "".join(tx.txid for tx in transactions)
        digest = hashlib.sha256(f"{parent}{height}{salt}{names}".encode()).hexdigest()
        ref = BlockRef(height=height, hash=digest, parent=parent, time_s=height)
        self.blocks.append((ref, transactions))
        return ref

    def drop(self, depth: int) -> None:
        del self.blocks[-depth:]

    def tip(self) -> BlockRef:
        return self.blocks[-1][0]

    def block_at(self, height: int) -> BlockRef:
        return self.blocks[height][0]

    def scan(self, block: BlockRef, watched: Watched) -> BlockScan:
        ref, transactions = self.blocks[block.height]
        inflows, spends = [], []
        for tx in transactions:
            spends += [
                Spend(outpoint=o, txid=tx.txid) for o in tx.outpoints() if o in watched.outpoints
            ]
            inflows += [
                Inflow(
                    txid=tx.txid,
                    position=f"out:{n}",
                    asset="BTC",
                    target=output.script,
                    units=output.sats,
                    evidence=Evidence.OUTPUT,
                    raw_tx=tx.serialize(),
                )
                for n, output in enumerate(tx.outputs)
                if output.script in watched.targets
            ]
        return BlockScan(ref=ref, inflows=tuple(inflows), spends=tuple(spends))


def pay(*outputs: tuple[str, int], spends: str = "aa" * 32, nonce: int = 0) -> Transaction:
    return Transaction(
        inputs=(TxInput(txid=spends, vout=nonce),),
        outputs=tuple(TxOutput(sats=sats, script=TARGETS[name]) for name, sats in outputs),
    )


RULES = DepositRules(
    asset=AssetSettings(
        code="BTC",
        network=NETWORK,
        decimals=8,
        deposit_units_min=1_000,
        confirmations=(
            ConfirmationTier(from_units=0, confirmations=2),
            ConfirmationTier(from_units=1_000_000, confirmations=4),
        ),
    )
)


@dataclass
class Bench:
    """A database with one user and one address of each purpose, and a watcher on a chain."""

    database: Database
    chain: ScriptedChain
    watcher: Watcher

    def follow(self) -> list[Seen]:
        seen = []
        while True:
            seen.append(self.watcher.step().seen)
            if seen[-1] is Seen.SAME:
                return seen

    def rows(self) -> list[tuple[str, int]]:
        with self.database.read() as tx:
            found = tx.execute(select(deposits).order_by(deposits.c.txid, deposits.c.position))
            return [(row.status, row.units) for row in found]

    def owned(self, owner: str = "") -> int:
        with self.database.read() as tx:
            return balance(tx, owner or chart.user(USER), "BTC").net

    def event_types(self) -> list[str]:
        with self.database.read() as tx:
            verify_chain(tx)
            return [event.type for event in read_events(tx, 0, 1000)]


def make_bench(
    database: Database,
    milestone: Callable[[str], None] = pass_by,
    chain: ScriptedChain | None = None,
) -> Bench:
    chain = chain or ScriptedChain()
    with database.write() as tx:
        if tx.execute(select(accounts)).first() is None:
            tx.execute(insert(accounts).values(id=USER, external_id="u", created_s=0))
        if tx.execute(select(addresses)).first() is None:
            for number, (purpose, target) in enumerate(TARGETS.items()):
                tx.execute(
                    insert(addresses).values(
                        id=f"address-{purpose}",
                        account_id=USER if purpose == "deposit" else None,
                        network=NETWORK,
                        source="bitcoin-hot",
                        branch=0,
                        position=number,
                        purpose=purpose,
                        address=f"address {purpose}",
                        target=target,
                        created_s=0,
                    )
                )
    watcher = Watcher(chain, database, {"BTC": RULES}, 0, FixedClock(), milestone)  # type: ignore[arg-type]
    return Bench(database=database, chain=chain, watcher=watcher)
