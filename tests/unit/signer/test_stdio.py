"""A hot signer on a pipe, and the real process killed in the middle of its work."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from signer import stdio
from signer.errors import ProtocolError
from signer.home import Home
from signer.protocol import REQUEST, Result, Sealed, SignAnswer, dump, load
from tests.signer_world import CONFIG, NOW_S, PASSPHRASE, POLICY, World, answer_of, engine, sealed
from tests.signer_world import a_withdrawal as a_request

ROOT = Path(__file__).parents[3]


def frame(op: str, body: bytes) -> bytes:
    data = dump({"op": op, "body": body})
    return len(data).to_bytes(4, "big") + data


def asked(home: Home, *frames: bytes) -> list[dict[str, object]]:
    sink = io.BytesIO()
    stdio.serve(engine(home), home, io.BytesIO(b"".join(frames)), sink)
    return [load(data, "answer") for data in split(sink.getvalue())]


def split(stream: bytes) -> list[bytes]:
    found = []
    while stream:
        size = int.from_bytes(stream[:4], "big")
        found.append(stream[4 : 4 + size])
        stream = stream[4 + size :]
    return found


def recall_body(request: bytes) -> bytes:
    envelope = Sealed.decode(request, REQUEST)
    return dump({"request_id": "r-w1", "request_digest": envelope.digest})


def test_sign_recall_and_status(hot: Home) -> None:
    request = sealed(a_request(hot))

    signed, recalled, status = asked(
        hot, frame("sign", request), frame("recall", recall_body(request)), frame("status", b"")
    )

    assert signed == recalled
    assert isinstance(signed["body"], bytes)
    assert Result.SIGNED is answer_of(signed["body"], hot).result
    body = load(bytes(status["body"]), "status")  # type: ignore[call-overload]
    assert ("hot", hot.state.identity, hot.log.counter) == (
        body["signer_id"],
        body["identity"],
        body["counter"],
    )


@pytest.mark.parametrize(
    ("op", "body", "code"),
    [
        ("sign", b"x", "request.malformed"),
        ("recall", b"x", "request.malformed"),
        ("recall", dump({"request_id": "no", "request_digest": b""}), "request.unknown"),
        ("dance", b"", "request.op_unknown"),
    ],
)
def test_what_cannot_be_answered_gets_a_code(hot: Home, op: str, body: bytes, code: str) -> None:
    assert [{"ok": 0, "code": code}] == asked(hot, frame(op, body))


def test_a_malformed_frame_does_not_end_the_signer(hot: Home) -> None:
    answers = asked(hot, b"\x00\x00\x00\x01x", frame("status", b""))

    assert [0, 1] == [answer["ok"] for answer in answers]


@pytest.mark.parametrize("stream", [b"\xff\xff\xff\xff", b"\x00\x00", b"\x00\x00\x00\x05ab"])
def test_a_stream_out_of_step_ends_it(hot: Home, stream: bytes) -> None:
    with pytest.raises(ProtocolError):
        asked(hot, stream)


def child(world: World, tmp_path: Path, prelude: str = "") -> subprocess.Popen[bytes]:
    """`serve-stdio` as its own process, its clock set, with a fault put in by `prelude`."""
    file = tmp_path / "passphrase"
    file.write_bytes(PASSPHRASE)
    code = (
        f"import os, signer.engine as engine, signer.log as log, signer.stdio as stdio\n"
        f"import signer.__main__ as command, signer.cli.terminal as terminal\n"
        f"terminal.now_s = lambda: {NOW_S}\n{prelude}\ncommand.main()\n"
    )
    command = [sys.executable, "-c", code, "serve-stdio", "--home", str(world.root / "hot")]
    command += ["--passphrase-file", str(file)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT)


def test_the_process_answers_on_its_pipe(world: World, tmp_path: Path) -> None:
    home = world.open("hot", unlock=False)
    request = sealed(a_request(home))
    identity = home.state.identity
    home.close()

    process = child(world, tmp_path)
    output, _ = process.communicate(frame("sign", request) + frame("status", b""), timeout=120)

    assert 0 == process.returncode
    signed, status = (load(data, "answer") for data in split(output))
    envelope = Sealed.decode(signed["body"], "SA1")
    envelope.verify(identity)
    assert Result.SIGNED is SignAnswer.decode(envelope.body).result
    assert 1 == status["ok"]


KILLS = {
    "before the record": "log.Log._write = lambda *a: os.kill(os.getpid(), 9)",
    "between record and mark": "log.Log._write_mark = lambda *a: os.kill(os.getpid(), 9)",
    "between mark and answer": (
        "real = engine.Engine.sign\n"
        "engine.Engine.sign = lambda *a: (real(*a), os.kill(os.getpid(), 9))"
    ),
}


@pytest.mark.parametrize("fault", KILLS)
def test_a_process_killed_while_signing_gives_the_answer_on_recall(
    world: World, tmp_path: Path, fault: str
) -> None:
    home = world.open("hot", unlock=False)
    request = sealed(a_request(home))
    home.close()
    dying = child(world, tmp_path, KILLS[fault])
    output, _ = dying.communicate(frame("sign", request), timeout=120)
    assert (-9, b"") == (dying.returncode, output)
    process = child(world, tmp_path)
    again = frame("recall", recall_body(request)) + frame("sign", request)
    output, _ = process.communicate(again, timeout=120)

    recalled, repeated = (load(data, "answer") for data in split(output))
    second = SignAnswer.decode(Sealed.decode(repeated["body"], "SA1").body)
    if fault == "before the record":
        assert {"ok": 0, "code": "request.unknown"} == recalled
        assert Result.SIGNED is second.result
    else:
        first = SignAnswer.decode(Sealed.decode(recalled["body"], "SA1").body)
        assert Result.SIGNED is first.result
        assert "request.replayed" == second.code


def test_a_policy_that_wants_a_person_is_not_served(world: World, tmp_path: Path) -> None:
    home = world.open("hot")
    policy = POLICY.replace("unattended = true", "unattended = false")
    home.configure(CONFIG.encode(), policy.encode(), NOW_S)
    home.close()

    process = child(world, tmp_path)
    output, said = process.communicate(timeout=120)

    assert (1, b"") == (process.returncode, output)
    assert said.startswith(b"person.required")


def test_the_process_leaves_no_core_and_cannot_be_traced(world: World, tmp_path: Path) -> None:
    report = tmp_path / "report"
    prelude = (
        "import resource, ctypes\n"
        "def tell(*a):\n"
        f"    open({str(report)!r}, 'w').write(repr((resource.getrlimit(resource.RLIMIT_CORE),"
        " ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))))\n"
        "stdio.serve = tell"
    )

    process = child(world, tmp_path, prelude)
    process.communicate(timeout=120)

    assert "((0, 0), 0)" == report.read_text()
