"""SLIP-39: published vectors, every quorum of our own sets, and piles as people bring them."""

import json
from collections.abc import Sequence
from itertools import combinations, count
from pathlib import Path
from typing import Any

import pytest
import shamir_mnemonic
from embit import bip32
from hypothesis import given, settings
from hypothesis import strategies as st
from shamir_mnemonic import Share

from signer.backup import phrases, possession, shares
from signer.backup.card import (
    CARD_BYTES_MAX,
    Card,
    CardInvalid,
    VaultCopy,
    WrongSeed,
    check_value,
    check_words,
)
from signer.backup.pile import (
    Assembled,
    HeadersDisagree,
    PileTooLarge,
    SeveralBackups,
    ShareDamaged,
    TooFewShares,
    assemble,
    read_pile,
    read_share,
)
from signer.backup.shares import (
    BackupError,
    PassphraseUnfit,
    Scheme,
    SchemeInvalid,
    SeedUnfit,
    SharesDoNotCombine,
    combined,
    opened,
    share_name,
    split,
)
from signer.derive import master
from signer.entropy import EntropyError
from tests.signer_world import NOW_S, drip

SEED = drip("backup seed")(32)
TWO_GROUPS = Scheme.parse(["2of3", "3of5"], 2)
Shares = tuple[tuple[Share, ...], ...]


def card_of(seed: bytes, scheme: Scheme, shares: Shares, **changes: Any) -> Card:
    some = shares[0][0]
    fields: dict[str, Any] = {
        "signer_id": "kh1",
        "created_s": NOW_S,
        "identifier": some.identifier,
        "extendable": True,
        "exponent": some.iteration_exponent,
        "scheme": scheme,
        "seed_bytes": len(seed),
        "passphrase": False,
        "fingerprint": master(seed).fingerprint.hex(),
        "check_value": check_value(seed),
        "share_keys": {
            share_name(share): possession.share_key(share) for group in shares for share in group
        },
        "vaults": (VaultCopy(name="cold", role="cold", text='name = "cold"\n'),),
    }
    return Card(**{**fields, **changes})


@pytest.fixture(scope="module")
def made() -> Shares:
    return split(SEED, TWO_GROUPS, b"", drip("split"))


@pytest.fixture(scope="module")
def card(made: Shares) -> Card:
    return card_of(SEED, TWO_GROUPS, made)


def words(*shares: Share) -> list[tuple[str, str]]:
    return [(f"share-{share_name(share)}", share.mnemonic()) for share in shares]


def problems(pile: Assembled) -> dict[str, str]:
    return {one.place: one.problem for one in pile.report if one.problem}


def restored(texts: Sequence[str], passphrase: bytes = b"") -> bytes:
    pile = assemble(read_pile([(f"file {number}", text) for number, text in enumerate(texts)]))
    return opened(pile.some, pile.ciphertext, passphrase)


def test_published_vectors(vectors: Path) -> None:
    """All 45: valid sets give the published seed and master key, invalid ones nothing."""
    rows = json.loads((vectors / "slip39_vectors.json").read_text())
    assert 45 == len(rows)
    for what, mnemonics, secret, xprv in rows:
        if secret:
            seed = restored(mnemonics, b"TREZOR")
            assert secret == seed.hex(), what
            node = master(seed)
            assert xprv == bip32.HDKey.from_seed(seed).to_base58(), what
            assert node.secret == bip32.HDKey.from_string(xprv).key.secret, what
        else:
            with pytest.raises(BackupError):
                restored(mnemonics, b"TREZOR")


def test_every_quorum_brings_the_seed_back_and_no_fewer_shares_do(made: Shares) -> None:
    for first in combinations(made[0], 2):
        for second in combinations(made[1], 3):
            quorum = [share.mnemonic() for share in (*first, *second)]
            pile = assemble(read_pile([("x", "\n".join(quorum))]))
            assert made[0][0].identifier == pile.some.identifier
    assert SEED == restored([share.mnemonic() for share in (*made[0][1:], *made[1][2:])])
    for short in ([*made[0], *made[1][:2]], [made[0][0], *made[1]], list(made[1])):
        with pytest.raises(TooFewShares, match="groups are needed"):
            restored([share.mnemonic() for share in short])


def test_other_software_recovers_our_shares(made: Shares) -> None:
    quorum = [share.mnemonic() for share in (*made[0][:2], *made[1][:3])]

    assert SEED == shamir_mnemonic.combine_mnemonics(quorum)
    assert all(share.extendable for group in made for share in group)
    assert {33} == {len(text.split()) for text in quorum}


@settings(max_examples=5, deadline=None)
@given(
    st.integers(8, 32).flatmap(lambda half: st.binary(min_size=2 * half, max_size=2 * half)),
    st.sampled_from([(["1of1"], 1), (["2of2", "1of1"], 2), (["2of3", "2of2"], 1)]),
)
def test_any_even_seed_comes_back(seed: bytes, scheme: tuple[list[str], int]) -> None:
    shares = split(seed, Scheme.parse(*scheme), b"pass phrase", drip("any"))
    texts = [share.mnemonic() for group in shares for share in group]

    assert seed == restored(texts, b"pass phrase")
    assert seed != restored(texts, b"pass phrasf")


@pytest.mark.parametrize("size", [0, 14, 15, 17, 31])
def test_seeds_that_slip39_cannot_hold_are_refused(size: int) -> None:
    with pytest.raises(SeedUnfit):
        split(drip("x")(size), Scheme.parse(["2of3"], 1), b"", drip("x"))


@pytest.mark.parametrize(
    ("groups", "threshold"),
    [
        ([], 1),
        (["2of3"], 0),
        (["2of3"], 2),
        (["3of2"], 1),
        (["0of2"], 1),
        (["1of3"], 1),
        (["2of17"], 1),
        (["2 of 3"], 1),
        (["2of3"] * 17, 1),
        ([""], 1),
    ],
)
def test_schemes_that_slip39_does_not_allow_are_refused(groups: list[str], threshold: int) -> None:
    with pytest.raises(SchemeInvalid):
        Scheme.parse(groups, threshold)


@pytest.mark.parametrize("passphrase", [b"\xc3\xa9t\xc3\xa9", b"tab\t", b"\x7f", b"x" * 257])
def test_passphrases_nobody_could_type_elsewhere_are_refused(passphrase: bytes) -> None:
    with pytest.raises(PassphraseUnfit):
        split(SEED, TWO_GROUPS, passphrase, drip("x"))


def test_shares_are_random_and_a_stuck_generator_is_refused() -> None:
    scheme = Scheme.parse(["2of3"], 1)

    assert split(SEED, scheme, b"", drip("a")) == split(SEED, scheme, b"", drip("a"))
    assert split(SEED, scheme, b"", drip("a")) != split(SEED, scheme, b"", drip("b"))
    with pytest.raises(EntropyError):
        split(SEED, scheme, b"", lambda size: (b"\x01\x02" * size)[:size])


def test_the_library_draws_from_our_source_only_while_we_split() -> None:
    kept = shamir_mnemonic.shamir.RANDOM_BYTES
    sizes = []
    source = drip("a")

    def watched(size: int) -> bytes:
        sizes.append(size)
        return source(size)

    split(SEED, TWO_GROUPS, b"", watched)

    # One draw for the id, and for two groups 1, for 2of3 1, for 3of5 2; each of 2 times 64 bytes.
    assert [64] * 2 * (1 + 1 + 1 + 2) == sizes
    assert shamir_mnemonic.shamir.RANDOM_BYTES is kept


def test_words_are_read_however_they_were_written(made: Shares) -> None:
    share = made[0][0]
    plain = share.mnemonic().split()
    forms = [
        " ".join(plain).upper(),
        "\n".join(f"{place}. {word}" for place, word in enumerate(plain, start=1)),
        "  ".join(word[:4] for word in plain),
        ", ".join(plain) + ".",
    ]

    assert {share} == {read_share(form) for form in forms}


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("0 words", lambda words: []),
        ("19 words", lambda words: words[:19]),
        ("60 words", lambda words: (words * 2)[:60]),
        ("word 7 that is not", lambda words: [*words[:6], "zzzz", *words[7:]]),
        ("checksum", lambda words: [*words[:6], *reversed(words[6:8]), *words[8:]]),
        ("checksum", lambda words: words[:-1]),
        ("checksum", lambda words: [*words[:8], "academic", *words[9:]]),
    ],
)
def test_words_that_are_no_share_are_named_but_not_told(
    made: Shares, reason: str, change: Any
) -> None:
    with pytest.raises(ShareDamaged, match=reason) as refused:
        read_share(" ".join(change(made[1][2].mnemonic().split())))

    assert not set(made[1][2].mnemonic().split()[4:]) & set(str(refused.value).split())


def test_a_messy_pile_is_recovered_and_every_bad_share_is_named(made: Shares, card: Card) -> None:
    other = split(drip("other")(32), TWO_GROUPS, b"", drip("other"))
    damaged = made[1][0].mnemonic().replace(made[1][0].mnemonic().split()[9], "zero", 1)
    changed = Share(**{**vars(made[1][1]), "value": drip("value")(32)})
    pile = [
        ("notes", "# nothing here\n"),
        ("damaged", damaged),
        ("changed", changed.mnemonic()),
        ("foreign", other[0][0].mnemonic()),
        ("copy", made[0][0].mnemonic().upper()),
        *words(*made[0][:2], *made[1][2:]),
    ]

    for known in (None, card):
        done = assemble(read_pile(pile), known)
        told = problems(done)

        assert SEED == opened(done.some, done.ciphertext, b"")
        assert {"notes", "damaged", "changed", "foreign", "share-1-1"} == set(told)
        assert "0 words" in told["notes"]
        assert "checksum" in told["damaged"]
        assert "another backup" in told["foreign"]
        assert "same share as copy" in told["share-1-1"]
    assert "not share 2-2 that the card names" in told["changed"]
    assert "contradicts" in problems(assemble(read_pile(pile)))["changed"]


def test_a_changed_share_among_just_enough_is_found_by_the_card(made: Shares, card: Card) -> None:
    changed = Share(**{**vars(made[0][0]), "value": drip("value")(32)})
    pile = words(changed, made[0][1], *made[1][:3])

    with pytest.raises(TooFewShares):
        assemble(read_pile(pile))
    with pytest.raises(TooFewShares, match="share-1-1: is not share 1-1"):
        assemble(read_pile(pile), card)
    assert SEED == opened(
        made[0][0], assemble(read_pile([*pile, *words(made[0][2])]), card).ciphertext, b""
    )


def test_two_whole_backups_need_a_card(made: Shares, card: Card) -> None:
    other = split(SEED, Scheme.parse(["2of2"], 1), b"secret", drip("again"))
    pile = read_pile(words(*made[0], *made[1], *other[0]))

    with pytest.raises(SeveralBackups):
        assemble(pile)
    assert SEED == opened(made[0][0], assemble(pile, card).ciphertext, b"")


@pytest.mark.parametrize("change", [{"member_threshold": 1}, {"group_threshold": 1}])
def test_shares_with_another_header_are_not_believed_without_the_card(
    made: Shares, card: Card, change: dict[str, int]
) -> None:
    forged = Share(**{**vars(made[0][0]), **change})
    pile = read_pile(words(forged, *made[0][1:], *made[1]))

    with pytest.raises(HeadersDisagree):
        assemble(pile)
    done = assemble(pile, card)
    assert SEED == opened(done.some, done.ciphertext, b"")
    assert "another backup than the card" in problems(done)["share-1-1"]


def test_a_pile_is_bounded(made: Shares) -> None:
    with pytest.raises(PileTooLarge):
        read_pile([("many", "\n".join([made[0][0].mnemonic()] * 513))])


def test_shares_of_an_unfinished_group_are_no_reason_to_stop(made: Shares) -> None:
    shares = split(SEED, Scheme.parse(["2of3", "3of5"], 1), b"", drip("one"))

    done = assemble(read_pile(words(*shares[0], shares[1][0])))

    assert SEED == opened(done.some, done.ciphertext, b"")
    assert ["share-2-1"] == list(problems(done))


def test_a_wrong_passphrase_is_noticed_by_the_card(made: Shares) -> None:
    shares = split(SEED, TWO_GROUPS, b"right", drip("pass"))
    card = card_of(SEED, TWO_GROUPS, shares, passphrase=True)
    done = assemble(read_pile(words(*shares[0], *shares[1])), card)

    card.check(opened(done.some, done.ciphertext, b"right"))
    for wrong in (b"wrong", b""):
        with pytest.raises(WrongSeed):
            card.check(opened(done.some, done.ciphertext, wrong))


def test_the_card_wants_check_value_and_fingerprint(made: Shares, card: Card) -> None:
    card.check(SEED)
    for change in ({"check_value": "00000000"}, {"fingerprint": "00000000"}):
        with pytest.raises(WrongSeed):
            card_of(SEED, TWO_GROUPS, made, **change).check(SEED)


def test_a_card_comes_back_from_its_file(card: Card) -> None:
    again = Card.decode(card.encode())

    assert card == again
    assert 16 == len(card.id)
    assert card.id == again.id
    assert SEED.hex() not in card.encode().decode()


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data + b" ",
        lambda data: data.replace(b'"version": 1', b'"version": 2'),
        lambda data: data.replace(b'"SLIP-39"', b'"SLIP-40"'),
        lambda data: data.replace(b'"2of3"', b'"1of3"'),
        lambda data: data.replace(b'"passphrase": false', b'"passphrase": 0'),
        lambda data: data.replace(b'"seed_bytes": 32', b'"seed_bytes": "32"'),
        lambda data: data.replace(b'"kh1"', b'["kh1"]'),
        lambda data: data.replace(b'"seed_bytes"', b'"other"'),
        lambda data: b"[" * 100_000,
        lambda data: b"x" * (1024 * 1024 + 1),
    ],
)
def test_a_changed_card_is_refused(card: Card, change: Any) -> None:
    with pytest.raises(BackupError):
        Card.decode(change(card.encode()))


def test_check_words_say_the_check_value() -> None:
    assert ("abandon", "abandon", "abandon") == check_words("00000000")
    assert ("lend", "zoo", "zoo") == check_words("ffffffff")
    assert check_words("12345678") != check_words("12345679")
    for bad in ("", "1234567", "123456789a", "zzzzzzzz", "12 34 5"):
        with pytest.raises(BackupError):
            check_words(bad)


def test_a_holder_answers_a_challenge_and_nobody_else_can(made: Shares, card: Card) -> None:
    challenge = possession.new_challenge(drip("challenge"))
    told = possession.answer(card, made[1][3], challenge)

    possession.check_answer(card, "2-4", challenge, told)
    for name, asked, answer in (
        ("2-3", challenge, told),
        ("2-4", possession.new_challenge(drip("next")), told),
        ("2-4", challenge, told[:-2] + "00"),
        ("2-4", challenge, "no hexadecimal"),
        ("2-9", challenge, told),
        ("2-4", challenge, possession.answer(card, made[1][2], challenge)),
    ):
        with pytest.raises(possession.NotInPossession):
            possession.check_answer(card, name, asked, answer)


def test_a_share_of_another_backup_answers_nothing(made: Shares, card: Card) -> None:
    other = split(SEED, TWO_GROUPS, b"", drip("other"))

    with pytest.raises(possession.NotInPossession):
        possession.answer(card, other[0][0], "a challenge")
    changed = Share(**{**vars(made[0][0]), "value": bytes(32)})
    with pytest.raises(possession.NotInPossession):
        possession.check_share(card, changed)


@pytest.mark.parametrize("challenge", ["", "short", "x" * 129])
def test_challenges_are_fresh_and_readable(made: Shares, card: Card, challenge: str) -> None:
    with pytest.raises(possession.ChallengeUnfit):
        possession.answer(card, made[0][0], challenge)


def test_one_unclear_group_among_clear_ones_is_refused() -> None:
    with pytest.raises(SchemeInvalid, match="texts like 2of3"):
        Scheme.parse(["2of3", "most"], 1)


def test_points_of_different_secrets_do_not_combine() -> None:
    with pytest.raises(SharesDoNotCombine):
        combined({0: bytes(16), 1: b"\x01" * 16}, 2)


def test_fresh_shares_that_do_not_give_the_seed_back_are_never_given_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fault of library, memory or processor, found before anybody writes a share down."""
    with monkeypatch.context() as faulty:
        faulty.setattr(shares, "opened", lambda *_: bytes(len(SEED)))
        with pytest.raises(BackupError, match="another seed"):
            split(SEED, TWO_GROUPS, b"", drip("a"))
    with monkeypatch.context() as faulty:
        draws = count()
        faulty.setattr(shares, "combined", lambda *_: next(draws).to_bytes(16, "big"))
        with pytest.raises(BackupError, match="shares that disagree"):
            split(SEED, TWO_GROUPS, b"", drip("b"))
    with monkeypatch.context() as faulty:
        faulty.setattr(shares, "combined", lambda *_: bytes(16))
        with pytest.raises(BackupError, match="groups that disagree"):
            split(SEED, TWO_GROUPS, b"", drip("c"))


def test_a_card_is_measured_before_it_is_read() -> None:
    with pytest.raises(CardInvalid, match="at most 1 MiB"):
        Card.decode(b"{" * (CARD_BYTES_MAX + 1))


def test_no_share_and_no_seed_is_in_a_repr(made: Shares) -> None:
    done = assemble(read_pile(words(*made[0], *made[1])))

    for value in (made[0][0].value, done.ciphertext):
        assert repr(value) not in repr(done)
        assert all(repr(value) not in repr(one) for one in done.report)


def test_bip39_words_hold_the_seed_or_make_another() -> None:
    phrase = phrases.phrase_of(SEED)

    assert 24 == len(phrase.split())
    assert SEED == phrases.imported(phrase.upper(), b"", holds_seed=True)
    assert SEED != phrases.imported(phrase, b"", holds_seed=False)[:32]


def test_bip39_seeds_are_those_of_other_software() -> None:
    """The published vector of the words below, with the passphrase TREZOR."""
    phrase = "void come effort suffer camp survey warrior heavy shoot primary clutch crush open"
    phrase += " amazing screen patrol group space point ten exist slush involve unfold"
    expected = (
        "01f5bced59dec48e362f2c45b5de68b9fd6c92c6634f44d6d40aab69056506f0e35524a518034ddc1192e1dacd3"
        "2c1ed3eaa3c3b131c88ed8e7e54c49a5d0998"
    )

    assert expected == phrases.seed_of(phrase, "TREZOR").hex()
    assert phrases.seed_of(phrase, "\u212b") == phrases.seed_of(phrase, "\u0041\u030a")


@pytest.mark.parametrize(
    "phrase", ["", "abandon " * 11, "abandon " * 12, "zoo " * 13, "abandon " * 11 + "abgut"]
)
def test_words_that_are_no_phrase_are_refused(phrase: str) -> None:
    with pytest.raises(phrases.PhraseInvalid):
        phrases.entropy_of(phrase)


def test_a_seed_made_of_words_has_no_words() -> None:
    with pytest.raises(phrases.NotAPhrase):
        phrases.phrase_of(drip("x")(64))
    with pytest.raises(phrases.PhraseInvalid):
        phrases.imported(phrases.phrase_of(SEED), b"\xff", holds_seed=False)


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_noise_is_refused_with_a_code(data: bytes) -> None:
    with pytest.raises(BackupError):
        Card.decode(data)
    with pytest.raises(BackupError):
        assemble(read_pile([("noise", data.decode(errors="replace"))]))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_card_with_one_value_changed_is_refused_or_says_the_same(
    card: Card, data: st.DataObject
) -> None:
    values = json.loads(card.encode())
    name = data.draw(st.sampled_from(sorted(values)))
    values[name] = data.draw(
        st.one_of(
            st.integers(), st.text(max_size=9), st.lists(st.integers(), max_size=2), st.none()
        )
    )
    changed = json.dumps(values, indent=1, ensure_ascii=False).encode() + b"\n"
    try:
        again = Card.decode(changed)
    except BackupError:
        return
    assert changed == again.encode()
    assert again.id != card.id or again == card
