"""Every check of some modules taken out in turn: `python -m tests.removing` names what none misses.

Each module is run against its own tests, once to see which of them reach which check, and then once
for each check, with that check gone and only those tests. Every run is a fork, so that nothing is
imported twice and no change outlives it.
"""

import ast
import contextlib
import io
import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path

import pytest
import typer

from tests.removal import Site, raises

UNIT = "tests/unit/signer"
API = "tests/integration/api"
HOSTED = (
    "tests/integration/test_hosted_payments.py",
    f"{API}/test_hosted_keys.py",
    f"{API}/test_hosted_key_command.py",
    "tests/unit/wallet/test_totp.py",
)
BACKUP = (f"{UNIT}/test_backup_shares.py", f"{UNIT}/test_backup_cli.py")
DEVICE = (f"{UNIT}/test_hosted_payments.py", f"{UNIT}/test_hosted_blobs.py", *HOSTED)

FREEING = (
    f"{UNIT}/test_unsticking.py",
    f"{UNIT}/test_replacing.py",
    f"{UNIT}/test_replacing_batches.py",
    f"{UNIT}/test_guard_evm.py",
    f"{UNIT}/test_guard_batch.py",
    f"{UNIT}/test_guard_delegation.py",
)
FREED = ("tests/integration/test_freed_nonces.py", "tests/integration/test_replacements.py")

STATEMENTS = (
    "tests/integration/test_statements.py",
    "tests/integration/test_reconciliation.py",
)
RESERVES = (
    "tests/unit/wallet/test_reserves_verifier.py",
    "tests/unit/wallet/test_reserves_tree.py",
)
PUBLISHING = (
    "tests/integration/test_reserves_publishing.py",
    "tests/unit/wallet/test_reserves_combining.py",
)
LIABILITIES = ("tests/integration/test_reserves_liabilities.py",)
OWED = ("liabilities", "proving", "trees")
VERIFIER = ("bip322", "bytestream", "checking", "ethereum", "package", "statement", "tree")

ASSETS = ("tests/integration/test_registered_assets.py", f"{API}/test_api_registered.py")

ESCROWS = ("tests/integration/test_escrow.py", "tests/unit/wallet/test_escrow_states.py")
APPORTIONED = (
    "tests/integration/test_apportionment_posting.py",
    "tests/unit/wallet/test_apportionment_shares.py",
)
SETTLED = ("tests/integration/test_settlements.py", "tests/unit/wallet/test_settlement_wire.py")
MOVED = (f"{API}/test_transfers.py",)

MOVING = ("tests/integration/test_moving.py", "tests/integration/test_store_roles.py")

MIRRORS = tuple(
    f"tests/integration/test_mirrors_{name}.py"
    for name in ("images", "standing", "tails", "rollback", "commands", "kills")
)
MIRRORED = (
    "checking",
    "image",
    "joining",
    "making",
    "outside",
    "promises",
    "replaying",
    "rollback",
    "standing",
    "tails",
)

PROVEN_BY: Mapping[str, Sequence[str]] = {
    "signer.backup.shares": BACKUP,
    "signer.backup.possession": BACKUP,
    "signer.backup.phrases": BACKUP,
    "signer.backup.pile": BACKUP,
    "signer.backup.store": BACKUP,
    "signer.backup.card": BACKUP,
    "signer.foreign.requests": (f"{UNIT}/test_foreign.py",),
    "signer.foreign.answers": (f"{UNIT}/test_foreign.py",),
    "signer.ceremony.rules": (f"{UNIT}/test_ceremony.py",),
    "signer.ceremony.deposits": (f"{UNIT}/test_ceremony.py",),
    "signer.ceremony.plan": (f"{UNIT}/test_ceremony.py",),
    "signer.ceremony.transcript": (f"{UNIT}/test_ceremony.py",),
    "signer.guards.delegation": (f"{UNIT}/test_guard_delegation.py",),
    "signer.guards.unsticking": FREEING,
    "signer.guards.evm_nonces": FREEING,
    "signer.guards.replacing": FREEING,
    "wallet.payments.replacing.freeing": FREED,
    "wallet.payments.replacing.parents": ("tests/integration/test_children.py",),
    "signer.guards.reserves": (f"{UNIT}/test_guard_reserves.py",),
    "chains.utxo.bip322": ("tests/unit/chains/test_bip322.py",),
    "signer.ledger_heads": (f"{UNIT}/test_ledger_rollbacks.py", f"{UNIT}/test_siblings.py"),
    "signer.protocol.rollbacks": (f"{UNIT}/test_ledger_rollbacks.py",),
    "wallet.addresses.marks": ("tests/integration/test_address_marks.py",),
    "wallet.escrow.holding": ESCROWS,
    "wallet.escrow.records": ESCROWS,
    "wallet.escrow.states": ESCROWS,
    "wallet.apportionment.posting": APPORTIONED,
    "wallet.apportionment.records": APPORTIONED,
    "wallet.apportionment.shares": APPORTIONED,
    "wallet.settlements.posting": SETTLED,
    "wallet.settlements.wire": SETTLED,
    "wallet.sub_accounts.moving": MOVED,
    "wallet.api.exchange.amounts": MOVED,
    **{f"wallet.reserves.verifier.{name}": RESERVES for name in VERIFIER},
    **{f"wallet.reserves.{name}": PUBLISHING for name in ("combining", "preparing", "publishing")},
    **{f"wallet.reserves.{name}": PUBLISHING for name in ("publication", "signing")},
    **{f"wallet.reserves.owed.{name}": (*RESERVES, *LIABILITIES) for name in OWED},
    "wallet.reserves.verifier.nodes": ("tests/nodes/test_reserves.py",),
    "signer.activation": (f"{UNIT}/test_activation.py",),
    "signer.bsms.records": (f"{UNIT}/test_bsms.py",),
    "signer.bsms.joining": (f"{UNIT}/test_bsms.py",),
    "signer.bsms.cipher": (f"{UNIT}/test_bsms.py",),
    "signer.bsms.session": (f"{UNIT}/test_bsms.py",),
    "signer.hosted.payments": DEVICE,
    "signer.hosted.blobs": DEVICE,
    "signer.hosted.memory": DEVICE,
    "signer.hosted.networks": DEVICE,
    "wallet.reconciliation.breaks": STATEMENTS,
    "wallet.reconciliation.heads": STATEMENTS,
    "wallet.reconciliation.reconciler": STATEMENTS,
    "wallet.reconciliation.report": STATEMENTS,
    "wallet.reconciliation.states": STATEMENTS,
    "wallet.hosted_keys.authenticators": (f"{API}/test_authenticators.py",),
    "wallet.hosted_keys.context": HOSTED,
    "wallet.hosted_keys.journal": HOSTED,
    "wallet.hosted_keys.preparing": HOSTED,
    "wallet.hosted_keys.records": HOSTED,
    "wallet.hosted_keys.registry": HOSTED,
    "wallet.hosted_keys.second_factor": HOSTED,
    "wallet.hosted_keys.submitting": HOSTED,
    "wallet.device.device": HOSTED,
    "wallet.device.person": HOSTED,
    "wallet.assets.authority": ASSETS,
    "wallet.assets.context": ASSETS,
    "wallet.assets.freezing": ASSETS,
    "wallet.assets.gateways": ASSETS,
    "wallet.assets.issuing": ASSETS,
    "wallet.assets.registration": ASSETS,
    "wallet.assets.trust": ASSETS,
    "wallet.api.registered.bodies": ASSETS,
    "wallet.moving": MOVING,
    "wallet.store.moved": MOVING,
    "wallet.store.copying": MOVING,
    "wallet.store.roles": MOVING,
    **{f"wallet.mirrors.{name}": MIRRORS for name in MIRRORED},
}

OPTIONS = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:evidence", "-k", "not postgresql"]

_REACHED: dict[str, set[str]] = defaultdict(set)


def reached(site: str) -> None:
    """A check is about to refuse in the test that runs now."""
    _REACHED[site].add(os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0])


class _Marker(ast.NodeTransformer):
    """Puts a note of having been reached before every one of the sites."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self._names = {site.line: str(site) for site in sites}

    def visit_Raise(self, node: ast.Raise) -> list[ast.stmt]:
        if node.lineno not in self._names:
            return [node]
        note = f"__import__('tests.removing').removing.reached({self._names[node.lineno]!r})"
        return [ast.copy_location(ast.parse(note).body[0], node), node]


def missing(module: str, tests: Sequence[str]) -> Iterator[tuple[Site, str]]:
    """Each check of a module and why nothing proves it: "" where something does."""
    sites = list(raises(module))
    # What tests import is imported once, here, and shared by every fork.
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main([*OPTIONS, "--collect-only", *tests])
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder, "reached")
        if _forked(lambda: _note(sites, tests, notes)) != 0:
            raise SystemExit(f"the tests of {module} fail as they are")
        by_site: dict[str, list[str]] = json.loads(notes.read_text())
    for site in sites:
        names = by_site.get(str(site), [])
        if not names:
            yield site, "no test reaches it"
        elif _forked(lambda site=site, names=names: _without(site, names)) == 0:  # type: ignore[misc]
            yield site, f"{len(names)} tests reach it and none fails without it"
        else:
            yield site, ""


def _note(sites: Sequence[Site], tests: Sequence[str], notes: Path) -> int:
    # One module sees its own copy of this one: it must be the one that tests import.
    this = import_module("tests.removing")
    marker = _Marker(sites)
    for site in sites:
        site.target().__code__ = site.changed(marker)
    code = int(pytest.main([*OPTIONS, *tests]))
    notes.write_text(json.dumps({site: sorted(names) for site, names in this._REACHED.items()}))
    return code


def _without(site: Site, names: Sequence[str]) -> int:
    site.target().__code__ = site.without()
    return int(pytest.main([*OPTIONS, *names]))


def _forked(act: Callable[[], int]) -> int:
    """The exit code of an act in a process of its own that says nothing."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 70
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        code = act()
    finally:
        os._exit(code)


def main(modules: Sequence[str]) -> int:
    """Print every check that nothing proves; 1 where there is one."""
    unproven = 0
    for module in modules or PROVEN_BY:
        for site, why in missing(module, PROVEN_BY[module]):
            unproven += bool(why)
            typer.echo(f"{site} {site.owner}.{site.function}: {why or 'proven'}")
    return int(unproven > 0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
