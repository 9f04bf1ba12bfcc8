"""BIP-129: its published sessions, every refusal, and a vault set up by the command line."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from embit import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from chains.errors import ChainError
from chains.utxo.descriptors import DescriptorVault, Template, with_checksum
from chains.utxo.params import BUILTIN
from signer.__main__ import build_app
from signer.bsms import joining
from signer.bsms import session as sessions
from signer.bsms.cipher import Mode, Token, unwrap, wrap
from signer.bsms.messages import is_signed, sign_message, simple_digest
from signer.bsms.records import DescriptorRecord, KeyRecord, combined
from signer.cli import bsms as commands
from signer.errors import SignerError
from signer.home import Home
from tests.bsms_vectors import (
    EXTENDED,
    EXTENDED_KEYS,
    NO_ENCRYPTION,
    PUBLIC_KEYS,
    SESSIONS,
    STANDARD,
    STANDARD_KEY,
    PublishedSession,
    Signed,
)
from tests.signer_world import (
    BTC,
    COLD_BTC,
    LTC,
    NOW_S,
    PASSPHRASE,
    SOFT,
    World,
    drip,
    origin,
)

BITCOIN = BUILTIN["bitcoin"]
RUNNER = CliRunner()
PUBLISHED = [signer for session in SESSIONS for signer in session.signers]


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises((SignerError, ChainError)) as caught:
        act()
    return str(caught.value.code)  # type: ignore[attr-defined]


# The published sessions.


@pytest.mark.parametrize("signer", PUBLISHED, ids=lambda signer: signer.key[:9])
def test_published_key_records_are_read_and_believed(signer: Signed) -> None:
    record = KeyRecord.parse(signer.record)

    record.check(Token.parse(signer.token))
    assert signer.record == record.text


@pytest.mark.parametrize("signer", PUBLISHED, ids=lambda signer: signer.key[:9])
def test_published_signatures_are_made_byte_for_byte(signer: Signed) -> None:
    secret = ec.PrivateKey.from_wif(signer.wif).serialize()
    unsigned = replace(KeyRecord.parse(signer.record), signature="")

    assert signer.signature == unsigned.signed(secret).signature


def test_published_encryption_keys() -> None:
    tokens = [STANDARD.signers[0].token, *(signer.token for signer in EXTENDED.signers)]

    assert [STANDARD_KEY, *EXTENDED_KEYS] == [
        Token.parse(token).encryption_key().hex() for token in tokens
    ]


@pytest.mark.parametrize("signer", [*STANDARD.signers, *EXTENDED.signers], ids=lambda s: s.key[:9])
def test_published_key_records_travel_as_published(signer: Signed) -> None:
    token = Token.parse(signer.token)
    wire = wrap(signer.record, token)

    assert signer.mac == wire.decode()[:64]
    assert signer.wire in ("", wire.decode())
    assert signer.record == unwrap(wire, token)


@pytest.mark.parametrize("session", [STANDARD, EXTENDED])
def test_published_descriptor_records_travel_as_published(session: PublishedSession) -> None:
    tokens = list(dict.fromkeys(signer.token for signer in session.signers))
    wires = [wrap(session.record, Token.parse(token)).decode() for token in tokens]

    assert list(session.macs) == [wire[:64] for wire in wires]


@pytest.mark.parametrize("session", [NO_ENCRYPTION, STANDARD])
def test_published_vaults_are_taken_and_made(session: PublishedSession) -> None:
    record = DescriptorRecord.parse(session.record)

    vault = record.vault("cold", BITCOIN)

    assert (2, 2, Template.WSH_MULTI) == (vault.threshold, len(vault.keys), vault.template)
    records = [KeyRecord.parse(signer.record) for signer in session.signers]
    tokens = [one.token for one in records]
    made = combined(records, tokens, 2, 2, Template.WSH_MULTI, BITCOIN)
    assert record.vault("x", BITCOIN) == made.vault("x", BITCOIN)
    assert (session.restrictions, session.first_address) == (made.restrictions, made.first_address)


@pytest.mark.parametrize("session", [PUBLIC_KEYS, EXTENDED])
def test_published_vaults_that_this_signer_cannot_spend_are_refused(
    session: PublishedSession,
) -> None:
    """Keys without children, and keys in the order given: read, but not ours to sign for."""
    record = DescriptorRecord.parse(session.record)

    assert session.record == record.text
    assert "descriptor.invalid" == code_of(lambda: record.vault("cold", BITCOIN))


# Tokens and encryption.


def test_tokens_have_the_sizes_of_their_modes() -> None:
    sizes = {mode: len(Token.new(mode, drip("t")).raw) for mode in Mode}

    assert {Mode.NONE: 1, Mode.STANDARD: 8, Mode.EXTENDED: 16} == sizes
    assert not Token.new(Mode.NONE, drip("t")).encrypts
    assert "00" == Token.new(Mode.NONE, drip("t")).text


def test_a_token_does_not_show_itself() -> None:
    token = Token.new(Mode.STANDARD, drip("t"))

    assert token.text not in repr(token)
    assert repr(token.raw) not in repr(token)


@pytest.mark.parametrize("text", ["", "0", "01", "0000", "zz", "00" * 7, "00" * 9, "00" * 17])
def test_other_tokens_are_refused(text: str) -> None:
    assert "bsms.token" == code_of(lambda: Token.parse(text))


TOKEN = Token.parse(STANDARD.signers[0].token)
WIRE = wrap(STANDARD.record, TOKEN)


@settings(max_examples=25, deadline=None)
@given(at=st.integers(0, len(WIRE) // 2 - 1), bit=st.integers(0, 7))
def test_any_changed_bit_is_noticed(at: int, bit: int) -> None:
    raw = bytearray(bytes.fromhex(WIRE.decode()))
    raw[at] ^= 1 << bit

    assert "bsms.mac" == code_of(lambda: unwrap(raw.hex().encode(), TOKEN))


def test_another_token_does_not_open() -> None:
    assert "bsms.mac" == code_of(lambda: unwrap(WIRE, Token.parse("00" * 8)))


@pytest.mark.parametrize("data", [b"", b"xyz", b"00" * 32, b"\xff", b"00" * 9000])
def test_other_bytes_are_no_encrypted_record(data: bytes) -> None:
    assert "bsms.malformed" == code_of(lambda: unwrap(data, TOKEN))


def test_bytes_that_are_no_text_are_no_record() -> None:
    assert "bsms.malformed" == code_of(lambda: unwrap(b"\xff", Token.parse("00")))


# Records.

FIRST = NO_ENCRYPTION.signers[0]


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (FIRST.record.replace("1.0", "2.0", 1), "bsms.version"),
        (FIRST.record.replace("BSMS 1.0", "x", 1), "bsms.version"),
        (FIRST.record + "\nmore", "bsms.malformed"),
        ("BSMS 1.0\n00", "bsms.malformed"),
        ("", "bsms.malformed"),
        (FIRST.record.replace("\n00\n", "\n0x\n"), "bsms.token"),
        (FIRST.record.replace("Signer 1 key", "x" * 81), "bsms.label"),
        (FIRST.record.replace("Signer 1 key", ""), "bsms.label"),
        (FIRST.record.replace("Signer 1 key", "a\x1b[2Jb"), "bsms.label"),
    ],
)
def test_other_key_records_are_refused(record: str, code: str) -> None:
    assert code == code_of(lambda: KeyRecord.parse(record))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"label": "Signer 2 key"}, "bsms.signature"),
        ({"key": NO_ENCRYPTION.signers[1].key}, "bsms.signature"),
        ({"signature": NO_ENCRYPTION.signers[1].signature}, "bsms.signature"),
        ({"signature": ""}, "bsms.signature"),
        ({"signature": "x" * 500}, "bsms.signature"),
        ({"signature": "%%%"}, "bsms.signature"),
        ({"signature": "\x80" + FIRST.signature[1:]}, "bsms.signature"),
        ({"signature": "AA=="}, "bsms.signature"),
        ({"token": Token.parse("00" * 8)}, "bsms.token"),
        ({"key": "[00000000]02" + "ff" * 32}, "bsms.malformed"),
        ({"key": "xpub"}, "bsms.malformed"),
    ],
)
def test_key_records_that_nobody_should_believe(changes: dict[str, Any], code: str) -> None:
    record = replace(KeyRecord.parse(FIRST.record), **changes)

    assert code == code_of(lambda: record.check(Token.parse("00")))


def test_a_record_that_went_through_another_editor_is_the_same() -> None:
    assert KeyRecord.parse(FIRST.record) == KeyRecord.parse(FIRST.record.replace("\n", "\r\n"))
    assert KeyRecord.parse(FIRST.record) == KeyRecord.parse(FIRST.record + "\n")


BIP322_KEY = ec.PrivateKey.from_wif("L3VFeEujGtevx9w18HD1fhRbCH67Az2dpCymeRE1SoPK6XQtaN2k")
BIP322_CASES = [
    (
        b"",
        (
            "AkcwRAIgM2gBAQqvZX15ZiysmKmQpDrG83avLIT492QBzLnQIxYCIBaTpOaD20qRlEylyxFSeEA2ba9YOixpX8z46TSDt"
            "S40ASECx/EgAxlkQpQ9hYjgGu6EBCPMVPwVIVJqO4XCsMvViHI="
        ),
    ),
    (
        b"Hello World",
        (
            "AkcwRAIgZRfIY3p7/DoVTty6YZbWS71bc5Vct9p9Fia83eRmw2QCICK/ENGfwLtptFluMGs2KsqoNSk89pO7F29zJLUx9"
            "a/sASECx/EgAxlkQpQ9hYjgGu6EBCPMVPwVIVJqO4XCsMvViHI="
        ),
    ),
]
"""The simple signatures published in BIP-322."""


@pytest.mark.parametrize(("message", "signature"), BIP322_CASES)
def test_published_bip322_signatures_are_believed(message: bytes, signature: str) -> None:
    public_key = BIP322_KEY.get_public_key().sec()

    assert is_signed(public_key, message, signature)
    assert is_signed(public_key, message, "smp" + signature)
    assert not is_signed(public_key, message + b".", signature)
    assert not is_signed(b"\x02" + bytes(31) + b"\x01", message, signature)
    assert simple_digest(public_key, message) != simple_digest(public_key, message + b".")


def test_a_simple_signature_names_the_key_that_made_it() -> None:
    public_key = BIP322_KEY.get_public_key().sec()
    raw = base64.b64decode(BIP322_CASES[0][1])
    other = raw[:-33] + b"\x02" + raw[-32:-1] + b"\x00"

    assert raw.endswith(public_key)
    assert not is_signed(public_key, b"", base64.b64encode(other).decode())


def test_old_signatures_are_by_one_key_over_one_message() -> None:
    secret = BIP322_KEY.serialize()
    public_key = BIP322_KEY.get_public_key().sec()
    text = sign_message(secret, b"x")

    assert is_signed(public_key, b"x", text)
    assert not is_signed(public_key, b"y", text)


SECOND = DescriptorRecord.parse(NO_ENCRYPTION.record)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"first_address": STANDARD.first_address}, "bsms.first_address"),
        ({"first_address": SECOND.first_address.upper()}, "bsms.first_address"),
        ({"restrictions": "/0/*"}, "bsms.path_restrictions"),
        ({"restrictions": "/1/*,/0/*"}, "bsms.path_restrictions"),
        ({"restrictions": "/0/*,/1/*,/2/*"}, "bsms.path_restrictions"),
        ({"restrictions": "No path restrictions"}, "bsms.path_restrictions"),
        ({"descriptor": SECOND.descriptor.replace("/**", "/<0;1>/*")}, "bsms.path_restrictions"),
        ({"descriptor": SECOND.descriptor + "#aaaaaaaa"}, "descriptor.bad_checksum"),
        ({"descriptor": SECOND.descriptor.replace("(2,", "(3,")}, "descriptor.invalid"),
        ({"descriptor": SECOND.descriptor.replace("sortedmulti", "multi")}, "descriptor.invalid"),
        ({"descriptor": SECOND.descriptor.replace("(2,", "(1,")}, "bsms.first_address"),
    ],
)
def test_descriptor_records_that_do_not_fit_are_refused(changes: dict[str, Any], code: str) -> None:
    record = replace(SECOND, **changes)

    assert code == code_of(lambda: record.vault("cold", BITCOIN))


def test_a_descriptor_that_spells_its_branches_has_no_restrictions() -> None:
    spelt = replace(
        SECOND,
        descriptor=SECOND.descriptor.replace("/**", "/<0;1>/*"),
        restrictions="No path restrictions",
    )

    assert SECOND.vault("cold", BITCOIN) == spelt.vault("cold", BITCOIN)


@pytest.mark.parametrize("record", [SECOND.text + "\nmore", "BSMS 1.0", ""])
def test_other_descriptor_records_are_refused(record: str) -> None:
    assert "bsms.malformed" == code_of(lambda: DescriptorRecord.parse(record))


def test_a_descriptor_record_of_another_version_is_refused() -> None:
    record = SECOND.text.replace("1.0", "1.1", 1)

    assert "bsms.version" == code_of(lambda: DescriptorRecord.parse(record))


def test_key_records_are_counted_and_different() -> None:
    records = [KeyRecord.parse(signer.record) for signer in NO_ENCRYPTION.signers]
    tokens = [Token.parse("00")] * 2

    def made(given: list[KeyRecord], signers: int, threshold: int = 2) -> object:
        return combined(
            given, tokens[: len(given)], signers, threshold, Template.WSH_MULTI, BITCOIN
        )

    assert "bsms.key_count" == code_of(lambda: made(records, 3))
    assert "bsms.key_count" == code_of(lambda: made(records[:1], 2))
    assert "bsms.duplicate_key" == code_of(lambda: made([records[0]] * 2, 2))
    assert "descriptor.invalid" == code_of(lambda: made(records, 2, 3))
    forged = replace(records[0], label="x")
    assert "bsms.signature" == code_of(lambda: made([forged, records[1]], 2))


LINES = st.one_of(
    st.text(max_size=40),
    st.sampled_from([*FIRST.record.split("\n"), *NO_ENCRYPTION.record.split("\n"), "/**", "00"]),
)


@settings(max_examples=150, deadline=None)
@given(lines=st.lists(LINES, max_size=6), at=st.integers(0, 400), char=st.characters())
def test_whatever_comes_is_read_or_refused_with_a_code(
    lines: list[str], at: int, char: str
) -> None:
    texts = ["\n".join(["BSMS 1.0", *lines])]
    texts += [text[:at] + char + text[at + 1 :] for text in (FIRST.record, NO_ENCRYPTION.record)]
    for text in texts:
        for act in (_believe, _take):
            try:
                act(text)
            except (SignerError, ChainError):
                continue


def _believe(text: str) -> None:
    KeyRecord.parse(text).check(Token.parse("00"))


def _take(text: str) -> None:
    DescriptorRecord.parse(text).vault("cold", BITCOIN)


# Two homes set up a vault.


@dataclass(frozen=True, slots=True)
class Setup:
    """Two homes, a folder, a clock, and the files that pass between them."""

    world: World
    folder: Path
    passphrase: Path
    clock: list[int]

    def run(self, *arguments: object, typed: str = "") -> Result:
        return RUNNER.invoke(build_app(), [str(one) for one in arguments], input=typed)

    def told(self, *arguments: object) -> dict[str, Any]:
        result = self.run(*arguments, "--json")
        assert 0 == result.exit_code, result.output
        answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
        return answer

    def refused(self, *arguments: object) -> str:
        result = self.run(*arguments, "--json")
        assert 1 == result.exit_code, result.output
        return str(json.loads(result.stdout.splitlines()[-1])["code"])

    def file(self, name: str) -> Path:
        return self.folder / name

    def home(self, name: str) -> list[object]:
        return ["--home", self.world.root / name]

    def opened(self, name: str) -> list[object]:
        return [*self.home(name), "--passphrase-file", self.passphrase]

    def make_token(self, mode: str = "standard") -> None:
        token = self.told("bsms", "token", "--mode", mode)["token"]
        self.file("token").write_text(token + "\n")

    def key_command(self, name: str, **changes: object) -> list[object]:
        fields = {
            "network": BTC,
            "account": 7,
            "label": f"key of {name}",
            "token-file": self.file("token"),
            "out": self.file(f"{name}.dat"),
            **changes,
        }
        options = [part for key, value in fields.items() for part in (f"--{key}", value)]
        return ["bsms", "key", *self.opened(name), *options]

    def combine_command(self, **changes: object) -> list[object]:
        fields = {
            "network": BTC,
            "token-file": self.file("token"),
            "out": self.file("vault.dat"),
            "signers": 2,
            "threshold": 2,
            **changes,
        }
        options = [part for key, value in fields.items() for part in (f"--{key}", value)]
        for name in ("hot", "cold"):
            options += ["--record", self.file(f"{name}.dat")]
        return ["bsms", "combine", *self.home("hot"), *options]

    def round2_command(self, name: str, *more: object) -> list[object]:
        fields = ["--file", self.file("vault.dat"), "--name", "shared", "--role", "cold"]
        return ["bsms", "round2", *self.opened(name), *fields, *more]

    def round_1(self) -> None:
        self.make_token()
        for name in ("hot", "cold"):
            self.told(*self.key_command(name))
        self.told(*self.combine_command())

    def rewrite(self, change: Callable[[str], str]) -> None:
        """The descriptor record as somebody with the token would change it."""
        token = Token.parse(self.file("token").read_text().strip())
        text = unwrap(self.file("vault.dat").read_bytes(), token)
        self.file("vault.dat").write_bytes(wrap(change(text), token))


@pytest.fixture
def setup(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    clock = [NOW_S]
    monkeypatch.setattr("signer.cli.terminal.now_s", lambda: clock[0])
    passphrase = tmp_path / "passphrase"
    passphrase.write_bytes(PASSPHRASE)
    return Setup(world, tmp_path, passphrase, clock)


@pytest.mark.parametrize("mode", ["none", "standard", "extended"])
def test_two_signers_set_up_a_vault(setup: Setup, mode: str) -> None:
    setup.make_token(mode)
    for name in ("hot", "cold"):
        setup.told(*setup.key_command(name))
    made = setup.told(*setup.combine_command())

    answers = [setup.told(*setup.round2_command(name, "--yes")) for name in ("hot", "cold")]

    assert {made["first_address"]} == {answer["first_address"] for answer in answers}
    assert (2, 2) == (answers[0]["threshold"], answers[0]["signers"])
    assert "m/48h/1h/7h/2h" == answers[0]["own_path"]
    plain = b"BSMS 1.0" in setup.file("vault.dat").read_bytes()
    assert (mode == "none") == plain
    shown = [
        setup.told("vault", *setup.home(name), "--vault", "shared") for name in ("hot", "cold")
    ]
    assert shown[0]["descriptor"] == shown[1]["descriptor"]
    assert not list(setup.world.root.glob("*/bsms-session"))


def test_a_person_sees_all_that_is_to_be_compared(setup: Setup) -> None:
    setup.round_1()
    custodians = ["--custodian", "Alice", "--custodian", "Bob"]

    declined = setup.run(*setup.round2_command("cold", *custodians), typed="\n")

    assert 1 == declined.exit_code
    for part in (
        "needs 2 of 2 signers; our key is number 2; paths: /0/*,/1/*",
        "kept by Alice, Bob",
        "<- OURS",
        "first address",
    ):
        assert part in declined.output
    assert "shared" not in setup.told("status", *setup.home("cold"))["vaults"]
    assert setup.world.root.joinpath("cold", "bsms-session").exists()


def test_custodians_of_a_setup_are_different(setup: Setup) -> None:
    setup.round_1()
    custodians = ["--custodian", "Alice", "--custodian", "alice"]

    assert "vault.duplicate_custodian" == setup.refused(
        *setup.round2_command("cold", "--yes", *custodians)
    )


def test_every_signer_may_have_its_own_token(setup: Setup) -> None:
    for name in ("hot", "cold"):
        setup.make_token("extended")
        setup.file("token").rename(setup.file(f"{name}.token"))
        setup.told(*setup.key_command(name, **{"token-file": setup.file(f"{name}.token")}))
    command = [part for part in setup.combine_command() if part != "--out"]
    for option in ("--token-file",):
        at = command.index(option)
        del command[at : at + 2]
    command.remove(setup.file("vault.dat"))
    for name in ("hot", "cold"):
        command += ["--token-file", setup.file(f"{name}.token")]
        command += ["--out", setup.file(f"vault-for-{name}.dat")]
    setup.told(*command)

    for name in ("hot", "cold"):
        setup.file(f"vault-for-{name}.dat").rename(setup.file("vault.dat"))
        setup.told(*setup.round2_command(name, "--yes"))


def test_tokens_and_outputs_are_as_many_as_each_other(setup: Setup) -> None:
    setup.round_1()
    more = ["--token-file", setup.file("token"), "--token-file", setup.file("token")]

    assert "bsms.key_count" == setup.refused(*setup.combine_command(), *more)


def test_a_record_of_another_session_is_not_combined(setup: Setup) -> None:
    setup.make_token("none")
    setup.told(*setup.key_command("hot"))
    setup.told(*setup.key_command("cold"))
    text = setup.file("hot.dat").read_text().replace("\n00\n", "\n" + "11" * 8 + "\n")
    setup.file("hot.dat").write_text(text)

    assert "bsms.token" == setup.refused(*setup.combine_command())


def test_a_vault_without_the_given_key_is_refused(setup: Setup) -> None:
    """Another key of the same signer, and so the same fingerprint, is not the key it gave."""
    setup.round_1()
    setup.told(*setup.key_command("hot", account=8, out=setup.file("other.dat")))

    assert "bsms.key_missing" == setup.refused(*setup.round2_command("hot", "--yes"))


def test_an_inserted_key_shows_in_the_number_of_signers(setup: Setup) -> None:
    """Who has the token may insert a key and a first address that fits; people compare N."""
    setup.round_1()
    stranger = origin(SOFT["third"], COLD_BTC, BUILTIN[BTC].xpub_version).text

    def insert(text: str) -> str:
        record = DescriptorRecord.parse(text)
        body = record.descriptor.replace("))", f",{stranger}/**))")
        spelt = with_checksum(body.replace("/**", "/<0;1>/*"))
        vault = DescriptorVault.parse("x", BUILTIN[BTC], spelt)
        first = vault.address_at(BUILTIN[BTC], 0, 0)
        return replace(record, descriptor=body, first_address=first).text

    setup.rewrite(insert)
    declined = setup.run(*setup.round2_command("hot"), typed="n\n")

    assert "needs 2 of 3 signers; our key is number 1" in declined.output
    assert stranger in declined.output


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda text: text.replace("(2,", "(1,"), "bsms.first_address"),
        (lambda text: text.replace("BSMS 1.0", "BSMS 9.0"), "bsms.version"),
        (lambda text: text.replace("/0/*,/1/*", "/0/*"), "bsms.path_restrictions"),
        (lambda text: text + "\n", ""),
    ],
)
def test_a_changed_descriptor_record_is_refused(
    setup: Setup, change: Callable[[str], str], code: str
) -> None:
    setup.round_1()
    setup.rewrite(change)

    command = setup.round2_command("hot", "--yes")
    if code:
        assert code == setup.refused(*command)
        assert "shared" not in setup.told("status", *setup.home("hot"))["vaults"]
    else:
        assert setup.told(*command)


def test_a_record_changed_without_the_token_is_refused(setup: Setup) -> None:
    setup.round_1()
    data = setup.file("vault.dat").read_bytes()
    setup.file("vault.dat").write_bytes(data[:-2] + b"00")

    assert "bsms.mac" == setup.refused(*setup.round2_command("hot", "--yes"))


def test_without_a_first_round_there_is_no_second(setup: Setup) -> None:
    setup.round_1()
    sessions.close(setup.world.root / "hot")

    assert "bsms.no_session" == setup.refused(*setup.round2_command("hot", "--yes"))


def test_a_session_ends_after_a_day(setup: Setup) -> None:
    setup.round_1()

    setup.clock[0] = NOW_S + 24 * 3600 + 1
    assert "bsms.session_expired" == setup.refused(*setup.round2_command("hot", "--yes"))
    setup.clock[0] = NOW_S + 24 * 3600
    assert setup.told(*setup.round2_command("hot", "--yes"))


def test_asking_again_makes_no_session_younger(setup: Setup) -> None:
    setup.round_1()
    setup.clock[0] = NOW_S + 3600
    before = setup.file("hot.dat").read_bytes()
    setup.told(*setup.key_command("hot"))

    assert before == setup.file("hot.dat").read_bytes()
    setup.clock[0] = NOW_S + 24 * 3600 + 1
    assert "bsms.session_expired" == setup.refused(*setup.round2_command("hot", "--yes"))


def test_another_token_opens_another_session(setup: Setup) -> None:
    setup.round_1()
    setup.make_token()
    setup.told(*setup.key_command("hot"))

    assert "bsms.mac" == setup.refused(*setup.round2_command("hot", "--yes"))


@pytest.mark.parametrize("at", [0, 40, -1])
def test_a_session_file_that_was_changed_is_refused(setup: Setup, at: int) -> None:
    setup.round_1()
    file = setup.world.root.joinpath("hot", "bsms-session")
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(bytes(data))

    assert "bsms.session_tampered" == setup.refused(*setup.round2_command("hot", "--yes"))


def test_a_session_file_of_another_home_is_refused(setup: Setup) -> None:
    setup.round_1()
    other = setup.world.root.joinpath("cold", "bsms-session").read_bytes()
    setup.world.root.joinpath("hot", "bsms-session").write_bytes(other)

    assert "bsms.session_tampered" == setup.refused(*setup.round2_command("hot", "--yes"))


def test_killed_before_the_key_record_is_out_it_is_given_again(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.make_token()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(commands, "write_atomic", killed)
        setup.run(*setup.key_command("hot"))
    assert not setup.file("hot.dat").exists()
    assert setup.world.root.joinpath("hot", "bsms-session").exists()

    setup.told(*setup.key_command("hot"))

    assert setup.file("hot.dat").exists()


def test_killed_between_registration_and_the_end_of_the_session_it_ends_again(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.round_1()

    def killed(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sessions, "close", killed)
        setup.run(*setup.round2_command("hot", "--yes"))
    assert "shared" in setup.told("status", *setup.home("hot"))["vaults"]
    assert setup.world.root.joinpath("hot", "bsms-session").exists()

    setup.told(*setup.round2_command("hot", "--yes"))

    assert not setup.world.root.joinpath("hot", "bsms-session").exists()


def test_a_key_of_another_network_is_not_taken(setup: Setup) -> None:
    setup.round_1()
    setup.told(*setup.key_command("hot", network=LTC, account=9))

    assert "bsms.first_address" == setup.refused(*setup.round2_command("hot", "--yes"))


def test_an_evm_network_has_no_descriptors(setup: Setup) -> None:
    setup.make_token()

    command = setup.key_command("hot", network="ethereum-31337", use="evm")

    assert "bsms.malformed" == setup.refused(*command)


def test_a_token_file_that_is_no_text_is_refused(setup: Setup) -> None:
    setup.file("token").write_bytes(b"\xff\xfe")

    assert "bsms.token" == setup.refused(*setup.key_command("hot"))


def test_no_token_or_key_is_told_by_an_error(setup: Setup) -> None:
    setup.round_1()
    token = setup.file("token").read_text().strip()
    setup.rewrite(lambda text: text.replace("(2,", "(1,"))

    result = setup.run(*setup.round2_command("hot", "--yes"))

    assert 1 == result.exit_code
    assert token not in result.output


def test_the_vault_file_holds_exactly_what_was_checked(setup: Setup) -> None:
    setup.round_1()
    home = Home(setup.world.root / "hot")
    keys = home.unlock(setup.world.kek)
    session = sessions.read(home.path, keys.state_key)
    token = Token.parse(setup.file("token").read_text().strip())
    record = DescriptorRecord.parse(unwrap(setup.file("vault.dat").read_bytes(), token))

    text, vault = joining.take_vault(home, record, session, "shared", ["Zoë", "李"])

    home.close()
    assert vault.text.encode() in text
    assert 'custodians = ["Zoë", "李"]' in text.decode()
