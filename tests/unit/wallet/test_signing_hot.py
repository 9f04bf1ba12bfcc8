"""The hot signer's client: a child process that may die, stay silent or lie."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from signer.protocol import Kind, Result, Sealed, SignRequest, public_key_of
from tests.unit.wallet import signer_child
from wallet.signing.coordinator import Coordinator
from wallet.signing.errors import AnswerRefused, SignerSilent, SignerUnready
from wallet.signing.hot import HotSigner

Start = Callable[..., HotSigner]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[HotSigner] = []

    def begin(mode: str = "plain", timeout_s: int = 20) -> HotSigner:
        signer = HotSigner(
            signer_id="hot-a",
            command=[sys.executable, "-m", signer_child.__name__, mode, str(tmp_path)],
            public_key=public_key_of(signer_child.SEED),
            timeout_s=timeout_s,
        )
        started.append(signer)
        return signer

    yield begin
    for signer in started:
        signer.close()


def a_request(payload: bytes = b"psbt", request_id: str = "r-1") -> Sealed:
    request = SignRequest(
        request_id=request_id,
        created_s=1,
        expires_s=2,
        network="bitcoin-regtest",
        source="bitcoin-hot",
        kind=Kind.PSBT,
        payload=payload,
        intents=(),
    )
    return Coordinator(b"\x01" * 32).seal(request)


def starts(folder: Path) -> int:
    return len((folder / "starts").read_text())


def test_one_child_answers_many_questions(start: Start, tmp_path: Path) -> None:
    signer = start()
    first = signer.sign(a_request())
    second = signer.sign(a_request(request_id="r-2"))
    assert first.answer.result is Result.SIGNED
    assert second.answer.request_id == "r-2"
    assert signer.status() == b"alive"
    assert starts(tmp_path) == 1


def test_a_large_request_passes_the_pipe(start: Start) -> None:
    assert start().sign(a_request(b"x" * 3_000_000)).answer.result is Result.SIGNED


def test_a_dead_child_is_started_again_at_the_next_question(start: Start, tmp_path: Path) -> None:
    signer = start("die_first")
    with pytest.raises(SignerSilent):
        signer.sign(a_request())
    assert signer.sign(a_request()).answer.result is Result.SIGNED
    assert starts(tmp_path) == 2


def test_an_answer_lost_with_the_child_is_recalled(start: Start) -> None:
    signer, request = start("die_after_signing"), a_request()
    with pytest.raises(SignerSilent):
        signer.sign(request)
    recalled = signer.recall(request)
    assert recalled is not None
    assert recalled.answer.request_digest == request.digest


def test_nothing_is_recalled_that_was_never_asked(start: Start) -> None:
    assert start().recall(a_request()) is None


def test_silence_ends_the_child(start: Start, tmp_path: Path) -> None:
    signer = start("silent", timeout_s=1)
    for _ in range(2):
        with pytest.raises(SignerSilent, match="in time"):
            signer.sign(a_request())
    assert starts(tmp_path) == 2


def test_a_missing_program_is_silence() -> None:
    signer = HotSigner(signer_id="hot-a", command=["/does/not/exist"], public_key=bytes(32))
    with pytest.raises(SignerSilent, match="no signer process"):
        signer.sign(a_request())


def test_a_frame_over_the_limit_is_not_read(start: Start) -> None:
    with pytest.raises(SignerSilent, match="at most 8 MiB"):
        start("huge").sign(a_request())


def test_a_request_not_taken_up_is_not_an_answer(start: Start) -> None:
    with pytest.raises(SignerUnready) as caught:
        start("refuse_frame").sign(a_request())
    assert caught.value.details["signer_code"] == "request.coordinator"
    with pytest.raises(SignerUnready):
        start("refuse_frame").recall(a_request())


@pytest.mark.parametrize(
    "mode",
    ["other_key", "other_request", "other_id", "other_signer", "garbage", "wrong_shape"],
)
def test_an_answer_that_is_not_the_signers_to_this_request_is_refused(
    start: Start, mode: str
) -> None:
    with pytest.raises(AnswerRefused):
        start(mode).sign(a_request())
