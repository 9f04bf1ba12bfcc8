"""Factors and quorums: everything that is wanted opens, and anything less does not."""

import base64
import hashlib
import json
from collections.abc import Sequence
from itertools import combinations, permutations
from typing import Any

import pytest
from shamir_mnemonic.shamir import generate_mnemonics

from signer.keystore import (
    Factor,
    FactorKek,
    FactorMissing,
    FactorsUnsound,
    FactorUnexpected,
    KdfOutOfRange,
    KeyFileFactor,
    KeystoreError,
    PassphraseFactor,
    PassphraseKek,
    Person,
    QuorumMissing,
    SecretUse,
    SharedFactor,
    Slip39Factor,
    TransitAnswerInvalid,
    TransitFactor,
    TransitKey,
    WrongPassphrase,
    ciphertext_of,
    decode_key,
    encode_key,
    new_header,
)
from signer.keystore import kek as kek_module
from signer.keystore.factors import stored_fields
from signer.protocol import dump, load
from tests.signer_world import NOW_S, PASSPHRASE, drip

SEED = bytes(range(32))
HEADER = new_header("hot-a/seed", SecretUse.SEED, SEED, NOW_S)
NOISE = hashlib.sha512(b"noise").digest()
MATERIAL = hashlib.sha256(b"vault").digest()
PEOPLE = tuple(Person(name, name.encode() * 3) for name in ("alice", "bob", "carol"))


@pytest.fixture(autouse=True)
def quick_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    def cheap(**named: object) -> bytes:
        return hashlib.sha256(repr(sorted(named.items())).encode()).digest()

    monkeypatch.setattr(kek_module, "hash_secret_raw", cheap)


def an_answer(**data: object) -> bytes:
    """As Vault wraps it: what the engine says is under `data`."""
    envelope = {
        "request_id": "7e1b5a4a-64b6-a3e4-1a0b-a3f1e3c7bd70",
        "lease_id": "",
        "renewable": False,
        "lease_duration": 0,
        "data": data,
        "wrap_info": None,
        "warnings": None,
        "auth": None,
    }
    return json.dumps(envelope).encode()


ANSWER = an_answer(plaintext=base64.b64encode(MATERIAL).decode())
WRAPPED = "vault:v1:" + base64.b64encode(bytes(60)).decode()
KEY = TransitKey(name="signer-1", ciphertext=WRAPPED, context="Y29udGV4dA==")


def sealed_by(*factors: Factor, draw: str = "file") -> bytes:
    return encode_key(HEADER, SEED, FactorKek(factors), drip(draw))


def opens(data: bytes, *factors: Factor) -> bool:
    return decode_key(data, FactorKek(factors)).secret == SEED


class Bag:
    """Where shares are given to."""

    def __init__(self) -> None:
        self.shares: tuple[str, ...] = ()

    def take(self, shares: Sequence[str]) -> None:
        self.shares = tuple(shares)


def three() -> dict[str, Factor]:
    return {
        "passphrase": PassphraseFactor(PASSPHRASE),
        "key-file": KeyFileFactor(NOISE),
        "transit": TransitFactor(ANSWER, KEY),
    }


def test_all_factors_together_open() -> None:
    data = sealed_by(*three().values())

    for order in permutations(three().values()):
        assert opens(data, *order)


@pytest.mark.parametrize("missing", list(three()))
def test_one_missing_factor_opens_nothing(missing: str) -> None:
    data = sealed_by(*three().values())
    given = [factor for kind, factor in three().items() if kind != missing]

    with pytest.raises(FactorMissing, match=missing) as caught:
        opens(data, *given)
    assert "keystore.factor_missing" == caught.value.code


@pytest.mark.parametrize(
    "wrong",
    [
        PassphraseFactor(b"another"),
        KeyFileFactor(NOISE[::-1]),
        TransitFactor(an_answer(plaintext=base64.b64encode(MATERIAL[::-1]).decode())),
    ],
    ids=lambda factor: factor.kind,
)
def test_one_wrong_factor_opens_nothing_and_is_not_named(wrong: Factor) -> None:
    """Naming it would let each be guessed by itself."""
    data = sealed_by(*three().values())
    given = {**three(), wrong.kind: wrong}

    with pytest.raises(WrongPassphrase) as caught:
        opens(data, *given.values())
    assert all(kind in str(caught.value) for kind in three())


def test_a_factor_that_the_file_does_not_want_is_refused() -> None:
    """A file that suddenly wants less than before was put there by somebody else."""
    data = sealed_by(PassphraseFactor(PASSPHRASE))

    with pytest.raises(FactorUnexpected) as caught:
        opens(data, PassphraseFactor(PASSPHRASE), KeyFileFactor(NOISE))
    assert "keystore.factor_unexpected" == caught.value.code


def test_every_flipped_byte_is_noticed() -> None:
    data = sealed_by(*three().values(), SharedFactor(PEOPLE[:2], 2))

    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1
        with pytest.raises(KeystoreError):
            opens(bytes(flipped), *three().values(), SharedFactor(PEOPLE[:2]))


def test_another_kek_says_what_is_wanted() -> None:
    data = sealed_by(PassphraseFactor(PASSPHRASE))
    plain = encode_key(HEADER, SEED, PassphraseKek(PASSPHRASE), drip("p"))

    with pytest.raises(KeystoreError, match="unlock file"):
        decode_key(data, PassphraseKek(PASSPHRASE))
    with pytest.raises(KeystoreError, match="argon2id"):
        opens(plain, PassphraseFactor(PASSPHRASE))


def test_factors_of_one_home_are_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    kek = FactorKek([PassphraseFactor(PASSPHRASE), KeyFileFactor(NOISE)])
    files = [encode_key(HEADER, SEED, kek, drip(name)) for name in "ab"]
    assert load(files[0], "file")["factors"] == load(files[1], "file")["factors"]

    again = FactorKek([PassphraseFactor(PASSPHRASE), KeyFileFactor(NOISE)])
    decode_key(files[0], again)
    monkeypatch.setattr(PassphraseFactor, "open", None)
    assert SEED == decode_key(files[1], again).secret
    third = encode_key(HEADER, SEED, again, drip("c"))
    assert load(files[0], "file")["factors"] == load(third, "file")["factors"]


@pytest.mark.parametrize("factors", [(), (KeyFileFactor(NOISE), KeyFileFactor(NOISE))])
def test_no_factor_and_one_twice_are_refused(factors: Sequence[Factor]) -> None:
    with pytest.raises(FactorsUnsound) as caught:
        FactorKek(factors)
    assert "keystore.factors_unsound" == caught.value.code


@pytest.mark.parametrize("content", [NOISE[:31], bytes(64), b"ab" * 40, bytes(2**20 + 1)])
def test_a_key_file_that_could_be_guessed_is_refused(content: bytes) -> None:
    with pytest.raises(FactorsUnsound):
        KeyFileFactor(content)


def test_a_factor_that_gives_too_little_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KeyFileFactor, "make", lambda *_: ({"salt": b""}, bytes(16)))

    with pytest.raises(KeystoreError, match="32 of each"):
        sealed_by(KeyFileFactor(NOISE))


def test_a_stored_factor_that_asks_for_excessive_work_is_refused() -> None:
    file = load(sealed_by(PassphraseFactor(PASSPHRASE)), "file")
    costly = {**file["factors"][0], "m_kib": 2**32}

    with pytest.raises(KdfOutOfRange):
        opens(dump({**file, "factors": [costly]}), PassphraseFactor(PASSPHRASE))


@pytest.mark.parametrize("stored", [1, [], {"kind": 1}, {"kind": "passphrase", "x": 1}])
def test_a_stored_factor_of_another_shape_is_refused(stored: object) -> None:
    file = load(sealed_by(PassphraseFactor(PASSPHRASE)), "file")

    with pytest.raises(KeystoreError):
        opens(dump({**file, "factors": [stored]}), PassphraseFactor(PASSPHRASE))


def test_any_two_of_three_people_open() -> None:
    data = sealed_by(SharedFactor(PEOPLE, 2))

    for some in (*combinations(PEOPLE, 2), PEOPLE):
        assert opens(data, SharedFactor(some))


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.name)
def test_one_person_alone_opens_nothing(person: Person) -> None:
    data = sealed_by(SharedFactor(PEOPLE, 2))

    with pytest.raises(QuorumMissing) as caught:
        opens(data, SharedFactor([person]))
    assert "keystore.quorum_missing" == caught.value.code
    with pytest.raises(QuorumMissing):
        opens(data, SharedFactor([person, Person("mallory", b"guess")]))


@pytest.mark.parametrize("absent", range(3))
def test_three_of_three_want_everybody(absent: int) -> None:
    data = sealed_by(SharedFactor(PEOPLE, 3))

    assert opens(data, SharedFactor(PEOPLE))
    with pytest.raises(QuorumMissing):
        opens(data, SharedFactor([each for at, each in enumerate(PEOPLE) if at != absent]))


def test_a_wrong_passphrase_of_one_person_opens_nothing() -> None:
    data = sealed_by(SharedFactor(PEOPLE, 2))

    with pytest.raises(WrongPassphrase):
        opens(data, SharedFactor([PEOPLE[0], Person("bob", b"wrong")]))


def test_a_quorum_may_stand_beside_another_factor() -> None:
    data = sealed_by(SharedFactor(PEOPLE, 2), KeyFileFactor(NOISE))

    assert opens(data, KeyFileFactor(NOISE), SharedFactor(PEOPLE[1:]))
    with pytest.raises(FactorMissing):
        opens(data, SharedFactor(PEOPLE))


@pytest.mark.parametrize(
    ("people", "threshold"),
    [
        (PEOPLE, 1),
        (PEOPLE, 4),
        (PEOPLE[:1], 1),
        ([Person(str(number), bytes([65 + number])) for number in range(6)], 2),
        ([Person("alice", b"same"), Person("bob", b"same")], 2),
    ],
)
def test_unsound_quorums_are_refused(people: Sequence[Person], threshold: int) -> None:
    with pytest.raises(FactorsUnsound):
        sealed_by(SharedFactor(people, threshold))


@pytest.mark.parametrize("name", ["alice", "", "a" * 65])
def test_people_have_different_short_names(name: str) -> None:
    with pytest.raises(FactorsUnsound):
        SharedFactor([PEOPLE[0], Person(name, b"other")], 2)


def test_a_group_of_strangers_opens_nothing() -> None:
    """The file's groups name somebody who is not among its people."""
    file = load(sealed_by(SharedFactor(PEOPLE[:2], 2)), "file")
    shared = file["factors"][0]
    shared["people"] = shared["people"][:1]

    with pytest.raises(QuorumMissing):
        SharedFactor(PEOPLE[:2]).open(stored_fields(shared))


def test_passphrases_do_not_show_in_repr() -> None:
    assert "bobbob" not in repr(PEOPLE)


def test_any_quorum_of_shares_opens() -> None:
    bag = Bag()
    data = sealed_by(Slip39Factor(threshold=2, count=3, give=bag.take))

    assert 3 == len(bag.shares)
    for some in (*combinations(bag.shares, 2), bag.shares):
        assert opens(data, Slip39Factor(some))
    assert opens(data, Slip39Factor([f"  {share}\n" for share in bag.shares[:2]]))


def test_too_few_shares_open_nothing() -> None:
    bag = Bag()
    data = sealed_by(Slip39Factor(threshold=2, count=3, give=bag.take))

    for some in ((), bag.shares[:1], bag.shares[:1] * 2):
        with pytest.raises(QuorumMissing):
            opens(data, Slip39Factor(some))


def test_shares_that_are_damaged_or_of_another_set_open_nothing() -> None:
    bag, other = Bag(), Bag()
    data = sealed_by(Slip39Factor(threshold=2, count=3, give=bag.take))
    sealed_by(Slip39Factor(threshold=2, count=3, give=other.take), draw="other")
    words = bag.shares[0].split()
    damaged = " ".join([*words[:-1], "academic" if words[-1] != "academic" else "acid"])

    for some in (
        other.shares[:2],
        (bag.shares[0], other.shares[1]),
        (damaged, bag.shares[1]),
        ("no words of a share", bag.shares[1]),
        bag.shares + tuple(str(number) for number in range(70)),
    ):
        with pytest.raises(WrongPassphrase) as caught:
            opens(data, Slip39Factor(some))
        assert not any(word in str(caught.value).split() for word in words)
        assert caught.value.__cause__ is None


def test_shares_that_ask_for_excessive_work_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bag = Bag()
    data = sealed_by(Slip39Factor(threshold=2, count=3, give=bag.take))
    (costly,) = generate_mnemonics(1, [(2, 2)], MATERIAL, iteration_exponent=5)

    with pytest.raises(KdfOutOfRange):
        opens(data, Slip39Factor(costly))


@pytest.mark.parametrize(("threshold", "count"), [(0, 0), (1, 3), (3, 2), (2, 17)])
def test_unsound_share_sets_are_refused(threshold: int, count: int) -> None:
    with pytest.raises(FactorsUnsound):
        sealed_by(Slip39Factor(threshold=threshold, count=count, give=Bag().take))
    with pytest.raises(FactorsUnsound):
        sealed_by(Slip39Factor(threshold=2, count=3))


def test_shares_that_do_not_give_the_key_back_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    bag = Bag()
    monkeypatch.setattr("signer.keystore.slip39._combined", lambda _: (0, bytes(32)))

    with pytest.raises(FactorsUnsound):
        sealed_by(Slip39Factor(threshold=2, count=3, give=bag.take))
    assert () == bag.shares


def test_the_transit_engine_never_stands_alone() -> None:
    """Its answer crosses the gap in the clear."""
    with pytest.raises(FactorsUnsound, match="transit alone"):
        sealed_by(TransitFactor(ANSWER, KEY))


def test_the_request_is_what_vault_documents() -> None:
    """POST /transit/decrypt/:name with ciphertext, and Base64 context and associated_data."""
    key = TransitKey(
        name="signer-1", ciphertext=WRAPPED, context="Y29udGV4dA==", associated_data="YWFk"
    )

    assert {
        "method": "POST",
        "path": "/v1/transit/decrypt/signer-1",
        "body": {"ciphertext": WRAPPED, "context": "Y29udGV4dA==", "associated_data": "YWFk"},
    } == key.decrypt_request()
    plain = TransitKey(name="signer-1", ciphertext=WRAPPED, mount="kv-transit")
    assert {"ciphertext": WRAPPED} == plain.decrypt_request()["body"]
    assert "/v1/kv-transit/decrypt/signer-1" == plain.decrypt_request()["path"]


def test_the_answers_are_what_vault_documents() -> None:
    """The samples of the documentation have `data` alone; a server adds its envelope."""
    bare = json.dumps({"data": {"plaintext": base64.b64encode(MATERIAL).decode()}}).encode()
    wrapped = json.dumps({"data": {"ciphertext": "vault:v1:abcdefgh"}}).encode()

    for answer in (bare, ANSWER):
        stored, material = TransitFactor(answer, KEY).make(drip("x"))
        assert MATERIAL == material
        assert KEY.stored() == stored
    assert "vault:v1:abcdefgh" == ciphertext_of(wrapped)
    assert WRAPPED == ciphertext_of(an_answer(ciphertext=WRAPPED, key_version=1))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 9000,
        ANSWER + b" " * (16 * 1024),
        json.dumps({"errors": ["permission denied"], **json.loads(ANSWER)}).encode(),
        an_answer(),
        an_answer(plaintext=5),
        an_answer(plaintext="***"),
        an_answer(plaintext=base64.b64encode(MATERIAL[:16]).decode()),
        an_answer(plaintext=base64.b64encode(bytes(32)).decode()),
    ],
)
def test_what_is_no_answer_is_refused(answer: bytes) -> None:
    with pytest.raises(TransitAnswerInvalid) as caught:
        TransitFactor(answer)
    assert "keystore.transit_answer_invalid" == caught.value.code


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "../sys/seal"},
        {"name": "a?b"},
        {"mount": "a/b"},
        {"ciphertext": "abc"},
        {"ciphertext": "vault:v0:" + "A" * 40},
        {"context": "*"},
        {"associated_data": "é"},
        {"associated_data": "A" * 516},
    ],
)
def test_a_key_that_would_make_another_request_is_refused(change: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"name": "signer-1", "ciphertext": WRAPPED}

    with pytest.raises(TransitAnswerInvalid):
        TransitKey(**{**settings, **change})


def test_a_new_file_needs_the_wrapped_key() -> None:
    with pytest.raises(FactorsUnsound, match="wrapped"):
        sealed_by(TransitFactor(ANSWER), PassphraseFactor(PASSPHRASE))
