"""The simulated nodes' RPC on a loopback port, so that the service stands on them as on real ones.

A lost answer is what the service would see of one: the connection says 503 and nothing else.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from chains.errors import NodeUnavailable
from chains.simulated.utxo_history import Refused
from wallet.sandbox.errors import UnknownNetwork
from wallet.sandbox.world import SandboxWorld

BODY_BYTES_MAX = 8 * 1024 * 1024
"""More than any transaction of ours in hex; refused before it is read."""

HOST = "127.0.0.1"


@contextmanager
def nodes_listening(world: SandboxWorld) -> Iterator[None]:
    """Answer for every network at a path of its own, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            size = int(self.headers.get("content-length", "0"))
            if size > BODY_BYTES_MAX:
                self._send(413, b"")
                return
            status, body = _answer(world, self.path.strip("/"), self.rfile.read(size))
            self._send(status, body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the service's log tells what it asks."""

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    port = server.server_address[1]
    world.listen_at({name: f"http://{HOST}:{port}/{name}" for name in world.networks})
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(world: SandboxWorld, network: str, raw: bytes) -> tuple[int, bytes]:
    """HTTP status and body for one JSON-RPC request."""
    try:
        request = json.loads(raw)
        number, method, params = request.get("id"), request["method"], request["params"]
        result = world.answer(network, str(method), list(params))
    except Refused as refused:
        error = {"code": refused.rpc_code, "message": refused.words}
        return 200, _body(number, None, error)
    except NodeUnavailable:
        return 503, b""
    except UnknownNetwork:
        return 404, b""
    except (KeyError, TypeError, ValueError):
        return 400, b""
    return 200, _body(number, result, None)


def _body(number: object, result: Any, error: Any) -> bytes:
    shown = {"jsonrpc": "2.0", "id": number}
    shown |= {"result": result} if error is None else {"error": error}
    return json.dumps(shown).encode()
