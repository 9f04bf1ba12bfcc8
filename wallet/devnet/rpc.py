"""JSON-RPC to a development node; errors are ours, answers are trusted."""

from typing import Any

import httpx

from wallet.devnet.errors import DevnetError, NodeRefused

_TIMEOUT_S = 120
"""Longest answer: a few hundred blocks mined by a node written in JavaScript."""


class Rpc:
    """One node's JSON-RPC door."""

    def __init__(self, url: str) -> None:
        # The machine's proxy settings must not carry loopback traffic elsewhere.
        self._client = httpx.Client(base_url=url, timeout=_TIMEOUT_S, trust_env=False)

    def call(self, method: str, *params: object) -> Any:
        """The result of one call. Raises NodeRefused on an error, DevnetError on no answer."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        try:
            answer = self._client.post("", json=request)
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise DevnetError(
                f"{method}: got no answer ({error}), expected a running node"
            ) from error
        if not isinstance(body, dict) or body.get("error") is not None or "result" not in body:
            raise NodeRefused(f"{method}: got {body!r}, expected a result"[:600])
        return body["result"]

    def answers(self, method: str) -> bool:
        """Whether the node answers this question by now."""
        try:
            self.call(method)
        except DevnetError:
            return False
        return True

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()
