"""/v1/escrows, and the command with which staff decide."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.integration.api.conftest import World
from wallet.cli import escrow as command
from wallet.client import ApiError, Client
from wallet.client.exchange_types import Escrow
from wallet.escrow.errors import NotDisputed
from wallet.escrow.holding import expire
from wallet.escrow.records import id_of
from wallet.escrow.staff import EscrowDesk
from wallet.milestones import pass_by
from wallet.settlements.wire import TransferOrder
from wallet.treasury.errors import UnknownApprover
from wallet.treasury.staff_keys import StaffKey, create_staff_key

PASSPHRASE = "a long passphrase"


@dataclass
class Trade:
    """A payer with 1,000,000 units and a payee with none, over the API."""

    world: World
    client: Client
    payer: str
    payee: str

    def hold(self, units: int = 600_000, external_id: str = "trade-1") -> Escrow:
        return self.client.exchange.hold(
            external_id=external_id,
            asset="BTC",
            payer_id=self.payer,
            payee_id=self.payee,
            amount_units=units,
            fee_basis_points=25,
            deadline_s=1_800_003_600,
        )

    @property
    def books(self) -> tuple[int, int, int]:
        """Payer available, payer held, payee available."""
        payer = self.client.balances(self.payer).data[0]
        payee = self.client.balances(self.payee).data[0]
        return payer.available_units, payer.held_units, payee.available_units


@pytest.fixture
def trade(world: World) -> Trade:
    client = world.client()
    payer, payee = (client.create_account(name).id for name in ("ann", "bob"))
    world.fund(payer, 1_000_000)
    return Trade(world, client, payer, payee)


def refusal(act: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(ApiError) as refused:
        act()
    return refused.value.status, refused.value.code


def test_held_released_in_parts_and_listed(trade: Trade) -> None:
    exchange = trade.client.exchange
    held = trade.hold()
    assert (held.status, held.amount, held.held_units) == ("held", "0.006", 600_000)
    assert trade.hold() == held, "the same external id holds once"
    assert trade.books == (400_000, 600_000, 0)
    part = exchange.release(held.id, amount="0.002")
    assert (part.status, part.released_units, part.fee_units) == ("held", 200_000, 500)
    done = exchange.release(held.id)
    assert (done.status, done.held_units, done.fee) == ("released", 0, "0.000015")
    assert trade.books == (400_000, 0, 598_500)
    assert exchange.escrow(held.id) == exchange.escrow_of("trade-1") == done
    other = trade.hold(10_000, "trade-2")
    assert set(exchange.list_escrows(payer_id=trade.payer).data) == {done, other}
    assert exchange.list_escrows(status="held").data == (other,)
    assert exchange.list_escrows(payee_id=trade.payer).data == ()


def test_given_back(trade: Trade) -> None:
    held = trade.hold()
    assert trade.client.exchange.give_back(held.id).status == "returned"
    assert trade.books == (1_000_000, 0, 0)
    again = refusal(lambda: trade.client.exchange.give_back(held.id))
    assert again == (409, "escrow.forbidden_transition")


def test_a_lost_answer_releases_a_part_once(trade: Trade) -> None:
    held = trade.hold()
    exchange = trade.client.exchange
    first = exchange.release(held.id, amount_units=10, idempotency_key="release-1")
    assert exchange.release(held.id, amount_units=10, idempotency_key="release-1") == first
    assert exchange.escrow(held.id).released_units == 10


def test_refusals_have_their_codes(trade: Trade) -> None:
    exchange = trade.client.exchange
    assert refusal(lambda: trade.hold(1_000_001)) == (409, "ledger.insufficient_funds")
    assert refusal(lambda: exchange.escrow_of("trade-1")) == (404, "escrow.not_found")
    held = trade.hold()
    assert refusal(lambda: trade.hold(1)) == (409, "escrow.external_id_taken")
    for units, code in [(600_001, "escrow.bad_release"), (0, "request.amount_out_of_range")]:
        found = refusal(partial(exchange.release, held.id, amount_units=units))
        assert found == (422, code)
    exchange.dispute(held.id, "no cash came")
    assert refusal(lambda: exchange.release(held.id)) == (409, "escrow.disputed")
    unknown = "00000000-0000-4000-8000-000000000000"
    assert refusal(lambda: exchange.release(unknown)) == (404, "escrow.not_found")


def test_an_id_that_a_settlement_took_first_holds_nothing(trade: Trade) -> None:
    taken = TransferOrder(
        id=id_of("trade-1"),
        debit_account_id=trade.payer,
        credit_account_id=trade.payee,
        asset="BTC",
        units="1",
    )
    trade.client.exchange.settle(external_id="s-1", transfers=[taken])
    assert refusal(trade.hold) == (409, "ledger.transfer_exists")
    assert trade.books == (999_999, 0, 1)


def test_reading_is_not_releasing(trade: Trade) -> None:
    held = trade.hold()
    reader = trade.world.client(("escrows:read",)).exchange
    assert reader.escrow(held.id) == held
    assert refusal(lambda: reader.release(held.id)) == (403, "auth.scope_missing")


def test_the_deadline_gives_it_back(trade: Trade) -> None:
    held = trade.hold()
    trade.world.clock.time_s = held.deadline_s
    late = refusal(lambda: trade.client.exchange.release(held.id))
    assert late == (409, "escrow.past_deadline")
    assert expire(trade.world.services.db, trade.world.clock, pass_by) == 1
    assert trade.client.exchange.escrow(held.id).status == "expired"
    assert trade.books == (1_000_000, 0, 0)


@dataclass
class Terminal:
    """A terminal with the key of a member and that of a stranger."""

    folder: Path

    def run(self, *arguments: str, key: str | None = None) -> Result:
        secrets = ["--passphrase-file", str(self.folder / "passphrase")]
        options = [] if key is None else ["--key", str(self.folder / f"{key}.json"), *secrets]
        return CliRunner().invoke(command.app, [*arguments, *options], env={"COLUMNS": "300"})


@pytest.fixture
def terminal(trade: Trade, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    (tmp_path / "passphrase").write_text(PASSPHRASE + "\n")
    for name in ("ada", "mallory"):
        create_staff_key(tmp_path / f"{name}.json", name, PASSPHRASE, lambda n: b"\x07" * n)

    def member(key: StaffKey) -> None:
        if key.id != "ada":
            raise UnknownApprover("got a stranger's key")

    def opened(config: Path) -> EscrowDesk:
        return EscrowDesk(
            database=trade.world.services.db,
            clock=trade.world.clock,
            member=member,
            milestone=pass_by,
        )

    monkeypatch.setattr(command, "open_escrows", opened)
    return Terminal(tmp_path)


def test_staff_see_a_dispute_and_decide_it(trade: Trade, terminal: Terminal) -> None:
    held = trade.hold()
    assert json.loads(terminal.run("list", "--json").output) == []
    trade.client.exchange.dispute(held.id, "no cash came")
    (row,) = json.loads(terminal.run("list", "--json").output)
    assert (row["id"], row["held_units"], row["reason"]) == (held.id, "600000", "no cash came")
    assert "no cash came" in terminal.run("list").output
    assert "disputed" in terminal.run("show", held.id).output
    decided = terminal.run("decide", held.id, "--release-units", "250000", "--json", key="ada")
    assert json.loads(decided.output)["decided_by"] == "ada"
    found = trade.client.exchange.escrow(held.id)
    assert (found.status, found.released_units, found.decided_by) == ("released", 250_000, "ada")
    assert trade.books == (750_000, 0, 249_375)


def test_a_stranger_decides_nothing(trade: Trade, terminal: Terminal) -> None:
    held = trade.hold()
    trade.client.exchange.dispute(held.id, "no cash came")
    refused = terminal.run("decide", held.id, "--release-units", "0", key="mallory")
    assert isinstance(refused.exception, UnknownApprover)
    assert trade.client.exchange.escrow(held.id).status == "disputed"


def test_staff_decide_only_disputes(trade: Trade, terminal: Terminal) -> None:
    held = trade.hold()
    refused = terminal.run("decide", held.id, "--release-units", "0", key="ada")
    assert isinstance(refused.exception, NotDisputed)
    assert trade.books == (400_000, 600_000, 0)
