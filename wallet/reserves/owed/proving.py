"""A user's own proof: the leaves of one account in every tree, read from the trees' files."""

from collections.abc import Mapping
from typing import Any

from wallet.reserves.errors import NotIncluded
from wallet.reserves.owed.trees import TreeFile
from wallet.reserves.verifier.tree import Leaf


def proof_json(account: str, statement: bytes, trees: Mapping[str, TreeFile]) -> dict[str, Any]:
    """What the account's owner needs to find their balance in what is owed.

    Raises NotIncluded for an account that was owed nothing in any asset.
    """
    shares = {}
    for asset, tree in trees.items():
        try:
            leaves = tree.leaves_of(account)
        except NotIncluded:
            continue
        shares[asset] = [_leaf(leaf) for leaf in leaves]
    if not shares:
        raise NotIncluded("got an account that was owed nothing at this height")
    return {"statement": statement.hex(), "account": account, "shares": shares}


def _leaf(leaf: Leaf) -> dict[str, Any]:
    return {
        "share": leaf.share,
        "salt": leaf.salt.hex(),
        "units": str(leaf.units),
        "place": leaf.place,
        "path": [[node.hash.hex(), str(node.units)] for node in leaf.path],
    }
