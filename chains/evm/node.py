"""JSON-RPC to one EVM node: the only I/O of this family. Every failure leaves as a ChainError."""

from typing import Any

import httpx

from chains.errors import NodeRejected, NodeUnavailable, UnexpectedAnswer
from chains.evm import deep_json

ANSWER_BYTES_MAX = 256 * 1024 * 1024
"""Traces of a full block are large; an answer beyond this is not read."""

METHOD_MISSING = (-32601, -32004)
"""JSON-RPC 2.0 "method not found", and EIP-1474 "method not supported"."""

_UNAVAILABLE_STATUS = (408, 425, 429, 500, 502, 503, 504)


class RpcRefused(NodeRejected):
    """The node's own error; `words` are its own too and may change with its version."""

    code = "node.refused"

    def __init__(self, method: str, rpc_code: int, words: str) -> None:
        super().__init__(f"{method}: {rpc_code} {words}")
        self.rpc_code = rpc_code
        self.words = words


class MethodMissing(RpcRefused):
    """The node does not offer this method."""

    code = "node.method_missing"


class EvmNode:
    """One node. Methods raise NodeUnavailable, RpcRefused or UnexpectedAnswer, and nothing else."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: int = 30,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        # The environment must not be able to put a proxy between us and our node.
        self._client = httpx.Client(timeout=timeout_s, transport=transport, trust_env=False)
        self._url = url
        self._next_id = 0

    def call(self, method: str, *params: Any) -> Any:
        """The result of one call."""
        self._next_id += 1
        number = self._next_id
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}
        answer = _parse(method, self._post(method, body))
        if not isinstance(answer, dict) or answer.get("id") != number:
            raise UnexpectedAnswer(f"{method}: got an answer to another question")
        error = answer.get("error")
        if error is not None:
            raise refusal(method, error)
        if "result" not in answer:
            raise UnexpectedAnswer(f"{method}: got neither a result nor an error")
        return answer["result"]

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()

    def _post(self, method: str, body: dict[str, Any]) -> bytes:
        """The answer's bytes. The URL may hold a secret, so no message repeats it."""
        try:
            with self._client.stream("POST", self._url, json=body) as response:
                data = bytearray()
                for part in response.iter_bytes():
                    data += part
                    if len(data) > ANSWER_BYTES_MAX:
                        raise UnexpectedAnswer(f"{method}: got over {ANSWER_BYTES_MAX} bytes")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise NodeUnavailable(f"{method}: no answer ({type(error).__name__})") from None
        if response.status_code in _UNAVAILABLE_STATUS and not data.startswith(b"{"):
            raise NodeUnavailable(f"{method}: got HTTP {response.status_code}")
        if response.status_code in (401, 403, 404):
            raise UnexpectedAnswer(f"{method}: got HTTP {response.status_code}, check the address")
        return bytes(data)


def _parse(method: str, data: bytes) -> Any:
    try:
        return deep_json.loads(data.decode())
    except ValueError as error:
        raise UnexpectedAnswer(f"{method}: got an answer that is not JSON") from error


def refusal(method: str, error: Any) -> RpcRefused:
    """A node's error object as ours. Raises UnexpectedAnswer on another shape."""
    if not isinstance(error, dict) or not isinstance(error.get("code"), int):
        raise UnexpectedAnswer(f"{method}: got an error of another shape")
    words = str(error.get("message", ""))[:500]
    kind = MethodMissing if error["code"] in METHOD_MISSING else RpcRefused
    return kind(method, error["code"], words)
