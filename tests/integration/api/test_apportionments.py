"""/v1/apportionments and the command over it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.integration.api.conftest import World
from wallet.api.exchange.apportionments import GAINS_MAX
from wallet.api.route import BODY_BYTES_MAX
from wallet.cli import apportion as command
from wallet.client import ApiError, write_credentials
from wallet.ledger import chart
from wallet.ledger.balances import balance
from wallet.ledger.chart import SubAccount
from wallet.ledger.posting import post_batch
from wallet.ledger.transfers import Transfer


@pytest.fixture
def winners(world: World) -> dict[str, str]:
    """Three users with 1,000 units in their contract part; name to account id."""
    client = world.client()
    found = {name: client.create_account(name).id for name in ("ann", "bob", "cid")}
    with world.services.db.write() as tx:
        for name, account_id in found.items():
            owner = chart.user(account_id, SubAccount.CONTRACT)
            line = Transfer.single(debit=chart.HOT, credit=owner, asset="BTC", units=1000)
            post_batch(tx, f"test:{name}", [line], world.clock.now_s())
    return found


def gains(winners: dict[str, str], *units: int) -> dict[str, int]:
    return dict(zip(winners.values(), units, strict=True))


def contract_units(world: World, account_id: str) -> int:
    with world.services.db.read() as tx:
        return balance(tx, chart.user(account_id, SubAccount.CONTRACT), "BTC").available


def test_shown_first_then_posted_once(world: World, winners: dict[str, str]) -> None:
    exchange = world.client(("apportionments:read", "apportionments:write")).exchange
    asked = gains(winners, 300, 250, 150)
    shown = exchange.preview_apportionment(asset="BTC", loss_units=100, gains=asked)
    assert {s.account_id: s.share_units for s in shown.shares} == gains(winners, 43, 36, 21)
    assert shown.covered and {s.available_units for s in shown.shares} == {1000}
    assert (shown.loss, shown.gains_units) == ("0.000001", 700)
    assert contract_units(world, winners["ann"]) == 1000
    made = exchange.apportion(external_id="loss-1", asset="BTC", loss_units=100, gains=asked)
    again = exchange.apportion(external_id="loss-1", asset="BTC", loss_units=100, gains=asked)
    assert made == again == exchange.apportionment_of("loss-1")
    assert [s.share_units for s in made.shares] == [s.share_units for s in shown.shares]
    assert contract_units(world, winners["ann"]) == 957


@pytest.mark.parametrize(
    ("loss_units", "units", "status", "code"),
    [
        (0, (1, 1, 1), 422, "apportionment.no_loss"),
        (4, (1, 1, 1), 409, "apportionment.loss_exceeds_gains"),
        (1, (1, 1, 0), 422, "apportionment.bad_gain"),
        (3003, (1001, 1001, 1001), 409, "apportionment.not_covered"),
    ],
)
def test_refusals_have_their_codes(
    world: World,
    winners: dict[str, str],
    loss_units: int,
    units: tuple[int, ...],
    status: int,
    code: str,
) -> None:
    with pytest.raises(ApiError) as refused:
        world.client().exchange.apportion(
            external_id="x", asset="BTC", loss_units=loss_units, gains=gains(winners, *units)
        )
    assert (refused.value.status, refused.value.code) == (status, code)


def test_looking_needs_no_right_to_post(world: World, winners: dict[str, str]) -> None:
    reader = world.client(("apportionments:read",)).exchange
    asked = gains(winners, 1, 1, 1)
    assert reader.preview_apportionment(asset="BTC", loss_units=1, gains=asked).covered
    with pytest.raises(ApiError) as refused:
        reader.apportion(external_id="x", asset="BTC", loss_units=1, gains=asked)
    assert refused.value.code == "auth.scope_missing"


def test_thousands_of_accounts_fit_and_one_more_than_allowed_does_not(world: World) -> None:
    client = world.client()
    unknown = {f"00000000-0000-4000-8000-{n:012}": 1 for n in range(GAINS_MAX + 1)}
    with pytest.raises(ApiError) as refused:
        client.exchange.apportion(external_id="x", asset="BTC", loss_units=1, gains=unknown)
    assert refused.value.code == "request.invalid"
    unknown.popitem()
    body = {"external_id": "x", "gains": [{"account_id": id} for id in unknown]}
    assert len(json.dumps(body)) > BODY_BYTES_MAX
    with pytest.raises(ApiError) as refused:
        client.exchange.apportion(external_id="x", asset="BTC", loss_units=1, gains=unknown)
    assert refused.value.code == "apportionment.account_unknown"
    named = refused.value.details["account_ids"]
    assert isinstance(named, list) and len(named) == 20


def test_the_command_shows_then_posts(
    world: World, winners: dict[str, str], tmp_path: Path
) -> None:
    credentials, file = tmp_path / "credentials.json", tmp_path / "gains.csv"
    write_credentials(credentials, world.credentials())
    file.write_text("".join(f"{id},{units}\n" for id, units in gains(winners, 3, 2, 2).items()))
    asked = [str(file), "--asset", "BTC", "--credentials", str(credentials), "--loss-units"]
    # The API reads the clock of the test, a command that of the machine.
    world.clock.time_s = command_clock_s()
    shown = CliRunner().invoke(command.app, [*asked, "5", "--json"])
    assert shown.exit_code == 0, shown.output
    assert sorted(s["share_units"] for s in json.loads(shown.output)["shares"]) == [1, 2, 2]
    assert "only shown" in CliRunner().invoke(command.app, [*asked, "5"]).output
    assert contract_units(world, winners["ann"]) == 1000
    posted = CliRunner().invoke(command.app, [*asked, "5", "--post", "loss-7"])
    assert (posted.exit_code, "posted" in posted.output) == (0, True)
    assert contract_units(world, winners["ann"]) == 998
    refused = CliRunner().invoke(command.app, [*asked, "8"])
    assert (refused.exit_code, "loss_exceeds_gains" in refused.output) == (1, True)
    file.write_text("one,1\none,2\n")
    assert CliRunner().invoke(command.app, [*asked, "1"]).exit_code == 2


def test_the_command_ends_with_1_when_somebody_cannot_pay(
    world: World, winners: dict[str, str], tmp_path: Path
) -> None:
    credentials, file = tmp_path / "credentials.json", tmp_path / "gains.csv"
    write_credentials(credentials, world.credentials())
    file.write_text(f"{winners['ann']},1001\n")
    world.clock.time_s = command_clock_s()
    asked = [str(file), "--asset", "BTC", "--credentials", str(credentials), "--loss-units", "1001"]
    shown = CliRunner().invoke(command.app, asked, env={"COLUMNS": "200"})
    assert (shown.exit_code, "has only 1000" in shown.output) == (1, True)


def command_clock_s() -> int:
    from wallet.clock import SystemClock

    return SystemClock().now_s()
