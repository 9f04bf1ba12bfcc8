"""Look at the chains past our own service: what a node's blocks say that an address was paid."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chains.evm.addresses import from_text
from chains.types import OutPoint
from chains.utxo import addresses, blocks
from chains.utxo.params import BUILTIN
from wallet.demo.deployment import ETH
from wallet.devnet.devnet import Devnet

_TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""keccak-256 of Transfer(address,address,uint256)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """One payment to an address, in a block."""

    txid: str
    asset: str
    units: int


@dataclass(frozen=True, slots=True)
class _One:
    """What the block reader looks for: one script, no outputs."""

    targets: frozenset[bytes]
    outpoints: frozenset[OutPoint] = frozenset()


def paid_on_chain(devnet: Devnet, network: str, address: str) -> list[Paid]:
    """Every payment that the node's best chain made to an address outside of our wallet."""
    if network == ETH:
        return list(_paid_account(devnet, address))
    return list(_paid_script(devnet, network, address))


def _paid_script(devnet: Devnet, network: str, address: str) -> Iterator[Paid]:
    params = BUILTIN[network]
    watched = _One(frozenset({addresses.parse(params, address).target}))
    top = int(str(devnet.rpc(network, "getblockcount")))
    for height in range(top + 1):
        block_hash = str(devnet.rpc(network, "getblockhash", height))
        raw = bytes.fromhex(str(devnet.rpc(network, "getblock", block_hash, False)))
        scan = blocks.scan_block(params, raw, height, watched, block_hash, asset=params.native)
        for inflow in scan.inflows:
            yield Paid(txid=inflow.txid, asset=params.native, units=inflow.units)


def _paid_account(devnet: Devnet, address: str) -> Iterator[Paid]:
    target = from_text(address)
    codes = {contract.lower(): code for code, contract in devnet.contracts.tokens.items()}
    topic = "0x" + target.rjust(32, b"\x00").hex()
    query = {"fromBlock": "0x0", "toBlock": "latest", "topics": [_TRANSFER, None, topic]}
    logs: Any = devnet.rpc(ETH, "eth_getLogs", query)
    for log in logs:
        if log["address"].lower() in codes:
            yield Paid(
                txid=log["transactionHash"],
                asset=codes[log["address"].lower()],
                units=int(log["data"], 16),
            )
    top = int(str(devnet.rpc(ETH, "eth_blockNumber")), 16)
    for height in range(top + 1):
        block: Any = devnet.rpc(ETH, "eth_getBlockByNumber", hex(height), True)
        for tx in block["transactions"]:
            if (tx["to"] or "").lower() == address.lower() and int(tx["value"], 16):
                yield Paid(txid=tx["hash"], asset="ETH", units=int(tx["value"], 16))
