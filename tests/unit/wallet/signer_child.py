"""A child process that speaks the signer's frames, with the faults that a test asks for.

Run as: python signer_child.py MODE FOLDER. The folder counts starts and keeps answers, as a real
signer's log would.
"""

import sys
import time
from pathlib import Path

from signer.protocol import (
    ANSWER,
    REQUEST,
    InputSignature,
    Result,
    Sealed,
    SignAnswer,
    SignRequest,
    digest,
    dump,
    identity_sign,
    load,
)

SEED = b"\x11" * 32
OTHER_SEED = b"\x12" * 32


def answer_to(body: bytes, mode: str) -> bytes:
    sealed = Sealed.decode(body, REQUEST)
    request = SignRequest.decode(sealed.body)
    answer = SignAnswer(
        request_id="another" if mode == "other_id" else request.request_id,
        request_digest=bytes(32) if mode == "other_request" else sealed.digest,
        result=Result.SIGNED,
        code="",
        signatures=(InputSignature(index=0, public_key=b"\x02" * 33, signature=b"\x30" * 70),),
        signer_id="hot-z" if mode == "other_signer" else "hot-a",
        policy_hash="p",
        counter=1,
        log_head=bytes(32),
    ).encode()
    seed = OTHER_SEED if mode == "other_key" else SEED
    return Sealed(ANSWER, answer, identity_sign(seed, digest(ANSWER, answer))).encode()


def respond(frame: bytes, mode: str, folder: Path) -> bytes:
    fields = load(frame, "frame")
    kept = folder / "answer"
    if mode == "refuse_frame":
        return dump({"ok": 0, "code": "request.coordinator"})
    if mode == "wrong_shape":
        return dump({"yes": 1})
    if fields["op"] == "status":
        return dump({"ok": 1, "body": b"alive"})
    if fields["op"] == "recall":
        if not kept.exists():
            return dump({"ok": 0, "code": "request.unknown"})
        return dump({"ok": 1, "body": kept.read_bytes()})
    data = answer_to(fields["body"], mode)
    kept.write_bytes(data)
    return dump({"ok": 1, "body": data})


def main() -> None:
    mode, folder = sys.argv[1], Path(sys.argv[2])
    starts = folder / "starts"
    count = len(starts.read_text()) if starts.exists() else 0
    starts.write_text("x" * (count + 1))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while header := source.read(4):
        frame = source.read(int.from_bytes(header, "big"))
        if mode == "die_first" and count == 0:
            return
        if mode == "silent":
            time.sleep(3600)
        answer = respond(frame, mode, folder)
        if mode == "die_after_signing" and count == 0:
            return
        if mode == "huge":
            sink.write((2**31).to_bytes(4, "big"))
        elif mode == "garbage":
            sink.write((3).to_bytes(4, "big") + b"\xff\xff\xff")
        else:
            sink.write(len(answer).to_bytes(4, "big") + answer)
        sink.flush()


if __name__ == "__main__":
    main()
