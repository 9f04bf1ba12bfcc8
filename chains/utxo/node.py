"""JSON-RPC to a node of the Bitcoin family, as Bitcoin Core documents it (0.21 to 29).

Answers are checked for shape before anyone sees them: a missing, mistyped or unknown field raises
UnexpectedAnswer, because a node that speaks another dialect may mean something else by its numbers.
"""

import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from chains.broadcast_errors import Rejection, is_already_known, rejection_of
from chains.errors import NodeError, NodeRejected, NodeUnavailable, UnexpectedAnswer
from chains.types import Family, Relative

TIMEOUT_S = 30
"""Longest answer waited for; a full block takes well under a second."""

ANSWER_BYTES_MAX = 80_000_000
"""A block of 32 MB in hex, and some room."""

_HASH = re.compile(r"[0-9a-f]{64}")

_CHAIN_INFO = {
    "chain": str,
    "blocks": int,
    "headers": int,
    "bestblockhash": str,
}
_CHAIN_INFO_MORE = {
    "automatic_pruning",
    "backgroundvalidation",
    "bip9_softforks",
    "bits",
    "chainwork",
    "difficulty",
    "initialblockdownload",
    "mediantime",
    "prune_target_size",
    "pruned",
    "pruneheight",
    "signet_challenge",
    "size_on_disk",
    "snapshot",
    "softforks",
    "target",
    "time",
    "verificationprogress",
    "warnings",
}
_TXOUT = {"bestblock": str, "confirmations": int, "coinbase": bool}
_TXOUT_MORE = {"scriptPubKey", "value", "version"}
_FEE_MORE = {"blocks", "errors", "fee", "feerate"}

NOT_FOUND = "not_found"
WARMING_UP = "warming_up"
ALREADY_KNOWN = "already_known"

_BY_CODE: Mapping[int, str] = {
    -5: NOT_FOUND,  # RPC_INVALID_ADDRESS_OR_KEY: unknown block or transaction
    -8: NOT_FOUND,  # RPC_INVALID_PARAMETER: block height out of range
    -22: Rejection.MALFORMED,  # RPC_DESERIALIZATION_ERROR
    -27: ALREADY_KNOWN,  # RPC_VERIFY_ALREADY_IN_CHAIN (also "outputs already in utxo set")
    -28: WARMING_UP,  # RPC_IN_WARMUP
}
"""Bitcoin Core `src/rpc/protocol.h`."""

_NOTHING_KNOWN = ("not found", "not in mempool", "out of range")
"""What nodes say when they know nothing of what was asked."""


class Refusal(NodeRejected):
    """The node answered with an error; `reason` is one of the typed table, or `Rejection.OTHER`."""

    def __init__(self, method: str, reason: str, detail: str) -> None:
        super().__init__(f"{method}: the node refused ({reason}): {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class MempoolInfo:
    """How full a node's mempool is; `feerate_min_text` is coins per 1000 vbytes to get in."""

    transactions: int
    vbytes: int
    feerate_min_text: str


class UtxoNode:
    """One node. A URL may carry `user:password@`; neither is ever shown."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: int = TIMEOUT_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`transport` replaces the network, in tests of what a node may answer."""
        parsed = httpx.URL(url)
        auth = (parsed.username, parsed.password) if parsed.username else None
        self._shown = str(parsed.copy_with(userinfo=b""))
        # The machine's proxy settings must not carry node traffic elsewhere.
        self._client = httpx.Client(
            base_url=self._shown,
            auth=auth,
            timeout=timeout_s,
            trust_env=False,
            transport=transport,
        )
        self._ids = itertools.count(1)

    def __repr__(self) -> str:
        return f"UtxoNode({self._shown})"

    def close(self) -> None:
        """Give connections back."""
        self._client.close()

    def chain_info(self) -> dict[str, Any]:
        """`getblockchaininfo`."""
        info = self.call("getblockchaininfo")
        fields = _fields("getblockchaininfo", info, _CHAIN_INFO, _CHAIN_INFO_MORE)
        _hash("bestblockhash", fields["bestblockhash"])
        return fields

    def block_hash(self, height: int) -> str:
        """The best chain's block at a height. Raises Refusal(not_found) above the tip."""
        return _hash("getblockhash", self.call("getblockhash", height))

    def header(self, block_hash: str) -> bytes:
        """A raw header."""
        return _blob("getblockheader", self.call("getblockheader", block_hash, False))

    def height_of(self, block_hash: str) -> int | None:
        """The height of a block of the best chain; None when it is on a side branch."""
        answer = self.call("getblockheader", block_hash, True)
        if not isinstance(answer, dict):
            raise UnexpectedAnswer("getblockheader: got another shape, expected an object")
        height, depth = answer.get("height"), answer.get("confirmations")
        if type(height) is not int or type(depth) is not int:
            raise UnexpectedAnswer("getblockheader: got no height or confirmations")
        return height if depth > 0 else None

    def block(self, block_hash: str) -> bytes:
        """A raw block."""
        return _blob("getblock", self.call("getblock", block_hash, False))

    def in_mempool(self, txid: str) -> bool:
        """Whether the node holds an unconfirmed transaction."""
        try:
            entry = self.call("getmempoolentry", txid)
        except Refusal as refusal:
            if refusal.reason == NOT_FOUND:
                return False
            raise
        if not isinstance(entry, dict):
            raise UnexpectedAnswer("getmempoolentry: got another shape, expected an object")
        return True

    def relative(self, txid: str) -> Relative | None:
        """`getmempoolentry`: a waiting transaction's place among the others; None without it."""
        try:
            entry = self.call("getmempoolentry", txid)
        except Refusal as refusal:
            if refusal.reason == NOT_FOUND:
                return None
            raise
        return _relative(txid, entry)

    def mempool(self) -> list[str]:
        """The txids of all that waits to be mined."""
        answer = self.call("getrawmempool")
        if not isinstance(answer, list):
            raise UnexpectedAnswer("getrawmempool: got another shape, expected a list")
        return [_hash("getrawmempool", txid) for txid in answer]

    def transaction(self, txid: str) -> bytes | None:
        """A transaction in the mempool, or known by index; None when the node has it no more."""
        try:
            return _blob("getrawtransaction", self.call("getrawtransaction", txid, False))
        except Refusal as refusal:
            if refusal.reason == NOT_FOUND:
                return None
            raise

    def unspent(self, txid: str, vout: int) -> dict[str, Any] | None:
        """`gettxout` without the mempool: a confirmed output that no block has spent."""
        answer = self.call("gettxout", txid, vout, False)
        if answer is None:
            return None
        fields = _fields("gettxout", answer, _TXOUT, _TXOUT_MORE)
        _hash("bestblock", fields["bestblock"])
        return fields

    def indexed_block(self, txid: str) -> str | None:
        """The block of a transaction if the node keeps an index of all of them, else None.

        Only `blockhash` is read; the caller proves it from the block itself.
        """
        try:
            answer = self.call("getrawtransaction", txid, True)
        except Refusal as refusal:
            if refusal.reason == NOT_FOUND:
                return None
            raise
        if not isinstance(answer, dict):
            raise UnexpectedAnswer("getrawtransaction: got another shape, expected an object")
        found = answer.get("blockhash")
        return None if found is None else _hash("blockhash", found)

    def send(self, raw: bytes) -> str:
        """`sendrawtransaction`; the txid the node computed. Raises Refusal."""
        return _hash("sendrawtransaction", self.call("sendrawtransaction", raw.hex()))

    def feerate_text(self, blocks: int) -> str | None:
        """`estimatesmartfee` in coins per 1000 vbytes as decimal text; None without an estimate."""
        answer = self.call("estimatesmartfee", blocks)
        feerate = _fields("estimatesmartfee", answer, {}, _FEE_MORE).get("feerate")
        if feerate is not None and not isinstance(feerate, str | int):
            raise UnexpectedAnswer("estimatesmartfee: got another type, expected a number")
        return None if feerate is None else str(feerate)

    def mempool_info(self) -> MempoolInfo:
        """`getmempoolinfo`; only what is used is read, as versions differ in the rest."""
        answer = self.call("getmempoolinfo")
        if not isinstance(answer, dict):
            raise UnexpectedAnswer("getmempoolinfo: got another shape, expected an object")
        count, vbytes = answer.get("size"), answer.get("bytes")
        least = answer.get("mempoolminfee")
        if type(count) is not int or type(vbytes) is not int or not isinstance(least, str | int):
            raise UnexpectedAnswer("getmempoolinfo: got no size, bytes or mempoolminfee")
        return MempoolInfo(transactions=count, vbytes=vbytes, feerate_min_text=str(least))

    def mempool_fees(self) -> list[tuple[str, int]]:
        """`getrawmempool`: each transaction's fee in coins as decimal text, and its vbytes."""
        answer = self.call("getrawmempool", True)
        if not isinstance(answer, dict):
            raise UnexpectedAnswer("getrawmempool: got another shape, expected an object")
        return [_waiting(entry) for entry in answer.values()]

    def call(self, method: str, *params: object) -> Any:
        """The result of one call; decimal numbers come as text.

        Raises NodeUnavailable, Refusal or UnexpectedAnswer.
        """
        number = next(self._ids)
        request = {"jsonrpc": "1.0", "id": number, "method": method, "params": list(params)}
        try:
            response = self._client.post("", json=request)
        except httpx.HTTPError as error:
            raise NodeUnavailable(f"{method}: {type(error).__name__} from {self._shown}") from None
        body = _body(method, response)
        if body.get("id") != number:
            raise UnexpectedAnswer(f"{method}: got the answer to another question")
        if body.get("error") is not None:
            raise refusal(method, body["error"])
        if "result" not in body:
            raise UnexpectedAnswer(f"{method}: got neither result nor error")
        return body["result"]


def _body(method: str, response: httpx.Response) -> dict[str, Any]:
    if response.status_code in (401, 403):
        raise NodeError(f"{method}: the node refused our credentials: check the node's URL")
    if response.status_code in (502, 503, 504):
        raise NodeUnavailable(f"{method}: got HTTP {response.status_code}")
    if len(response.content) > ANSWER_BYTES_MAX:
        raise UnexpectedAnswer(f"{method}: got {len(response.content)} bytes, too many to read")
    try:
        # Decimal numbers stay text: no float may touch money.
        body = json.loads(response.content, parse_float=str)
    except ValueError:
        raise UnexpectedAnswer(f"{method}: got HTTP {response.status_code} without JSON") from None
    if not isinstance(body, dict):
        raise UnexpectedAnswer(f"{method}: got another shape, expected an object")
    return body


def refusal(method: str, error: object) -> NodeError:
    """A node's error object as ours: a Refusal, or what means that there was no answer."""
    if not isinstance(error, dict):
        return UnexpectedAnswer(f"{method}: got an error of another shape")
    code, words = error.get("code"), str(error.get("message", ""))[:300]
    reason = (_BY_CODE.get(code) if isinstance(code, int) else None) or _by_words(words)
    if reason == WARMING_UP:
        return NodeUnavailable(f"{method}: the node is starting: {words}")
    return Refusal(method, reason, words)


def _by_words(words: str) -> str:
    if is_already_known(Family.UTXO, words):
        return ALREADY_KNOWN
    rejection = rejection_of(Family.UTXO, words)
    if rejection is None and any(part in words.lower() for part in _NOTHING_KNOWN):
        return NOT_FOUND
    return rejection or Rejection.OTHER


def _fields(
    method: str, answer: object, required: Mapping[str, type], more: set[str]
) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise UnexpectedAnswer(f"{method}: got another shape, expected an object")
    unknown = sorted(set(answer) - set(required) - more)
    wrong = sorted(name for name, kind in required.items() if type(answer.get(name)) is not kind)
    if unknown or wrong:
        raise UnexpectedAnswer(f"{method}: got unknown fields {unknown}, missing or wrong {wrong}")
    return answer


def _waiting(entry: object) -> tuple[str, int]:
    """Fee and vbytes of a mempool entry; before Core 0.19 they were named `fee` and `size`."""
    if not isinstance(entry, dict):
        raise UnexpectedAnswer("getrawmempool: got an entry of another shape")
    fees = entry.get("fees")
    fee = fees.get("base") if isinstance(fees, dict) else entry.get("fee")
    vbytes = entry.get("vsize", entry.get("size"))
    if not isinstance(fee, str | int) or type(vbytes) is not int or vbytes <= 0:
        raise UnexpectedAnswer("getrawmempool: got an entry without fee or size")
    return str(fee), vbytes


def _relative(txid: str, entry: object) -> Relative:
    """Only what Core documents since 0.12; some nodes leave the transaction itself uncounted."""
    if not isinstance(entry, dict):
        raise UnexpectedAnswer("getmempoolentry: got another shape, expected an object")
    vsize = entry.get("vsize", entry.get("size"))
    count, size = entry.get("descendantcount"), entry.get("descendantsize")
    parents = entry.get("depends")
    if type(vsize) is not int or type(count) is not int or type(size) is not int:
        raise UnexpectedAnswer("getmempoolentry: got no vsize, descendantcount or descendantsize")
    if not isinstance(parents, list):
        raise UnexpectedAnswer("getmempoolentry: got no list of what it depends on")
    return Relative(
        txid=txid,
        vsize=vsize,
        parents=tuple(_hash("depends", parent) for parent in parents),
        descendants=max(1, count),
        descendant_vsize=max(vsize, size),
    )


def _hash(what: str, value: object) -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise UnexpectedAnswer(f"{what}: got something else, expected a hash")
    return value


def _blob(what: str, value: object) -> bytes:
    try:
        return bytes.fromhex(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise UnexpectedAnswer(f"{what}: got something else, expected hex") from None
