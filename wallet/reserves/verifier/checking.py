"""The whole check of a package, and of one user's own share in it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from .bip322 import check_proof
from .ethereum import check_account, check_safe
from .failures import Failed
from .package import Package
from .statement import AccountClaim, CoinsClaim, Liability, Network, Statement, read_statement
from .tree import Leaf, Node, root_of

Progress = Callable[[int, int], None]
"""Told (done, total) while proofs are checked."""

PROOF_BYTES_MAX = 4 * 1024 * 1024
"""No user's proof is larger; checked before parsing."""


@dataclass
class Report:
    """What was checked, and every check that did not hold."""

    statement: Statement
    digest: bytes
    owed: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    failures: list[Failed] = field(default_factory=list)
    seen_on: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing failed."""
        return not self.failures


def check_package(package: Package, progress: Progress | None = None) -> Report:
    """Check everything that needs no node. Raises Failed where the statement cannot be read."""
    statement = read_statement(package.statement)
    report = Report(statement, package.digest)
    report.owed = {one.asset: one.root.units for one in statement.liabilities}
    report.held = _held(statement)
    _try(report, partial(_check_claims, statement))
    if len(package.proofs) != len(statement.claims):
        text = f"got {len(package.proofs)} proofs for {len(statement.claims)} claims"
        report.failures.append(Failed("claims.proof_missing", text))
        return report
    for at, (claim, proof) in enumerate(zip(statement.claims, package.proofs, strict=True)):
        network = statement.networks[claim.network]
        _try(report, partial(_check_claim, package.digest, claim, network, proof))
        if progress is not None:
            progress(at + 1, len(statement.claims))
    for asset, units in report.owed.items():
        if report.held.get(asset, 0) < units:
            text = f"{asset}: claims of {report.held.get(asset, 0)}, owed are {units}"
            report.failures.append(Failed("sums.short", text))
    return report


def message_of(digest: bytes, network: Network) -> bytes:
    """What a BIP-322 proof signs, in words."""
    block = f"block {network.height} {network.block_hash.hex()}"
    return f"Proof of reserves {digest.hex()} at {network.id} {block}".encode()


def _held(statement: Statement) -> dict[str, int]:
    held: dict[str, int] = {}
    for claim in statement.claims:
        if isinstance(claim, CoinsClaim):
            parts = [(claim.asset, coin.units) for coin in claim.coins]
        else:
            parts = [(one.asset, one.units) for one in claim.holds]
        for asset, units in parts:
            held[asset] = held.get(asset, 0) + units
    return held


def _check_claims(statement: Statement) -> None:
    """Nothing is claimed twice, and a token is one contract of one chain."""
    coins, accounts = set(), set()
    contracts: dict[str, tuple[str, bytes]] = {}
    for claim in statement.claims:
        if isinstance(claim, AccountClaim):
            place = (claim.network, claim.address)
            if place in accounts:
                raise Failed("claims.account_twice", f"got 0x{claim.address.hex()} twice")
            accounts.add(place)
            if len({one.asset for one in claim.holds}) != len(claim.holds):
                raise Failed("claims.asset_twice", f"0x{claim.address.hex()} lists an asset twice")
            homes = {one.asset: (claim.network, one.contract) for one in claim.holds}
        else:
            for coin in claim.coins:
                outpoint = (claim.network, coin.txid, coin.vout)
                if outpoint in coins:
                    raise Failed("claims.coin_twice", f"got {coin.txid}:{coin.vout} twice")
                coins.add(outpoint)
            homes = {claim.asset: (claim.network, b"")}
        for asset, home in homes.items():
            if contracts.setdefault(asset, home) != home:
                raise Failed("claims.asset_mixed", f"got {asset} as two different things")


def _check_claim(
    digest: bytes, claim: CoinsClaim | AccountClaim, network: Network, proof: Mapping[str, Any]
) -> None:
    if isinstance(claim, CoinsClaim):
        text = _only(proof, "bip322")
        check_proof(message_of(digest, network), claim.challenge, claim.coins, text)
    elif claim.owners:
        check_safe(digest, network, claim, _blob(_only(proof, "safe")))
    else:
        check_account(digest, network, claim, _blob(_only(proof, "account")))


def _only(proof: Mapping[str, Any], kind: str) -> str:
    if set(proof) != {kind} or not isinstance(proof[kind], str):
        raise Failed("claims.proof_kind", f"got a proof of another kind, expected {kind}")
    return str(proof[kind])


def _blob(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise Failed("claims.proof_kind", "got a signature that is not hex") from error


def _try(report: Report, check: Callable[[], None]) -> None:
    """Keep a failure and go on: people want to know all that is wrong."""
    try:
        check()
    except Failed as failed:
        report.failures.append(failed)


def read_proof(path: Path) -> Mapping[str, Any]:
    """A user's own proof file. Raises Failed (proof.*)."""
    try:
        if path.stat().st_size > PROOF_BYTES_MAX:
            raise Failed("proof.too_large", f"expected at most {PROOF_BYTES_MAX} bytes")
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise Failed("proof.unreadable", f"{path}: {error}") from error
    if not isinstance(value, dict):
        raise Failed("proof.unreadable", f"{path}: expected an object")
    return value


def check_user(package: Package, proof: Mapping[str, Any], account: str) -> dict[str, int]:
    """What is included in the trees for an account, by asset. Raises Failed (proof.*, path.*).

    Whoever checks compares it with the balance they know, and the account with their own.
    """
    statement = read_statement(package.statement)
    if proof.get("statement") != package.digest.hex():
        raise Failed("proof.statement", "the proof is for another publication")
    if proof.get("account") != account:
        raise Failed("proof.account", "the proof is for another account than yours")
    owed = {one.asset: one for one in statement.liabilities}
    try:
        listed = {str(a): [_leaf(one) for one in rows] for a, rows in proof["shares"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Failed("proof.shape", f"got a proof of another shape: {error!r}") from error
    found: dict[str, int] = {}
    for asset, leaves in listed.items():
        if asset not in owed:
            raise Failed("proof.asset", f"got {asset}, which the statement does not list")
        found[asset] = _included(owed[asset], account, leaves)
    return found


def _included(liability: Liability, account: str, leaves: list[Leaf]) -> int:
    if len({leaf.place for leaf in leaves}) != len(leaves):
        raise Failed("path.twice", "got one leaf twice: it would be counted twice")
    for leaf in leaves:
        root = root_of(leaf, liability.asset, account, liability.depth)
        if root != liability.root:
            raise Failed("path.root", f"{liability.asset}: the path leads to another root")
    return sum(leaf.units for leaf in leaves)


def _leaf(row: Mapping[str, Any]) -> Leaf:
    return Leaf(
        share=int(row["share"]),
        salt=bytes.fromhex(row["salt"]),
        units=int(row["units"]),
        place=int(row["place"]),
        path=tuple(Node(bytes.fromhex(hash), int(units)) for hash, units in row["path"]),
    )
