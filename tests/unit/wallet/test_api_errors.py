"""Statuses are decided by family, so every error that input can cause must have a family."""

import importlib
import pkgutil

from chains.errors import AddressError, NodeError
from wallet.api.errors import status_of
from wallet.errors import WalletError
from wallet.ledger.errors import LedgerError
from wallet.store.errors import StoreError

PARTS = (
    "wallet.api",
    "wallet.addresses",
    "wallet.assets",
    "wallet.withdrawals",
    "wallet.treasury.approvals",
)
"""What the routes call."""

COMMAND_LINE = "wallet.treasury"
"""Of its errors only those of approvals can be caused by a request; files are the command's."""


def classes(root: type[Exception]) -> list[type[Exception]]:
    return [root] + [found for child in root.__subclasses__() for found in classes(child)]


def load_parts() -> None:
    for part in PARTS:
        package = importlib.import_module(part)
        for module in pkgutil.walk_packages(getattr(package, "__path__", []), f"{part}."):
            importlib.import_module(module.name)


def test_errors_that_a_request_can_cause_have_a_status() -> None:
    load_parts()
    codes = {
        found.code: status_of(found)  # type: ignore[attr-defined]
        for found in classes(WalletError)
        if found.__module__.startswith(PARTS)
        or (found.__module__.startswith(COMMAND_LINE) and found.code.startswith("approval."))  # type: ignore[attr-defined]
    }
    assert len(codes) > 40
    assert {code for code, status in codes.items() if status == 500} == set()


def test_addresses_are_the_callers_fault_and_nodes_are_nobodys() -> None:
    assert {status_of(found) for found in classes(AddressError)} == {422}
    assert {status_of(found) for found in classes(NodeError)} == {503}


def test_broken_books_are_our_fault() -> None:
    assert status_of(LedgerError) == 500
    assert status_of(StoreError) == 500
    assert status_of(KeyError) == 500
