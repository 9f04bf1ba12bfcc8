"""Claims held against a chain, for whoever runs a node: the block, the coins, the balances.

Without a node a claim is only what it says: held at that block, by those keys. With one it is seen.
Addresses of nodes are given on the command line; the standard library's HTTP is enough.
"""

import base64
import json
import urllib.parse
import urllib.request
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .checking import Report
from .ethereum import account_digest
from .failures import Failed
from .statement import AccountClaim, CoinsClaim, Network

TIMEOUT_S = 60
ANSWER_BYTES_MAX = 16 * 1024 * 1024
_BALANCE_OF = "70a08231"
_IS_VALID = "1626ba7e"
"""isValidSignature(bytes32,bytes); the answer to a good one begins the same (EIP-1271)."""

_SATS = 100_000_000


class Node:
    """JSON-RPC to one node."""

    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Failed("node.url", "expected an address that begins with http:// or https://")
        place = parts.hostname + (f":{parts.port}" if parts.port else "")
        self._url = urllib.parse.urlunsplit(parts._replace(netloc=place))
        self._headers = {"Content-Type": "application/json"}
        if parts.username is not None:
            pair = f"{parts.username}:{parts.password or ''}".encode()
            self._headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()

    def ask(self, method: str, *params: Any) -> Any:
        """The result of one call. Raises Failed (node.silent)."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        asked = urllib.request.Request(self._url, body.encode(), self._headers)  # noqa: S310
        try:
            with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as answer:  # noqa: S310
                data = json.loads(answer.read(ANSWER_BYTES_MAX), parse_float=Decimal)
        except (OSError, ValueError) as error:
            raise Failed("node.silent", f"{method}: no answer ({type(error).__name__})") from error
        if not isinstance(data, dict) or data.get("error") or "result" not in data:
            raise Failed("node.silent", f"{method}: the node refused")
        return data["result"]


def check_on_chain(
    report: Report, network_id: str, url: str, proofs: tuple[Mapping[str, Any], ...]
) -> None:
    """Hold all claims on one network against a node; failures go into the report."""
    network = report.statement.networks.get(network_id)
    if network is None:
        text = f"got a node of {network_id}, expected one of {sorted(report.statement.networks)}"
        report.failures.append(Failed("node.network", text))
        return
    before = len(report.failures)
    try:
        node = Node(url)
        _check_block(node, network)
        for claim, proof in zip(report.statement.claims, proofs, strict=False):
            if claim.network != network_id:
                continue
            if isinstance(claim, CoinsClaim):
                _check_coins(node, network, claim)
            else:
                _check_balances(node, network, claim)
                if claim.owners:
                    _ask_safe(node, network, claim, report.digest, str(proof.get("safe", "")))
    except Failed as failed:
        report.failures.append(failed)
    if len(report.failures) == before:
        report.seen_on.append(network_id)


def _check_block(node: Node, network: Network) -> None:
    if network.chain_id is None:
        found = node.ask("getblockhash", network.height)
    else:
        if _number(node.ask("eth_chainId")) != network.chain_id:
            raise Failed("node.chain", f"{network.id}: the node is of another chain")
        block = node.ask("eth_getBlockByNumber", hex(network.height), False)
        found = str((block or {}).get("hash", "")).removeprefix("0x")
    if found != network.block_hash.hex():
        raise Failed("node.block", f"{network.id}: another block at height {network.height}")


def _check_coins(node: Node, network: Network, claim: CoinsClaim) -> None:
    """Every coin is still unspent, and was already in a block at the stated height."""
    for coin in claim.coins:
        found = node.ask("gettxout", coin.txid, coin.vout, False)
        name = f"{coin.txid}:{coin.vout}"
        if not isinstance(found, dict):
            raise Failed("node.coin", f"{name} is not there, or was spent since: check in time")
        sats = int(Decimal(found["value"]) * _SATS)
        if (sats, found["scriptPubKey"]["hex"]) != (coin.units, coin.script.hex()):
            raise Failed("node.amount", f"{name} is worth {sats}, claimed are {coin.units}")
        tip = int(node.ask("getblockcount"))
        if tip - int(found["confirmations"]) + 1 > network.height:
            raise Failed("node.late", f"{name} came after block {network.height}")


def _check_balances(node: Node, network: Network, claim: AccountClaim) -> None:
    account, block = "0x" + claim.address.hex(), hex(network.height)
    for holding in claim.holds:
        if holding.contract:
            call = {
                "to": "0x" + holding.contract.hex(),
                "data": "0x" + _BALANCE_OF + claim.address.hex().rjust(64, "0"),
            }
            units = _number(node.ask("eth_call", call, block))
        else:
            units = _number(node.ask("eth_getBalance", account, block))
        if units < holding.units:
            text = f"{account} had {units} {holding.asset}, claimed are {holding.units}"
            raise Failed("node.balance", text)


def _ask_safe(
    node: Node, network: Network, claim: AccountClaim, statement: bytes, packed: str
) -> None:
    """EIP-1271: the Safe itself says whether its owners at that block signed."""
    message = account_digest(statement, network, claim.address)
    size = len(packed) >> 1
    padded = packed + "0" * (-len(packed) % 64)
    data = "0x" + _IS_VALID + message.hex() + f"{64:064x}" + f"{size:064x}" + padded
    call = {"to": "0x" + claim.address.hex(), "data": data}
    try:
        answer = str(node.ask("eth_call", call, hex(network.height)))
    except Failed as failed:
        raise Failed("node.safe", f"the Safe took the signatures for false: {failed}") from failed
    if answer[2:10] != _IS_VALID:
        raise Failed("node.safe", f"0x{claim.address.hex()} says that its owners did not sign")


def _number(value: Any) -> int:
    try:
        return int(str(value), 16)
    except ValueError as error:
        raise Failed("node.silent", "got an answer that is no number") from error
