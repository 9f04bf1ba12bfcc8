"""Each movement gets its reason from our records, or a finding that says what is wrong."""

from collections.abc import Mapping

import pytest

from chains.types import BlockRef
from signer.protocol import Purpose
from wallet.payments.states import PaymentStatus
from wallet.reconciliation.explaining import NO_ASSETS, Explained, explain
from wallet.reconciliation.moves import Account, BlockMoves, Moved
from wallet.reconciliation.records import DepositRecord, PaymentRecord, Records
from wallet.reconciliation.states import BreakCode

REF = BlockRef(height=5, hash="b1" * 32, parent="b0" * 32, time_s=1)
TX, OTHER_TX = "aa" * 32, "cc" * 32
HOT, USER, COLD = b"\x01" * 20, b"\x02" * 20, b"\x03" * 20
WALLETS = {b"": "coins", HOT: "hot", USER: "users", COLD: "cold"}
PURPOSES = {b"": "change", HOT: "hot", USER: "deposit", COLD: "cold"}
NAMES = {HOT: "hot", USER: "deposit", COLD: "cold", None: None}


def move(
    units: int,
    position: str = "tx",
    *,
    target: bytes = HOT,
    other: bytes | None = None,
    asset: str = "ETH",
    txid: str = TX,
    purpose: str = "",
) -> Moved:
    return Moved(
        txid=txid,
        position=position,
        asset=asset,
        wallet=WALLETS[target],
        target=target,
        purpose=purpose or PURPOSES[target],
        units=units,
        other_purpose=NAMES[other],
    )


def coin(units: int, position: str, purpose: str = "change") -> Moved:
    return move(units, position, target=b"", asset="BTC", purpose=purpose if units > 0 else " ")


def deposit(units: int, *, logged: int | None = None, asset: str = "ETH") -> DepositRecord:
    return DepositRecord(
        id="d",
        asset=asset,
        units=units,
        logged_units=units if logged is None else logged,
        block_hash=REF.hash,
        is_booked=False,
    )


def payment(
    purpose: Purpose = Purpose.WITHDRAWAL,
    *,
    units: int = 50,
    asset: str = "ETH",
    source: str = "hot",
    outputs: int | None = None,
    inputs: int = 0,
) -> PaymentRecord:
    return PaymentRecord(
        id="p",
        asset=asset,
        purpose=purpose,
        source=source,
        units=units,
        status=PaymentStatus.CONFIRMING,
        fee_units=None,
        is_counted=True,
        is_lost=False,
        outputs_units=outputs,
        inputs=inputs,
    )


def explained(
    *moved: Moved,
    paid: PaymentRecord | None = None,
    rows: Mapping[tuple[str, str], DepositRecord] | None = None,
    known: Mapping[Account, int] | None = None,
    balances: Mapping[Account, int] | None = None,
    odd: frozenset[str] = NO_ASSETS,
) -> tuple[list[tuple[str, int, str]], list[tuple[BreakCode, int]]]:
    block = BlockMoves(
        ref=REF,
        moved=moved,
        balances=balances or {},
        wallets={account: WALLETS[account[0]] for account in balances or {}},
    )
    records = Records(deposits=rows or {}, payments={} if paid is None else {TX: paid})
    found: Explained = explain(block, records, known or {}, odd)
    lines = [(str(line.kind), line.units, line.subject) for line in found.lines]
    return lines, [(one.code, one.units) for one in found.findings]


class TestStrangers:
    def test_what_came_is_the_deposit_of_its_row(self) -> None:
        found = explained(move(7), rows={(TX, "tx"): deposit(7)})
        assert found == ([("deposit", 7, "d")], [])

    def test_without_a_row_it_is_late(self) -> None:
        assert explained(move(7)) == (
            [("unexplained", 7, "")],
            [(BreakCode.LATE_DEPOSIT, 7)],
        )

    def test_a_row_at_another_position_is_another_deposit(self) -> None:
        _, findings = explained(move(7), rows={(TX, "log:0"): deposit(7)})
        assert findings == [(BreakCode.LATE_DEPOSIT, 7), (BreakCode.PHANTOM_DEPOSIT, -7)]

    @pytest.mark.parametrize("row", [deposit(8), deposit(7, asset="DUSD")])
    def test_a_row_that_says_something_else(self, row: DepositRecord) -> None:
        _, findings = explained(move(7), rows={(TX, "tx"): row})
        assert findings == [(BreakCode.OTHER_AMOUNT, 7 - row.units)]

    def test_what_went_is_stolen_once_for_each_wallet_and_asset(self) -> None:
        lines, findings = explained(
            move(-5), move(-1, "fee"), move(-9, "log:0", asset="DUSD"), move(2, "tx", target=COLD)
        )
        assert findings == [
            (BreakCode.LATE_DEPOSIT, 2),
            (BreakCode.FOREIGN_SPEND, -6),
            (BreakCode.FOREIGN_SPEND, -9),
        ]
        assert {kind for kind, _, _ in lines} == {"unexplained"}


class TestCoins:
    def test_a_payment_is_split_into_what_it_paid_cost_and_brought_back(self) -> None:
        paid = payment(units=60, asset="BTC", outputs=95, inputs=2)
        found = explained(coin(-70, "in:0"), coin(-30, "in:1"), coin(35, "out:1"), paid=paid)
        assert found == (
            [
                ("move", 35, "p"),
                ("withdrawal", -60, "p"),
                ("fee", -5, "p"),
                ("move", -35, "p"),
            ],
            [],
        )

    def test_a_withdrawal_to_a_user_of_ours_is_a_deposit_too(self) -> None:
        paid = payment(units=60, asset="BTC", outputs=95, inputs=1)
        lines, findings = explained(
            coin(-100, "in:0"),
            coin(60, "out:0", "deposit"),
            coin(35, "out:1"),
            paid=paid,
            rows={(TX, "out:0"): deposit(60, asset="BTC")},
        )
        assert ("deposit", 60, "d") in lines and ("withdrawal", -60, "p") in lines
        assert findings == []

    def test_a_movement_that_pays_a_stranger_is_an_unknown_outflow(self) -> None:
        paid = payment(Purpose.SWEEP, units=60, asset="BTC", outputs=95, inputs=1)
        _, findings = explained(coin(-100, "in:0"), coin(35, "out:1"), paid=paid)
        assert findings == [(BreakCode.UNKNOWN_OUTFLOW, -60)]

    def test_a_payment_that_spends_what_is_not_known_as_ours_does_not_add_up(self) -> None:
        paid = payment(units=60, asset="BTC", outputs=95, inputs=2)
        lines, findings = explained(coin(-70, "in:0"), coin(35, "out:1"), paid=paid)
        assert [kind for kind, _, _ in lines] == ["unexplained", "unexplained"]
        assert findings == [(BreakCode.UNKNOWN_OUTFLOW, -70), (BreakCode.UNKNOWN_INFLOW, 35)]


class TestAccounts:
    def test_a_withdrawal_pays_and_costs(self) -> None:
        found = explained(move(-1, "fee"), move(-50), paid=payment())
        assert found == ([("fee", -1, "p"), ("withdrawal", -50, "p")], [])

    def test_to_a_user_of_ours_it_needs_the_users_deposit(self) -> None:
        sides = move(-50, other=USER), move(50, target=USER, other=HOT)
        lines, findings = explained(*sides, paid=payment(), rows={(TX, "tx"): deposit(50)})
        assert (lines, findings) == ([("withdrawal", -50, "p"), ("deposit", 50, "d")], [])
        _, findings = explained(*sides, paid=payment())
        assert findings == [(BreakCode.LATE_DEPOSIT, 50)]

    def test_between_wallets_of_ours_it_is_a_move(self) -> None:
        sides = move(-50, other=COLD), move(50, target=COLD, other=HOT)
        assert explained(*sides, paid=payment(Purpose.SWEEP)) == (
            [("move", -50, "p"), ("move", 50, "p")],
            [],
        )

    def test_a_move_to_a_stranger_was_not_meant(self) -> None:
        _, findings = explained(move(-50), paid=payment(Purpose.SWEEP))
        assert findings == [(BreakCode.UNKNOWN_OUTFLOW, -50)]

    def test_what_a_stranger_gives_inside_our_own_transaction(self) -> None:
        _, findings = explained(move(3, "trace:0"), paid=payment(Purpose.SWEEP))
        assert findings == [(BreakCode.UNKNOWN_INFLOW, 3)]

    def test_a_declared_token_may_keep_some(self) -> None:
        side = move(-2, "log:1", asset="FEE")
        paid = payment(Purpose.SWEEP, asset="FEE")
        assert explained(side, paid=paid, odd=frozenset({"FEE"})) == ([("kept", -2, "p")], [])


class TestBalances:
    ETH: Account = (HOT, "ETH")

    def test_what_adds_up_is_silent(self) -> None:
        found = explained(
            move(7), rows={(TX, "tx"): deposit(7)}, known={self.ETH: 3}, balances={self.ETH: 10}
        )
        assert found == ([("deposit", 7, "d")], [])

    @pytest.mark.parametrize(
        ("units", "code"),
        [(4, BreakCode.UNKNOWN_INFLOW), (-4, BreakCode.UNKNOWN_OUTFLOW)],
    )
    def test_what_does_not_is_an_unexplained_line(self, units: int, code: BreakCode) -> None:
        found = explained(known={self.ETH: 10}, balances={self.ETH: 10 + units})
        assert found == ([("unexplained", units, "")], [(code, units)])
        _, findings = explained(
            known={self.ETH: 10}, balances={self.ETH: 10 + units}, odd=frozenset({"ETH"})
        )
        assert findings == [(BreakCode.BALANCE_DRIFT, units)]

    @pytest.mark.parametrize("suffix", ["", ":ETH"])
    def test_a_deposit_that_only_a_balance_shows(self, suffix: str) -> None:
        place = ("0x" + REF.hash, f"delta:{HOT.hex()}{suffix}")
        found = explained(rows={place: deposit(4)}, balances={self.ETH: 4})
        assert found == ([("deposit", 4, "d")], [])

    def test_such_a_deposit_without_the_balance_is_a_phantom_if_the_node_tells(self) -> None:
        place = ("0x" + REF.hash, f"delta:{HOT.hex()}:ETH")
        _, findings = explained(rows={place: deposit(4)}, balances={self.ETH: 0})
        assert findings == [(BreakCode.PHANTOM_DEPOSIT, -4)]
        assert explained(rows={place: deposit(4)}) == ([], [])

    def test_what_did_not_arrive_of_a_deposit_was_kept(self) -> None:
        row = deposit(90, logged=100)
        found = explained(move(100), rows={(TX, "tx"): row}, balances={self.ETH: 90})
        assert found == ([("deposit", 100, "d"), ("kept", -10, "d")], [])
        _, findings = explained(move(100), rows={(TX, "tx"): row}, balances={self.ETH: 80})
        assert findings == [(BreakCode.UNKNOWN_OUTFLOW, -20)]

    @pytest.mark.parametrize("logged", [0, 100])
    def test_a_payment_that_moved_what_it_meant_whatever_its_logs_say(self, logged: int) -> None:
        sides = [move(-logged, "log:0", asset="T")] if logged else []
        lines, findings = explained(
            *sides, paid=payment(asset="T"), known={(HOT, "T"): 70}, balances={(HOT, "T"): 20}
        )
        assert sum(units for _, units, _ in lines) == -50
        assert {kind for kind, _, _ in lines} == {"withdrawal"}
        assert findings == []

    def test_of_another_wallet_or_amount_it_is_not_meant(self) -> None:
        for paid in (payment(asset="T", source="users"), payment(asset="T", units=51)):
            _, findings = explained(paid=paid, known={(HOT, "T"): 70}, balances={(HOT, "T"): 20})
            assert findings == [(BreakCode.UNKNOWN_OUTFLOW, -50)]

    def test_a_gather_without_logs_is_a_move(self) -> None:
        paid = payment(Purpose.GATHER, asset="T", source="users")
        lines, findings = explained(
            paid=paid, known={(USER, "T"): 50}, balances={(USER, "T"): 0, (HOT, "T"): 50}
        )
        assert (lines, findings) == ([("move", -50, "p"), ("move", 50, "p")], [])
