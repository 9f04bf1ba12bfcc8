"""QR codes drawn and read again: files, animations, a camera, and the commands."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from signer.__main__ import GROUPS, build_app
from signer.cli import qr as qr_commands
from signer.transports import qr, scan
from signer.transports.collect import collected
from signer.transports.errors import TransportError
from signer.transports.limits import IMAGE_BYTES_MAX, MESSAGE_BYTES_MAX
from signer.transports.ur import UrSource
from signer.transports.ur_types import UrType
from tests import transport_vectors as published
from tests.fuzz.fuzz_transports import one_input
from tests.signer_world import NOW_S, World, a_withdrawal, sealed
from tests.test_boundaries import ONLINE_MODULES, PROBE
from tests.test_boundaries import run as boundaries_run

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signer.cli.terminal.now_s", lambda: NOW_S)


@pytest.fixture
def request_file(world: World, tmp_path: Path) -> Path:
    home = world.open("hot", unlock=False)
    file = tmp_path / "w1.sr1"
    file.write_bytes(sealed(a_withdrawal(home)))
    home.close()
    return file


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "small"
    file.write_bytes(bytes(range(200)))
    return file


def run(*arguments: object) -> Result:
    return RUNNER.invoke(build_app("qr"), ["qr", *map(str, arguments)])


def done(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert 0 == result.exit_code, result.output
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


def refused(*arguments: object) -> str:
    result = run(*arguments, "--json")
    assert 1 == result.exit_code, result.output
    return str(json.loads(result.stdout.splitlines()[-1])["code"])


@pytest.mark.parametrize("scheme", ["ur", "bbqr"])
def test_a_request_goes_through_a_gif_and_is_inspected(
    world: World, request_file: Path, tmp_path: Path, scheme: str
) -> None:
    gif, out = tmp_path / "w1.gif", tmp_path / "arrived.sr1"
    shown = done("show", "--file", request_file, "--as", scheme, "--gif", gif)
    got = done("read", "--image", gif, "--out", out)
    assert ("bytes", shown["sha256"], shown["parts"]) == (got["type"], got["sha256"], got["parts"])
    assert request_file.read_bytes() == out.read_bytes()
    home = str(world.root / "hot")
    asked = ["inspect", "--home", home, "--request", str(out), "--json"]
    assert json.loads(RUNNER.invoke(build_app(), asked).stdout)["ok"]


def test_every_other_picture_of_a_recording_is_enough(request_file: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "frames", tmp_path / "out"
    shown = done("show", "--file", request_file, "--png", folder, "--fragment-bytes", 200)
    files = sorted(folder.iterdir(), reverse=True)
    assert shown["frames"] == len(files) == 2 * shown["parts"]
    half = [option for file in files[::2] for option in ("--image", file)]
    rest = [option for file in files[1:4:2] for option in ("--image", file)]
    got = done("read", *half, *rest, "--out", out)
    assert shown["sha256"] == got["sha256"]


@pytest.mark.parametrize("name", ["psbt", "crypto-psbt"])
@pytest.mark.parametrize("scheme", ["ur", "bbqr"])
def test_a_psbt_goes_through_text(tmp_path: Path, name: str, scheme: str) -> None:
    file, text, out = (tmp_path / part for part in ("in.psbt", "frames.txt", "out.psbt"))
    file.write_bytes(published.PSBT)
    result = run("show", "--file", file, "--type", name, "--as", scheme, "--fragment-bytes", 40)
    lines = result.stdout.splitlines()
    assert all(line.startswith((f"UR:{name.upper()}/", "B$ZP", "B$2P")) for line in lines)
    text.write_bytes("\r\n".join(["", *lines, ""]).encode())
    assert "psbt" == done("read", "--text", text, "--out", out)["type"]
    assert published.PSBT == out.read_bytes()


def test_progress_and_end_are_told(small: Path, tmp_path: Path) -> None:
    text = tmp_path / "frames.txt"
    text.write_text(run("show", "--file", small).stdout)
    result = run("read", "--text", text, "--out", tmp_path / "out")
    assert ["part 1 of 3, 33 %", "part 2 of 3, 66 %", "part 3 of 3, 100 %", "complete"] == (
        result.stderr.splitlines()
    )
    assert "type: bytes" in result.stdout


def test_frames_are_given_as_json(small: Path) -> None:
    answer = done("show", "--file", small)
    assert bytes(range(200)) == collected(answer["frames"]).content


def test_a_terminal_shows_frames_until_interrupted(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waited: list[int] = []

    def wait_ms(milliseconds: int) -> None:
        waited.append(milliseconds)
        if len(waited) == 8:
            raise KeyboardInterrupt

    qr_commands._animate(UrSource(UrType.BYTES, small.read_bytes(), 100), wait_ms)
    shown = capsys.readouterr().out
    assert [qr.FRAME_MS] * 8 == waited
    assert 8 == shown.count("\x1b[H\x1b[2J")
    assert "frame 8 of a message in 3; Ctrl-C ends" in shown
    assert shown.endswith("ended\n")
    assert 1 == len({len(screen.splitlines()) for screen in shown.split("\x1b[2J")[2:-1]})


def test_standard_output_decides_between_pictures_and_text(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(milliseconds: int) -> None:
        raise KeyboardInterrupt

    assert run("show", "--file", small).stdout.startswith("UR:BYTES/1-3/")
    screen = SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(qr_commands, "sys", screen)
    monkeypatch.setattr(qr_commands, "_wait_ms", interrupted)
    assert "frame 1 of a message in 3" in run("show", "--file", small).stdout


def test_waiting_is_in_whole_milliseconds() -> None:
    qr_commands._wait_ms(1)


def test_a_code_in_the_terminal_can_be_read() -> None:
    frame = UrSource(UrType.BYTES, b"hello", 20).frame(1)
    lines = [line[9:-4] for line in qr.terminal_text(frame, 1).splitlines()]
    upper = {"\u2588": 0, "\u2580": 0, "\u2584": 255, " ": 255}
    lower = {"\u2588": 0, "\u2580": 255, "\u2584": 0, " ": 255}
    rows = [bytes(half[char] for char in line) for line in lines for half in (upper, lower)]
    picture = Image.frombytes("L", (len(rows[0]), len(rows)), b"".join(rows))
    large = picture.resize((picture.width * 4, picture.height * 4), Image.Resampling.NEAREST)
    reader = scan._library("zxingcpp", "")
    assert [frame] == scan._texts(reader, large)


def test_all_codes_of_a_recording_have_one_size() -> None:
    source = UrSource(UrType.BYTES, bytes(600), 60)
    frames = qr.recorded(source)
    version = qr.version_of(frames)
    sizes = {Image.open(io.BytesIO(qr.png(frame, version))).size for frame in frames}
    assert 1 == len(sizes)


def test_nothing_is_overwritten(small: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_bytes(b"mine")
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere")
    text = tmp_path / "frames.txt"
    text.write_text(run("show", "--file", small).stdout)
    for name in (taken, dangling):
        assert "output.exists" == refused("show", "--file", small, "--gif", name)
        assert "output.exists" == refused("show", "--file", small, "--png", name)
        assert "output.exists" == refused("read", "--text", text, "--out", name)
    assert b"mine" == taken.read_bytes()


def test_a_refused_message_leaves_no_file(small: Path, tmp_path: Path) -> None:
    lines = run("show", "--file", small).stdout.splitlines()
    text, out = tmp_path / "frames.txt", tmp_path / "out"
    for content, code in (
        (lines[:1], "transport.incomplete"),
        ([*lines, published.SINGLE_UR], "transport.mixed"),
        ([*lines, "something else"], "transport.unknown"),
        (["d\u00e9j\u00e0 vu"], "transport.unknown"),
    ):
        text.write_text("\n".join(content), encoding="utf-8")
        assert code == refused("read", "--text", text, "--out", out)
        assert not out.exists()


def test_a_place_that_cannot_be_written_is_told(small: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "missing" / "out"
    assert "storage.unusable" == refused("show", "--file", small, "--gif", nowhere)
    assert "storage.unusable" == refused("show", "--file", small, "--png", nowhere)
    assert "storage.unusable" == refused("show", "--file", tmp_path / "missing")
    assert "storage.unusable" == refused("read", "--image", nowhere, "--out", tmp_path / "out")


def test_one_source_and_one_target_are_wanted(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert "input.one" == refused("read", "--out", out)
    assert "input.one" == refused("read", "--out", out, "--text", small, "--camera")
    targets = ("--png", tmp_path / "a", "--gif", tmp_path / "b")
    assert "output.two" == refused("show", "--file", small, *targets)


def test_what_is_too_large_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(MESSAGE_BYTES_MAX + 1))
    assert "storage.unusable" == refused("show", "--file", large)


def a_png(size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("1", size, 1).save(out, "PNG")
    return out.getvalue()


def a_damaged_png() -> bytes:
    whole = qr.png(UrSource(UrType.BYTES, bytes(90), 90).frame(1), 1)
    return whole[:200] + bytes(50) + whole[250:]


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"no picture",
        lambda: a_png((8000, 8000)),
        a_damaged_png,
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 5\n",
    ],
    ids=["text", "huge", "damaged", "postscript"],
)
def test_a_bad_picture_is_refused(tmp_path: Path, make: Callable[[], bytes]) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(make())
    assert "scan.image" == refused("read", "--image", file, "--out", tmp_path / "out")


def test_a_picture_without_a_code_is_incomplete(tmp_path: Path) -> None:
    file = tmp_path / "empty.png"
    file.write_bytes(a_png((100, 100)))
    assert "transport.incomplete" == refused("read", "--image", file, "--out", tmp_path / "out")


def test_files_and_pictures_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "large.png"
    with file.open("wb") as handle:
        handle.truncate(IMAGE_BYTES_MAX + 1)
    assert "storage.unusable" == refused("read", "--image", file, "--out", tmp_path / "out")
    monkeypatch.setattr(scan, "FRAMES_MAX", 2)
    gif = tmp_path / "three.gif"
    pictures = [Image.new("L", (50, 50), shade) for shade in (0, 99, 200)]
    pictures[0].save(gif, "GIF", save_all=True, append_images=pictures[1:])
    assert "scan.frames" == refused("read", "--image", gif, "--out", tmp_path / "out")
    text = tmp_path / "frames.txt"
    text.write_text("\n" * 3)
    assert "scan.frames" == refused("read", "--text", text, "--out", tmp_path / "out")
    monkeypatch.setattr(qr, "FRAMES_MAX", 2)
    with pytest.raises(TransportError) as error:
        qr.recorded(UrSource(UrType.BYTES, bytes(200), 20))
    assert "transport.parts" == error.value.code


@pytest.mark.parametrize("library", ["zxingcpp", "PIL.Image"])
def test_a_missing_reader_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    file = tmp_path / "empty.png"
    file.write_bytes(a_png((100, 100)))
    monkeypatch.setitem(sys.modules, library, None)
    result = run("read", "--image", file, "--out", tmp_path / "out")
    assert "scan.library_missing" in result.stderr
    assert "glaytos-wallet[scan]" in result.stderr


def test_a_missing_painter_is_named(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert "scan.library_missing" == refused("show", "--file", small, "--gif", tmp_path / "a.gif")
    assert 3 == done("show", "--file", small, "--png", tmp_path / "frames")["parts"]


def test_a_missing_encoder_is_named(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qr, "find_spec", lambda name: None)
    qr._encoder.cache_clear()
    folder = small.with_name("frames")
    assert "scan.library_missing" == refused("show", "--file", small, "--png", folder)


class FakeCamera:
    """Pictures of frames, one after the other; then it fails."""

    def __init__(self, frames: list[str]) -> None:
        self.pictures = [Image.open(io.BytesIO(qr.png(frame, 1))).convert("L") for frame in frames]
        self.released = False

    def read(self) -> tuple[bool, Image.Image | None]:
        return (True, self.pictures.pop(0)) if self.pictures else (False, None)

    def release(self) -> None:
        self.released = True


def test_a_camera_looks_until_all_is_there(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = qr.recorded(UrSource(UrType.BYTES, small.read_bytes(), 100))
    camera = FakeCamera([frames[0], *frames])
    opencv = SimpleNamespace(VideoCapture=lambda device: camera)
    monkeypatch.setitem(sys.modules, "cv2", opencv)
    out = tmp_path / "out"
    done("read", "--camera", "--out", out)
    assert small.read_bytes() == out.read_bytes()
    assert camera.released
    assert 3 == len(camera.pictures)


def test_a_camera_that_fails_or_is_missing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opencv = SimpleNamespace(VideoCapture=lambda device: FakeCamera([]))
    monkeypatch.setitem(sys.modules, "cv2", opencv)
    assert "scan.camera" == refused("read", "--camera", "--out", tmp_path / "out")
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert "scan.library_missing" == refused("read", "--camera", "--out", tmp_path / "out")


def test_killed_between_file_and_name_leaves_nothing_that_counts(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, out = tmp_path / "frames.txt", tmp_path / "out"
    text.write_text(run("show", "--file", small).stdout)

    def killed(self: Path, target: Path) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        assert 9 == run("read", "--text", text, "--out", out).exit_code
    assert not out.exists()
    done("read", "--text", text, "--out", out)
    assert small.read_bytes() == out.read_bytes()


def test_groups_are_found_by_name_and_in_the_help() -> None:
    assert "qr" in GROUPS
    assert "qr" in RUNNER.invoke(build_app(), ["--help"]).stdout
    help_ = run("--help").stdout
    assert "show" in help_
    assert "read" in help_


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00ur:bytes/1-1/aeae\nB$",
        b"\x03" + bytes(40),
        b"\x00\x01\x01\x01\x01\x01\x00\x41a\n\x02\x01",
        b"\x02B$ZU0100AAAA",
    ],
)
def test_fuzzed_inputs_raise_nothing(data: bytes) -> None:
    one_input(data)


def test_codes_are_those_of_the_whole_library() -> None:
    import segno

    frame = UrSource(UrType.BYTES, bytes(90), 90).frame(1)
    expected = segno.make_qr(frame, error="L", version=10, mode="alphanumeric", boost_error=False)
    assert [bytes(row) for row in expected.matrix_iter(border=4)] == qr.modules(frame, 10)


@pytest.mark.parametrize("command", ["show", "read"])
def test_pictures_load_no_network(small: Path, tmp_path: Path, command: str) -> None:
    gif = tmp_path / "a.gif"
    arguments: list[object] = ["show", "--file", small, "--gif", gif]
    if command == "read":
        done(*arguments)
        arguments = ["read", "--image", gif, "--out", tmp_path / "out"]
    probe = [sys.executable, "-c", PROBE, "qr", *map(str, arguments)]
    seen = json.loads(boundaries_run(probe, tmp_path).stderr.splitlines()[-1])
    assert seen["code"] in (0, None)
    assert "PIL.Image" in seen["modules"]
    assert not set(ONLINE_MODULES) & set(seen["modules"])
