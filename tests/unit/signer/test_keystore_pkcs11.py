"""A real PKCS#11 token: SoftHSM2 with a token folder of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from signer.__main__ import build_app
from signer.keystore import (
    FactorKek,
    FactorMissing,
    KeyFileFactor,
    KeystoreError,
    Pkcs11Factor,
    SecretUse,
    Token,
    TokenKeyExportable,
    TokenUnusable,
    WrongPassphrase,
    decode_key,
    encode_key,
    new_header,
)
from signer.keystore.factors import stored_fields
from tests.signer_world import NOW_S, drip

SEED = bytes(range(32))
HEADER = new_header("hot-a/seed", SecretUse.SEED, SEED, NOW_S)
PIN = "87654321"
LIBRARIES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)


def missing(reason: str) -> None:
    """Where the machine could have installed it, its absence is a failure."""
    if os.environ.get("CI") == "true" and os.geteuid() == 0:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The library's path, with two empty tokens in a folder of this test."""
    pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed")
    library = next((path for path in LIBRARIES if Path(path).exists()), None)
    tool = shutil.which("softhsm2-util")
    if library is None or tool is None:
        missing("SoftHSM2 is not installed")
    assert library and tool
    folder = tmp_path_factory.mktemp("softhsm")
    folder.joinpath("tokens").mkdir()
    conf = folder / "softhsm2.conf"
    conf.write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(conf))
        for label in ("glaytos", "other"):
            command = [tool, "--init-token", "--free", "--label", label]
            subprocess.run(
                [*command, "--so-pin", "12345678", "--pin", PIN], check=True, capture_output=True
            )
        yield library
        import pkcs11

        pkcs11.unload(library)


@pytest.fixture(params=["AES_GCM", "AES_KEY_WRAP_PAD"])
def place(softhsm: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Token:
    """The token twice: as it is, and as one without AES-GCM."""
    if request.param != "AES_GCM":
        monkeypatch.setattr("signer.keystore.pkcs11.GCM", "NO_GCM")
        monkeypatch.setattr("signer.keystore.pkcs11._mechanism_of", lambda _: request.param)
    return Token(module=softhsm, token="glaytos", key=f"kek-{request.param}", pin=PIN)


def other(place: Token, **changes: str) -> Token:
    named = {name: getattr(place, name) for name in ("module", "token", "key", "pin")}
    return Token(**{**named, **changes})


def sealed_by(place: Token) -> bytes:
    return encode_key(HEADER, SEED, FactorKek([Pkcs11Factor(place)]), drip("file"))


def opened(data: bytes, place: Token) -> bytes:
    return decode_key(data, FactorKek([Pkcs11Factor(place)])).secret


def session_of(place: Token) -> Any:
    import pkcs11

    token = pkcs11.lib(place.module).get_token(token_label=place.token)
    return token.open(rw=True, user_pin=place.pin)


def destroy(place: Token) -> None:
    from pkcs11 import Attribute

    with session_of(place) as session:
        for key in list(session.get_objects({Attribute.LABEL: place.key})):
            key.destroy()


def test_a_token_wraps_and_unwraps(place: Token) -> None:
    data = sealed_by(place)

    assert SEED == opened(data, place)
    assert SEED == opened(sealed_by(place), place)


def test_the_tokens_key_never_leaves_it_and_does_one_thing(place: Token) -> None:
    from pkcs11 import Attribute

    sealed_by(place)
    with session_of(place) as session:
        (key,) = session.get_objects({Attribute.LABEL: place.key})
        assert key[Attribute.SENSITIVE] and key[Attribute.NEVER_EXTRACTABLE]
        assert not key[Attribute.EXTRACTABLE] and not key[Attribute.MODIFIABLE]
        wraps = (key[Attribute.WRAP], key[Attribute.UNWRAP])
        encrypts = (key[Attribute.ENCRYPT], key[Attribute.DECRYPT])
        gcm = place.key.endswith("GCM")
        assert (wraps, encrypts) == (((not gcm,) * 2), ((gcm,) * 2))


def test_nothing_but_the_key_stays_in_the_token(place: Token) -> None:
    sealed_by(place)
    opened(sealed_by(place), place)
    from pkcs11 import Attribute

    with session_of(place) as session:
        labels = [each[Attribute.LABEL] for each in session.get_objects()]
    assert len(labels) == len(set(labels)) and all(label.startswith("kek-") for label in labels)


def test_a_wrong_pin_opens_nothing(place: Token) -> None:
    data = sealed_by(place)

    with pytest.raises(WrongPassphrase, match="PIN"):
        opened(data, other(place, pin="11111111"))


def test_another_token_key_or_library_opens_nothing(place: Token) -> None:
    data = sealed_by(place)
    sealed_by(other(place, token="other"))

    for changes in (
        {"token": "other"},
        {"key": "kek-none"},
        {"module": "/nonexistent/library.so"},
    ):
        with pytest.raises(TokenUnusable) as caught:
            opened(data, other(place, **changes))
        assert "keystore.token_unusable" == caught.value.code


def test_an_absent_token_and_a_deleted_key_open_nothing(place: Token) -> None:
    with pytest.raises(TokenUnusable):
        sealed_by(other(place, token="absent"))

    gone = other(place, key=f"{place.key}-gone")
    data = sealed_by(gone)
    destroy(gone)
    with pytest.raises(TokenUnusable, match="without key"):
        opened(data, gone)


def test_changed_bytes_are_not_unwrapped(place: Token) -> None:
    stored = dict(Pkcs11Factor(place).make(drip("x"))[0])
    wrapped = bytearray(stored["wrapped"])
    wrapped[5] ^= 1

    with pytest.raises(WrongPassphrase):
        Pkcs11Factor(place).open(stored_fields({**stored, "wrapped": bytes(wrapped)}))


def test_a_key_that_could_leave_the_token_is_refused(place: Token) -> None:
    from pkcs11 import Attribute, KeyType, MechanismFlag

    loose = other(place, key=f"{place.key}-loose")
    flags = MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
    flags |= MechanismFlag.WRAP | MechanismFlag.UNWRAP
    template = {Attribute.EXTRACTABLE: True, Attribute.SENSITIVE: False}
    with session_of(loose) as session:
        session.generate_key(
            KeyType.AES, 256, label=loose.key, store=True, capabilities=flags, template=template
        )

    with pytest.raises(TokenKeyExportable) as caught:
        sealed_by(loose)
    assert "keystore.token_key_exportable" == caught.value.code
    destroy(loose)


def test_two_keys_of_one_name_are_refused(place: Token) -> None:
    from pkcs11 import KeyType

    twice = other(place, key=f"{place.key}-twice")
    with session_of(twice) as session:
        for _ in range(2):
            session.generate_key(KeyType.AES, 256, label=twice.key, store=True)

    with pytest.raises(TokenUnusable, match="2 keys"):
        sealed_by(twice)
    destroy(twice)


def test_an_unknown_mechanism_is_refused(place: Token) -> None:
    stored = dict(Pkcs11Factor(place).make(drip("x"))[0])

    with pytest.raises(KeystoreError):
        decode_key(
            encode_key(HEADER, SEED, _Unknown(stored, place), drip("f")),
            FactorKek([Pkcs11Factor(place)]),
        )


class _Unknown(FactorKek):
    """Writes a file whose token's mechanism is one that we never write."""

    def __init__(self, stored: dict[str, object], place: Token) -> None:
        super().__init__([Pkcs11Factor(place)])
        self._current = ([{**stored, "mechanism": "AES_ECB", "kind": "pkcs11"}], bytes(32))


def test_a_token_without_a_usable_mechanism_is_refused(
    softhsm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signer.keystore.pkcs11.PADDED_WRAPS", ("AES_KEY_WRAP_KWP",))
    monkeypatch.setattr("signer.keystore.pkcs11.GCM", "AES_KEY_WRAP_PKCS7")

    with pytest.raises(TokenUnusable, match="AES-GCM and RFC 5649"):
        sealed_by(Token(module=softhsm, token="glaytos", key="kek-x", pin=PIN))


def test_a_token_stands_beside_another_factor(place: Token) -> None:
    noise = KeyFileFactor(bytes(range(64)))
    data = encode_key(HEADER, SEED, FactorKek([Pkcs11Factor(place), noise]), drip("file"))

    assert SEED == decode_key(data, FactorKek([noise, Pkcs11Factor(place)])).secret
    with pytest.raises(FactorMissing, match="pkcs11"):
        decode_key(data, FactorKek([noise]))
    with pytest.raises(FactorMissing, match="key-file"):
        decode_key(data, FactorKek([Pkcs11Factor(place)]))


def test_a_home_is_made_and_opened_with_a_token_at_the_command_line(
    softhsm: str, tmp_path: Path
) -> None:
    home, unlock = tmp_path / "home", tmp_path / "unlock.toml"
    tmp_path.joinpath("pin").write_text(PIN + "\n")
    tmp_path.joinpath("noise").write_bytes(bytes(range(64)))
    token = f'[pkcs11]\nmodule = "{softhsm}"\ntoken = "glaytos"\nkey = "kek-home"\n'
    unlock.write_text(token + 'pin_file = "pin"\n[key-file]\nfile = "noise"\n')

    def run(*arguments: object, typed: str = "") -> tuple[int, dict[str, Any]]:
        words = [*(str(each) for each in arguments), "--unlock", str(unlock), "--json"]
        result = CliRunner().invoke(build_app(), words, input=typed)
        assert PIN not in result.output
        return result.exit_code, json.loads(result.stdout.splitlines()[-1])

    cheap = ("--only-system-entropy", "--kdf-memory-mib", "64")
    assert 0 == run("init", "--home", home, "--id", "kh1", *cheap)[0]
    rewrap = ("keys", "rewrap", "--home", home, "--keep")
    code, done = run(*rewrap)
    assert (0, "key-file, pkcs11") == (code, done["opened_by"])
    unlock.write_text(token + '[key-file]\nfile = "noise"\n')
    assert 0 == run(*rewrap, typed=PIN + "\n")[0]
    code, done = run(*rewrap, typed="11111111\n")
    assert (1, "keystore.wrong_passphrase") == (code, done["code"])


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)

    with pytest.raises(TokenUnusable, match=r"glaytos-wallet\[hsm\]"):
        sealed_by(Token(module="x", token="glaytos", key="kek", pin=PIN))


@pytest.mark.parametrize("labels", [("", "k"), ("t" * 33, "k"), ("t", ""), ("t", "k" * 129)])
def test_labels_that_cannot_be_stored_are_refused(labels: tuple[str, str]) -> None:
    with pytest.raises(TokenUnusable):
        Token(module="x", token=labels[0], key=labels[1], pin=PIN)


def test_the_pin_does_not_show_in_repr() -> None:
    assert PIN not in repr(Token(module="x", token="t", key="k", pin=PIN))
