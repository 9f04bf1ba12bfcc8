"""`qr show`, `qr read`: messages through the air gap as QR codes."""

import hashlib
import select
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from signer.cli.terminal import AsJson, say, say_json, told_errors
from signer.errors import Refused
from signer.foreign.answers import eth_signature
from signer.storage import StorageError, read_limited, require_free, write_new
from signer.transports import qr, scan
from signer.transports.bbqr import BbqrSource
from signer.transports.collect import Collector
from signer.transports.limits import MESSAGE_BYTES_MAX, SEQUENCE_MAX
from signer.transports.message import FrameSource, Kind, Message
from signer.transports.ur import UrSource
from signer.transports.ur_types import EthSignRequest, UrType

app = typer.Typer(
    no_args_is_help=True,
    help="""Carry files through the air gap as QR codes: `show` on one machine, `read` on the other.

    Any file of up to 1 MiB travels: a request (SR1), an answer (SA1), a PSBT. Nothing is trusted on
    the way; `inspect` and `sign` check what arrived exactly as they check a file.""",
)

_CLEAR = "\x1b[H\x1b[2J"


class Scheme(StrEnum):
    """How a message is cut into frames."""

    UR = "ur"
    BBQR = "bbqr"


class Content(StrEnum):
    """What a shown file is."""

    BYTES = "bytes"
    PSBT = "psbt"
    CRYPTO_PSBT = "crypto-psbt"
    ETH_SIGN_REQUEST = "eth-sign-request"
    ETH_SIGNATURE = "eth-signature"


@app.command()
def show(
    file: Annotated[Path, typer.Option("--file", help="The file to show.")],
    scheme: Annotated[
        Scheme, typer.Option("--as", help="ur survives lost frames; bbqr is what Coldcard reads.")
    ] = Scheme.UR,
    content: Annotated[
        Content,
        typer.Option("--type", help="bytes for SR1 and SA1; crypto-psbt is psbt's older UR name."),
    ] = Content.BYTES,
    reply_to: Annotated[
        Path | None,
        typer.Option(
            help="With --type eth-signature: the eth-sign-request that an answer (SA1) is to."
        ),
    ] = None,
    png: Annotated[
        Path | None, typer.Option("--png", help="Write one PNG a frame into this new folder.")
    ] = None,
    gif: Annotated[
        Path | None, typer.Option("--gif", help="Write one animated GIF with this new name.")
    ] = None,
    fragment_bytes: Annotated[
        int, typer.Option("--fragment-bytes", help="Bytes a frame, 20 to 1000: more is denser.")
    ] = 100,
    as_json: AsJson = False,
) -> None:
    """Show a file as QR codes: in the terminal until Ctrl-C, or as images.

    A sealed answer (SA1) with the signature of an EVM account becomes an eth-signature for other
    wallets by `--type eth-signature --reply-to`, once it was checked to be to that request.
    Where standard output is no terminal, the frames are written as text, one a line.
    """
    with told_errors(as_json):
        if png and gif:
            raise Refused("output.two", "got --png and --gif, expected one of them")
        data = read_limited(file, MESSAGE_BYTES_MAX)
        if reply_to is not None:
            data = _as_signature(data, content, reply_to)
        source = _source(data, scheme, content, fragment_bytes)
        if png:
            names = _write_pngs(qr.recorded(source), png)
            _say_shown(source, data, str(png), len(names), as_json)
        elif gif:
            require_free(gif)
            frames = qr.recorded(source)
            write_new(gif, qr.gif(frames, qr.version_of(frames)))
            _say_shown(source, data, str(gif), len(frames), as_json)
        elif as_json:
            frames = qr.recorded(source)
            say_json({"ok": True, "parts": source.count, "frames": frames})
        elif sys.stdout.isatty():
            _animate(source, _wait_ms)
        else:
            for frame in qr.recorded(source):
                typer.echo(frame)


@app.command()
def read(
    out: Annotated[Path, typer.Option("--out", help="Where the message goes: a new name.")],
    image: Annotated[
        list[Path] | None,
        typer.Option("--image", help="A PNG, JPEG or animated GIF; may be given again and again."),
    ] = None,
    text: Annotated[
        Path | None, typer.Option("--text", help="A file with the text of one frame a line.")
    ] = None,
    camera: Annotated[
        bool, typer.Option("--camera", help="Look through the camera until all is there.")
    ] = False,
    device: Annotated[int, typer.Option("--device", help="Number of the camera.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Collect one message from QR codes into a file.

    All frames must be of one message; a frame of another, or one that contradicts the others,
    ends the reading. The file is written whole or not at all, and never over another.
    """
    with told_errors(as_json):
        if [bool(image), text is not None, camera].count(True) != 1:
            raise Refused("input.one", "expected exactly one of --image, --text and --camera")
        require_free(out)
        if text is not None:
            texts = scan.texts_in_file(text)
        elif image:
            texts = scan.texts_in_images(image)
        else:
            texts = scan.texts_before_camera(device)
        message, parts = _collected(texts, stop_when_complete=camera)
        write_new(out, message.content)
        say(
            {
                "type": str(message.kind),
                "parts": parts,
                "bytes": len(message.content),
                "sha256": hashlib.sha256(message.content).hexdigest(),
                "out": str(out),
            },
            as_json,
        )


def _as_signature(answer: bytes, content: Content, reply_to: Path) -> bytes:
    """The answer to that request, as its wallet reads it. Raises Refused."""
    if content is not Content.ETH_SIGNATURE:
        raise Refused("output.reply", "got --reply-to, expected --type eth-signature with it")
    request = EthSignRequest.decode(read_limited(reply_to, MESSAGE_BYTES_MAX))
    return eth_signature(answer, request).encode()


def _source(data: bytes, scheme: Scheme, content: Content, fragment_bytes: int) -> FrameSource:
    if scheme is Scheme.UR:
        return UrSource(UrType(content), data, fragment_bytes)
    if content in (Content.ETH_SIGN_REQUEST, Content.ETH_SIGNATURE):
        raise Refused("output.scheme", f"got {content} as bbqr, expected --as ur")
    kind = Kind.BYTES if content is Content.BYTES else Kind.PSBT
    return BbqrSource(kind, data, fragment_bytes)


def _collected(texts: Iterator[str], stop_when_complete: bool) -> tuple[Message, int]:
    """The message and its parts, told as they come. All of a file is read, to notice mix-ups."""
    collector = Collector()
    told = 0
    for text in texts:
        collector.add(text)
        if collector.have > told:
            told = collector.have
            typer.echo(
                f"part {told} of {collector.need}, {collector.percent} %",
                err=True,
            )
        if stop_when_complete and collector.complete:
            break
    message = collector.message()
    typer.echo("complete", err=True)
    return message, collector.need


def _write_pngs(frames: list[str], folder: Path) -> list[str]:
    """One file a frame, in a folder made for them: no older frame can lie among them."""
    require_free(folder)
    version = qr.version_of(frames)
    try:
        folder.mkdir()
    except OSError as error:
        raise StorageError(f"got no place for {folder.name}: {error.strerror}") from error
    names = [f"{number:05}.png" for number in range(1, len(frames) + 1)]
    for name, frame in zip(names, frames, strict=True):
        write_new(folder.joinpath(name), qr.png(frame, version))
    return names


def _animate(source: FrameSource, wait_ms: Callable[[int], None]) -> None:
    """One frame after the other until the person presses Ctrl-C."""
    version = qr.version_of(qr.recorded(source))
    number = 0
    try:
        while True:
            number = number % SEQUENCE_MAX + 1
            picture = qr.terminal_text(source.frame(number), version)
            line = f"frame {number} of a message in {source.count}; Ctrl-C ends"
            typer.echo(f"{_CLEAR}{picture}\n{line}", color=True)
            wait_ms(qr.FRAME_MS)
    except KeyboardInterrupt:
        typer.echo("ended")


def _wait_ms(milliseconds: int) -> None:
    """Sleep in whole milliseconds."""
    select.poll().poll(milliseconds)


def _say_shown(source: FrameSource, data: bytes, out: str, frames: int, as_json: bool) -> None:
    say(
        {
            "parts": source.count,
            "frames": frames,
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "out": out,
        },
        as_json,
    )
