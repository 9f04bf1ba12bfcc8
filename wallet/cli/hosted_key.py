"""`glaytos-wallet hosted-key`: a user's own key, made and opened on this computer only."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from chains.units import to_units
from wallet.client import ClientError
from wallet.client.types import HostedKeyInfo, HostedPayment
from wallet.device import BLOB_BYTES_MAX, HostedKeyDevice, TerminalPerson, clean, open_device
from wallet.errors import Invalid

app = typer.Typer(
    help="Your own key, hosted as ciphertext: made, encrypted and opened on this computer only. "
    "The service never sees the key or the payment password."
)

SECOND_SOURCE_BYTES_MAX = 1024 * 1024

Folder = Annotated[Path, typer.Option("--device", help="This device's folder; holds no secret.")]
Credentials = Annotated[Path, typer.Option("--credentials", help="The API credentials file.")]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="Read the payment password from this file.")
]
PasswordFd = Annotated[
    int | None, typer.Option("--password-fd", help="Read the payment password from a descriptor.")
]
NewPasswordFile = Annotated[
    Path | None, typer.Option("--new-password-file", help="Read the new payment password here.")
]
MemoryMib = Annotated[int, typer.Option("--kdf-mib", help="MiB that Argon2id takes a new blob.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


class BlobFormat(StrEnum):
    """How a new blob is written."""

    HK1 = "HK1"
    HK0 = "HK0"


Format = Annotated[
    BlobFormat,
    typer.Option(
        "--format",
        help="HK1: AES-256-GCM. HK0: the white paper's 3DES, only where the operator allows it.",
    ),
]
KeyId = Annotated[str, typer.Argument(help="Id of the hosted key.")]

HOME = Path("~/.glaytos/device")
"""Where a device's memory lies unless told otherwise."""

KDF_MIB = 256
"""Argon2id memory of new blobs: well above the floor, still possible on a phone."""


@app.command()
def make(
    account: Annotated[str, typer.Option(help="Account id that the key belongs to.")],
    network: Annotated[str, typer.Option(help="For example bitcoin, litecoin or ethereum.")],
    credentials: Credentials,
    entropy: Annotated[
        Path | None, typer.Option(help="A file of dice rolls or noise, mixed in beside the system.")
    ] = None,
    device: Folder = HOME,
    new_password_file: NewPasswordFile = None,
    kdf_mib: MemoryMib = KDF_MIB,
    blob_format: Format = BlobFormat.HK1,
    as_json: AsJson = False,
) -> None:
    """Make a key here, encrypt it under a payment password, and store only the ciphertext.

    An authenticator app is enrolled as the second factor; its code is asked for whenever the
    ciphertext is fetched.
    """
    person = TerminalPerson(new_password_file=new_password_file)
    with _device(device, credentials, person, kdf_mib, blob_format) as opened:
        made = opened.make(account, network, _second_source(entropy))
    _say({"id": made.id, "network": made.network, "address": made.address}, as_json)


@app.command("list")
def list_all(credentials: Credentials, device: Folder = HOME, as_json: AsJson = False) -> None:
    """The keys that this device knows, and whether the service still has them."""
    with _device(device, credentials, TerminalPerson(), KDF_MIB) as opened:
        found = [
            {"id": known.kid, "network": known.network, "stored": info is not None}
            | (_key_json(info) if info is not None else {})
            for known, info in opened.known_keys()
        ]
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    for each in found:
        place = each.get("address", "GONE from the service")
        typer.echo(clean(f"{each['id']}  {each['network']}  {place}"))


@app.command()
def show(
    key_id: KeyId, credentials: Credentials, device: Folder = HOME, as_json: AsJson = False
) -> None:
    """One key and its latest payments. An address that this device never opened is marked so."""
    with _device(device, credentials, TerminalPerson(), KDF_MIB) as opened:
        info = opened.key(key_id)
        known = opened.known(key_id) is not None
        payments = [_payment_json(each) for each in opened.payments(key_id)]
    body = _key_json(info) | {"opened_here": known}
    if as_json:
        typer.echo(json.dumps(body | {"payments": payments}, indent=1))
        return
    _say(body, as_json=False)
    if not known:
        typer.echo("Export it once on this device before you let anybody pay to this address.")
    for each in payments:
        typer.echo(clean(f"{each['id']}  {each['amount']} {each['asset']}  {each['status']}"))


@app.command()
def pay(
    key_id: KeyId,
    credentials: Credentials,
    asset: Annotated[str, typer.Option(help="BTC, LTC, ETH or a token of the key's network.")],
    to: Annotated[str, typer.Option(help="The payee's address.")],
    amount: Annotated[str, typer.Option(help='Decimal text, for example "0.25".')],
    max_fee: Annotated[
        str, typer.Option(help="The most that the network may take, in its own coin.")
    ] = "",
    device: Folder = HOME,
    password_file: PasswordFile = None,
    password_fd: PasswordFd = None,
    as_json: AsJson = False,
) -> None:
    """Pay: the exact bytes are decoded and shown, then signed here and handed in.

    The default answer is no. Code and password are asked for only after a yes.
    """
    person = TerminalPerson(password_file=password_file, password_fd=password_fd)
    with _device(device, credentials, person, KDF_MIB) as opened:
        network = opened.network_of(key_id)
        paid = opened.pay(
            key_id,
            asset=asset,
            address=to,
            units=to_units(amount, network.decimals_of(asset)),
            fee_units_max=to_units(max_fee, network.decimals) if max_fee else None,
        )
    _say(_payment_json(paid), as_json)


@app.command()
def change_password(
    key_id: KeyId,
    credentials: Credentials,
    device: Folder = HOME,
    password_file: PasswordFile = None,
    new_password_file: NewPasswordFile = None,
    kdf_mib: MemoryMib = KDF_MIB,
    blob_format: Format = BlobFormat.HK1,
    as_json: AsJson = False,
) -> None:
    """Encrypt the key anew under another password; asks for two codes, one after the other."""
    person = TerminalPerson(password_file=password_file, new_password_file=new_password_file)
    with _device(device, credentials, person, kdf_mib, blob_format) as opened:
        info = opened.change_password(key_id)
    _say({"id": info.id, "version": info.version}, as_json)


@app.command()
def export(
    key_id: KeyId,
    credentials: Credentials,
    out: Annotated[Path, typer.Option(help="New file for the ciphertext.")],
    device: Folder = HOME,
    password_file: PasswordFile = None,
    password_fd: PasswordFd = None,
    as_json: AsJson = False,
) -> None:
    """Write the ciphertext to a file, after opening it once: a backup under the same password."""
    person = TerminalPerson(password_file=password_file, password_fd=password_fd)
    with _device(device, credentials, person, KDF_MIB) as opened:
        blob = opened.export(key_id)
    _write_new(out, blob)
    _say({"id": key_id, "file": str(out), "bytes": len(blob)}, as_json)


@app.command()
def change_authenticator(
    key_id: KeyId,
    credentials: Credentials,
    exported: Annotated[Path, typer.Option("--export", help="The file that `export` wrote.")],
    device: Folder = HOME,
    password_file: PasswordFile = None,
    password_fd: PasswordFd = None,
    as_json: AsJson = False,
) -> None:
    """Ask for another authenticator when the first is lost; it counts after the service's delay.

    The key itself signs for it, from an exported file: nobody with the service's keys alone can.
    """
    person = TerminalPerson(password_file=password_file, password_fd=password_fd)
    blob = _read_export(exported)
    with _device(device, credentials, person, KDF_MIB) as opened:
        info = opened.change_authenticator(key_id, blob)
    _say({"id": info.id, "counts_from_s": info.next_authenticator_from_s}, as_json)


@app.command()
def keep_authenticator(
    key_id: KeyId, credentials: Credentials, device: Folder = HOME, as_json: AsJson = False
) -> None:
    """Forget a change of the authenticator that somebody asked for; asks for a code."""
    with _device(device, credentials, TerminalPerson(), KDF_MIB) as opened:
        info = opened.keep_authenticator(key_id)
    _say({"id": info.id, "authenticator": info.authenticator}, as_json)


@app.command()
def delete(
    key_id: KeyId, credentials: Credentials, device: Folder = HOME, as_json: AsJson = False
) -> None:
    """Make the service forget the ciphertext for ever. Without an export, its money is lost."""
    with _device(device, credentials, TerminalPerson(), KDF_MIB) as opened:
        opened.delete(key_id)
    _say({"id": key_id, "deleted": True}, as_json)


@contextmanager
def _device(
    folder: Path,
    credentials: Path,
    person: TerminalPerson,
    memory_mib: int,
    blob_format: BlobFormat = BlobFormat.HK1,
) -> Iterator[HostedKeyDevice]:
    """The device; the service's refusals end the command with code 1, as our own do."""
    try:
        with open_device(
            folder.expanduser(), credentials, person, memory_mib, blob_format
        ) as opened:
            yield opened
    except ClientError as error:
        typer.echo(clean(f"{error.code}: {error}"), err=True)
        raise typer.Exit(1) from error


def _second_source(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            data = file.read(SECOND_SOURCE_BYTES_MAX + 1)
    except OSError as error:
        raise Invalid(f"got no readable file {path}, expected entropy") from error
    return data


def _read_export(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(BLOB_BYTES_MAX + 1)
    except OSError as error:
        raise Invalid(f"got no readable file {path}, expected an export") from error


def _write_new(path: Path, data: bytes) -> None:
    try:
        with path.open("xb") as file:
            path.chmod(0o600)
            file.write(data)
    except OSError as error:
        raise Invalid(f"got {path}, expected a path for a new file") from error


def _key_json(info: HostedKeyInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "network": info.network,
        "address": info.address,
        "version": info.version,
        "locked_until_s": info.locked_until_s,
    }


def _payment_json(payment: HostedPayment) -> dict[str, Any]:
    return {
        "id": payment.id,
        "asset": payment.asset,
        "amount": payment.amount,
        "address": payment.address,
        "fee": f"{payment.fee} {payment.fee_asset}",
        "status": payment.status,
        "sub_status": payment.sub_status,
        "txid": payment.txid,
    }


def _say(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(values, indent=1))
        return
    for name, value in values.items():
        typer.echo(clean(f"{name}: {value}"))
