"""A hot signer on a pipe: frames in, frames out, no socket anywhere.

A frame is a 4-byte big-endian length and a CBOR map {"op", "body"}; the answer is {"ok": 1, "body"}
or {"ok": 0, "code"}. The engine has already written its log when a frame is answered.
"""

from typing import BinaryIO

from signer.engine import Engine
from signer.errors import ProtocolError, Refused, SignerError
from signer.home import Home
from signer.protocol import MESSAGE_BYTES_MAX, dump
from signer.protocol.wire import Fields

FRAME_BYTES_MAX = MESSAGE_BYTES_MAX + 1024
"""A request and its frame; a longer frame ends the process, for the stream is out of step."""


def serve(engine: Engine, home: Home, source: BinaryIO, sink: BinaryIO) -> None:
    """Answer frames until the input ends. Raises ProtocolError when the stream is out of step."""
    while (frame := _read_frame(source)) is not None:
        answer = _answer(engine, home, frame)
        sink.write(len(answer).to_bytes(4, "big") + answer)
        sink.flush()


def status_body(home: Home) -> bytes:
    """What `status` answers: who this is and how far its log goes."""
    config = home.activated()
    return dump(
        {
            "v": 1,
            "signer_id": home.state.signer_id,
            "identity": home.state.identity,
            "fingerprint": home.state.fingerprint,
            "policy_hash": config.policy.hash,
            "counter": home.log.counter,
            "log_head": home.log.head,
            "vaults": sorted(home.vaults),
        }
    )


def _read_frame(source: BinaryIO) -> bytes | None:
    header = source.read(4)
    if not header:
        return None
    size = int.from_bytes(header, "big")
    if len(header) < 4 or size > FRAME_BYTES_MAX:
        raise ProtocolError(f"got a frame of {size} bytes, expected at most {FRAME_BYTES_MAX}")
    frame = source.read(size)
    if len(frame) < size:
        raise ProtocolError("got the end of input inside a frame")
    return frame


def _answer(engine: Engine, home: Home, frame: bytes) -> bytes:
    try:
        fields = Fields(frame, "frame")
        op, body = fields.text("op"), fields.blob("body")
        fields.done()
        return dump({"ok": 1, "body": _done(engine, home, op, body)})
    except Refused as refusal:
        return dump({"ok": 0, "code": refusal.code})
    except ProtocolError:
        return dump({"ok": 0, "code": "request.malformed"})
    except SignerError as error:
        return dump({"ok": 0, "code": error.code})


def _done(engine: Engine, home: Home, op: str, body: bytes) -> bytes:
    match op:
        case "sign":
            return engine.sign(body)
        case "recall":
            fields = Fields(body, "recall")
            request_id, digest = fields.text("request_id"), fields.blob("request_digest")
            fields.done()
            return engine.recall(request_id, digest)
        case "status":
            return status_body(home)
        case _:
            raise Refused("request.op_unknown", f"got operation {op[:40]!r}")
