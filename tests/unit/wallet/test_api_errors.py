"""Statuses are decided by family, so every error that input can cause must have a family."""

import importlib
import pkgutil

from chains.errors import AddressError, NodeError
from wallet.api.errors import status_of
from wallet.errors import WalletError
from wallet.ledger.errors import LedgerError
from wallet.store.errors import StoreError

PARTS = ("wallet.api", "wallet.addresses", "wallet.withdrawals", "wallet.treasury")
"""What the routes call."""

OURS = {"wallet.error", "treasury.error", "staff_key.invalid"}
"""Roots, and errors of the command line: no request causes them, so they are 500."""


def classes(root: type[Exception]) -> list[type[Exception]]:
    return [root] + [found for child in root.__subclasses__() for found in classes(child)]


def load_parts() -> None:
    for part in PARTS:
        package = importlib.import_module(part)
        for module in pkgutil.walk_packages(package.__path__, f"{part}."):
            importlib.import_module(module.name)


def test_errors_that_a_request_can_cause_have_a_status() -> None:
    load_parts()
    reachable = [c for c in classes(WalletError) if c.__module__.startswith(PARTS)]
    assert len(reachable) > 40
    unmapped = {c.code for c in reachable if status_of(c) == 500}  # type: ignore[attr-defined]
    assert unmapped <= OURS


def test_addresses_are_the_callers_fault_and_nodes_are_nobodys() -> None:
    assert {status_of(found) for found in classes(AddressError)} == {422}
    assert {status_of(found) for found in classes(NodeError)} == {503}


def test_broken_books_are_our_fault() -> None:
    assert status_of(LedgerError) == 500
    assert status_of(StoreError) == 500
    assert status_of(KeyError) == 500
