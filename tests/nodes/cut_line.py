"""A line to a node that is cut after the question went through: only the answer is lost."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from urllib.parse import urlsplit

_CHUNK = 65_536


class CutLine:
    """A small TCP proxy. While `is_cut`, it forwards each request and closes before the answer."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._node = (str(parts.hostname), int(parts.port or 80))
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        user = f"{parts.username}:{parts.password}@" if parts.username else ""
        self.url = f"{parts.scheme}://{user}127.0.0.1:{port}{parts.path}"
        self.is_cut = False
        self.swallowed = 0
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._node) as node:
            while request := _message(client):
                node.sendall(request)
                answer = _message(node)
                if self.is_cut:
                    # The node has answered, so it has the bytes; nobody will hear of it.
                    self.swallowed += 1
                    return
                client.sendall(answer)


def _message(line: socket.socket) -> bytes:
    """One HTTP message by its Content-Length, or what came until the other side closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = line.recv(_CHUNK)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line_of_head in head.split(b"\r\n"):
        name, _, value = line_of_head.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        more = line.recv(_CHUNK)
        if not more:
            break
        body += more
    return head + b"\r\n\r\n" + body


@contextmanager
def cut_line(url: str) -> Iterator[CutLine]:
    line = CutLine(url)
    try:
        yield line
    finally:
        line.close()
