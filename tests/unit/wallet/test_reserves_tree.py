"""Trees of liabilities: sums that bind, shares that hide, and a user's own proof."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reserves_world import BALANCES, SEED, Published, publish
from wallet.reserves.errors import AccountTwice, NotIncluded, SumTooLarge
from wallet.reserves.owed.leaves import LEAVES_MIN, Shares, account_name
from wallet.reserves.owed.proving import proof_json
from wallet.reserves.owed.trees import RECORD, TreeFile, write_tree
from wallet.reserves.verifier.__main__ import main
from wallet.reserves.verifier.checking import check_user, read_proof
from wallet.reserves.verifier.failures import Failed
from wallet.reserves.verifier.tree import (
    UNITS_END,
    Leaf,
    Node,
    identity,
    leaf_node,
    parent,
    root_of,
)

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return publish(tmp_path_factory.mktemp("published"))


def a_proof(published: Published, account: str = "user-1") -> dict[str, Any]:
    return proof_json(account, published.digest, published.trees)


def user_code(published: Published, change: Change, account: str = "user-1") -> str:
    proof = a_proof(published)
    change(proof)
    with pytest.raises(Failed) as caught:
        check_user(published.read(), proof, account)
    return caught.value.code


@given(
    st.dictionaries(
        st.text("abcdef0123456789-", min_size=1, max_size=12), st.integers(1, 2**100), max_size=40
    )
)
@settings(max_examples=25, deadline=None)
def test_every_account_is_found_and_the_root_is_the_sum(
    tmp_path_factory: pytest.TempPathFactory, balances: dict[str, int]
) -> None:
    path, shares = tmp_path_factory.mktemp("tree") / "BTC.tree", Shares(SEED)
    depth, root = write_tree(path, "BTC", shares, balances.items())

    assert sum(balances.values()) == root.units
    tree = TreeFile(path, "BTC", depth, shares)
    for account, units in balances.items():
        leaves = tree.leaves_of(account)
        assert units == sum(leaf.units for leaf in leaves)
        assert {root} == {root_of(leaf, "BTC", account, depth) for leaf in leaves}


def test_a_user_finds_exactly_what_is_owed(published: Published, tmp_path: Path) -> None:
    package = published.read()
    for account in ("user-1", "user-2"):
        owed = {a: held[account] for a, held in BALANCES.items() if account in held}
        assert owed == check_user(package, a_proof(published, account), account)


def test_an_account_that_is_owed_nothing_has_no_leaf(published: Published) -> None:
    with pytest.raises(NotIncluded):
        published.trees["BTC"].leaves_of("nobody")
    with pytest.raises(NotIncluded):
        proof_json("nobody", published.digest, published.trees)


def test_a_users_command_ends_well_or_with_its_code(
    published: Published, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, package = tmp_path / "proof.json", published.package()
    path.write_text(json.dumps(a_proof(published)))
    command = ["me", str(package), str(path), "--account"]
    assert 0 == main([*command, "user-1"])
    assert "BTC: 150000000 base units" in capsys.readouterr().out
    assert 0 == main([*command, "user-1", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert {"BTC": "150000000", "ETH": str(10**18)} == told["included"]
    assert 1 == main([*command, "user-2"])
    assert "FAILED proof.account" in capsys.readouterr().out


def test_another_publications_proof_is_refused(published: Published) -> None:
    assert "proof.statement" == user_code(published, lambda p: p.update(statement="00" * 32))
    assert "proof.account" == user_code(published, lambda p: None, account="user-2")
    assert "proof.asset" == user_code(
        published, lambda p: p["shares"].update(GOLD=p["shares"]["BTC"])
    )
    assert "proof.shape" == user_code(published, lambda p: p.pop("shares"))
    assert "proof.shape" == user_code(published, lambda p: p["shares"]["BTC"][0].update(salt="x"))


def test_an_unreadable_proof_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def code(data: bytes) -> str:
        path = tmp_path / "proof.json"
        path.write_bytes(data)
        with pytest.raises(Failed) as caught:
            read_proof(path)
        return caught.value.code

    assert "proof.unreadable" == code(b"[")
    assert "proof.unreadable" == code(b"[]")
    monkeypatch.setattr("wallet.reserves.verifier.checking.PROOF_BYTES_MAX", 5)
    assert "proof.too_large" == code(b'{"a": 1}')


def test_a_leaf_is_counted_once(published: Published) -> None:
    assert "path.twice" == user_code(
        published, lambda p: p["shares"]["BTC"].append(p["shares"]["BTC"][0])
    )


def test_two_users_cannot_be_shown_one_leaf(published: Published) -> None:
    """The operator gives the second user the first one's leaves: the account is in the leaf."""
    proof = {**a_proof(published), "account": "user-2"}
    with pytest.raises(Failed) as caught:
        check_user(published.read(), proof, "user-2")
    assert "path.root" == caught.value.code


def test_a_share_of_another_asset_is_no_share(published: Published) -> None:
    shares = a_proof(published)["shares"]
    assert "path.root" == user_code(
        published, lambda p: p["shares"].update(ETH=shares["BTC"], BTC=[])
    )


@pytest.mark.parametrize("step", range(8))
def test_every_sum_on_the_path_is_bound(published: Published, step: int) -> None:
    """The broken tree of Maxwell's first sketch lets a sum be lowered; a node binds both here."""

    def lower(proof: dict[str, Any]) -> None:
        node = proof["shares"]["BTC"][0]["path"][step]
        node[1] = str(int(node[1]) + 1)

    assert "path.root" == user_code(published, lower)


def test_moving_units_between_siblings_changes_the_parent() -> None:
    left, right = Node(b"l" * 32, 5), Node(b"r" * 32, 7)
    moved = parent(left._replace(units=6), right._replace(units=6))
    assert 12 == parent(left, right).units == moved.units
    assert parent(left, right).hash != moved.hash
    assert parent(left, right).hash != parent(right, left).hash


def test_sums_are_never_negative_and_never_wrap_around(published: Published) -> None:
    def code(left: int, right: int) -> str:
        with pytest.raises(Failed) as caught:
            parent(Node(bytes(32), left), Node(bytes(32), right))
        return caught.value.code

    assert "path.sum" == code(-1, 5)
    assert "path.sum" == code(UNITS_END, 0)
    assert "path.sum" == code(UNITS_END - 1, 1)
    assert "path.sum" == user_code(
        published, lambda p: p["shares"]["BTC"][0]["path"][0].__setitem__(1, "-5")
    )


def test_a_path_has_the_stated_length_and_place(published: Published) -> None:
    def shares(proof: dict[str, Any]) -> dict[str, Any]:
        first: dict[str, Any] = proof["shares"]["BTC"][0]
        return first

    assert "path.depth" == user_code(published, lambda p: shares(p)["path"].pop())
    assert "path.depth" == user_code(
        published, lambda p: shares(p)["path"].append(["00" * 32, "0"])
    )
    assert "path.place" == user_code(published, lambda p: shares(p).update(place=1 << 8))
    assert "path.place" == user_code(published, lambda p: shares(p).update(place=-1))
    assert "path.share" == user_code(published, lambda p: shares(p).update(share=1 << 16))
    assert "path.share" == user_code(published, lambda p: shares(p).update(share=-1))
    assert "path.bytes" == user_code(published, lambda p: shares(p).update(salt="00"))
    assert "path.bytes" == user_code(published, lambda p: shares(p)["path"][0].__setitem__(0, "00"))
    assert "path.root" == user_code(
        published, lambda p: shares(p).update(place=shares(p)["place"] ^ 1)
    )
    assert "path.root" == user_code(published, lambda p: shares(p).update(share=1))


def test_a_node_is_no_leaf() -> None:
    """Whatever bytes a leaf hashes, a node hashes others first."""
    node = parent(Node(b"l" * 32, 1), Node(b"r" * 32, 2))
    assert leaf_node("BTC", b"l" * 32, 3).hash != node.hash
    leaf = Leaf(0, bytes(32), 3, 0, ())
    assert root_of(leaf, "BTC", "a", 0) != node


def test_sums_above_the_bound_are_not_built(tmp_path: Path) -> None:
    with pytest.raises(SumTooLarge):
        write_tree(tmp_path / "a", "X", Shares(SEED), [("a", 2 * UNITS_END)])
    many = [("a", UNITS_END - 1), ("b", 1)]
    with pytest.raises(SumTooLarge):
        write_tree(tmp_path / "b", "X", Shares(SEED), many)


def test_an_account_is_in_a_tree_once(tmp_path: Path) -> None:
    with pytest.raises(AccountTwice):
        write_tree(tmp_path / "a", "X", Shares(SEED), [("a", 5), ("b", 1), ("a", 7)])


# What others learn


def test_no_leaf_shows_a_balance(tmp_path: Path) -> None:
    balances = {f"user-{n}": 1_000_000 + n for n in range(100)}
    write_tree(tmp_path / "t", "BTC", Shares(SEED), balances.items())
    data = (tmp_path / "t").read_bytes()[: RECORD * LEAVES_MIN]
    shown = {int.from_bytes(data[at + 32 : at + 48], "big") for at in range(0, len(data), RECORD)}
    assert not shown & set(balances.values())
    assert b"user-" not in data


def test_a_handful_of_users_cannot_be_counted(tmp_path: Path) -> None:
    few = write_tree(tmp_path / "a", "BTC", Shares(SEED), [("a", 5)])
    many = write_tree(tmp_path / "b", "BTC", Shares(SEED), [(f"u{n}", 5) for n in range(100)])
    assert few[0] == many[0] == 8
    assert (
        9 == write_tree(tmp_path / "c", "BTC", Shares(SEED), [(f"u{n}", 5) for n in range(129)])[0]
    )


def test_two_publications_have_nothing_in_common() -> None:
    first, second = Shares(SEED), Shares(b"t" * 32)
    one, other = first.of("BTC", "a", 500), second.of("BTC", "a", 500)
    assert not {s.identity for s in one} & {s.identity for s in other}
    assert not {s.salt for s in one} & {s.salt for s in other}
    assert one == first.of("BTC", "a", 500)
    assert not {s.identity for s in one} & {s.identity for s in first.of("ETH", "a", 500)}


def test_a_seed_and_a_salt_are_not_shown() -> None:
    share = Shares(SEED).of("BTC", "a", 5)[0]
    assert share.salt.hex() not in repr(share)
    assert str(share.salt) not in repr(share)


def test_names_cannot_run_into_each_other() -> None:
    salt = bytes(32)
    assert identity(salt, "AB", "C", 0) != identity(salt, "A", "BC", 0)
    assert "4711" == account_name("user:4711") == account_name("user:4711/margin")
    assert "clearing:withdrawals" == account_name("clearing:withdrawals")


def test_a_share_is_a_value() -> None:
    share = Shares(SEED).of("BTC", "a", 5)[0]
    assert replace(share) == share
