"""At the end: ledger against chain for every asset, and every transaction on its node."""

from typing import Any

from wallet.demo.deployment import ETH
from wallet.demo.report import ReconciliationRow
from wallet.demo.stage import Stage, StoryFailed


def reconciled(stage: Stage) -> None:
    """Count what the chains hold and compare. Raises StoryFailed unless all is equal."""
    stage.screen.chapter("ledger against chain, to the base unit")
    for row in stage.reconcile():
        if row["under_way"] != "0":
            raise StoryFailed(f"{row['asset']}: {row['under_way']} units are still under way")
        names = ("asset", "ledger", "chain", "difference")
        stage.report.reconciliation.append(ReconciliationRow(**{n: row[n] for n in names}))
        stage.tell(
            "reconcile",
            "",
            row["asset"],
            f"difference {row['difference']}",
            units=int(row["chain"]),
        )
    off = [row.asset for row in stage.report.reconciliation if row.difference != "0"]
    if off:
        raise StoryFailed(f"books and chain differ for {off}")


def found_on_nodes(stage: Stage) -> None:
    """Ask the nodes for every transaction of the story that must be in the best chain."""
    stage.screen.chapter("every transaction is looked up on its node")
    gone = {row.txid for row in stage.report.steps if row.status.startswith("orphaned")}
    wanted = {(r.network, r.txid) for r in stage.report.steps if r.txid and r.txid not in gone}
    mined = {network: _mined(stage, network) for network in {n for n, _ in wanted}}
    missing = [txid for network, txid in wanted if txid not in mined[network]]
    if missing:
        raise StoryFailed(f"{len(missing)} transactions are in no block: {missing[:3]}")
    stage.tell("nodes", "", "", f"{len(wanted)} transactions found in blocks")


def _mined(stage: Stage, network: str) -> frozenset[str]:
    found: set[str] = set()
    if network == ETH:
        top = int(str(stage.devnet.rpc(network, "eth_blockNumber")), 16)
        for height in range(top + 1):
            evm: Any = stage.devnet.rpc(network, "eth_getBlockByNumber", hex(height), False)
            found.update(evm["transactions"])
        return frozenset(found)
    top = int(str(stage.devnet.rpc(network, "getblockcount")))
    for height in range(top + 1):
        block_hash = stage.devnet.rpc(network, "getblockhash", height)
        block: Any = stage.devnet.rpc(network, "getblock", block_hash, True)
        found.update(block["tx"])
    return frozenset(found)
