"""Hosted payments over chains in memory: what the scan shows decides, whatever nodes answer."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn
from uuid import uuid4

import pytest
from sqlalchemy import select

from chains.errors import NodeRejected
from chains.evm.addresses import from_text
from chains.evm.params import BUILTIN as EVM_BUILTIN
from chains.evm.transactions import SignedTx
from chains.types import Asset
from chains.utxo.params import BUILTIN
from chains.utxo.second_parser import ParsersDisagree
from signer.hosted import (
    Ask,
    HostedKey,
    OpenedHostedKey,
    address_of,
    check_payment,
    hosted_network,
    prove,
    sign_payment,
)
from signer.protocol import dump
from tests.fakes import FakeClock, Fault, SimulatedEvmChain, SimulatedUtxoChain
from tests.hosted_world import BTC, DUSD, ETH, EVM_PAYEE, PAYEE, PUBLIC_KEY, SECRET, evm_network
from tests.hosted_world import script_of as btc_script
from tests.reconciling import reporter
from wallet.addresses import accounts
from wallet.deposits.watcher import Seen, Watcher
from wallet.errors import WalletError
from wallet.events import read_events
from wallet.holdings import count_holdings
from wallet.hosted_keys.context import HostedContext
from wallet.hosted_keys.desk import HostedDesk
from wallet.hosted_keys.errors import (
    AddressMismatch,
    AlreadySubmitted,
    CoinsTaken,
    HostedFundsMissing,
    HostedUnpayable,
    HostedWouldRevert,
    NotAsPrepared,
    PaymentExpired,
)
from wallet.hosted_keys.following import CONFLICT_S
from wallet.hosted_keys.journal import HostedPayment, find_payment
from wallet.hosted_keys.records import find_key
from wallet.hosted_keys.registry import NewHostedKey
from wallet.hosted_keys.states import ARROWS, HostedPaymentStatus, check_arrow
from wallet.hosted_keys.totp import STEP_S, code_at
from wallet.milestones import pass_by
from wallet.settings import AssetSettings, ConfirmationTier
from wallet.store.database import Database
from wallet.store.schema import deposits, hosted_coins, utxos

TOTP_SECRET = b"\x05" * 20
S = HostedPaymentStatus
DEPTH = 2


class Killed(BaseException):
    """The process died at a milestone."""


@dataclass
class World:
    """Two chains in memory, the real watchers, and one hosted key on each."""

    database: Database
    clock: FakeClock = field(default_factory=FakeClock)
    disagrees: Exception | None = None
    dies_at: str = ""

    def __post_init__(self) -> None:
        token = Asset(code="DUSD", network=ETH, decimals=6, contract=DUSD.contract)
        self.btc = SimulatedUtxoChain(params=BUILTIN[BTC], asset="BTC")
        self.eth = SimulatedEvmChain(params=EVM_BUILTIN[ETH], tokens=[token])
        with self.database.write() as tx:
            self.account_id = accounts.create_account(tx, "user-1", self.clock.now_s())
        self.desk = HostedDesk(self.context())
        self.keys = {network: self.create(network) for network in (BTC, ETH)}
        self.watchers: Mapping[str, Watcher] = {
            chain.network: Watcher(chain, self.database, {}, 0, self.clock, pass_by)
            for chain in (self.btc, self.eth)
        }

    def context(self) -> HostedContext:
        return HostedContext(
            database=self.database,
            clock=self.clock,
            new_id=lambda: str(uuid4()),
            random=os.urandom,
            chains={BTC: self.btc, ETH: self.eth},
            params=BUILTIN,
            assets={
                "BTC": _asset("BTC", BTC, 8),
                "ETH": _asset("ETH", ETH, 18),
                "DUSD": _asset("DUSD", ETH, 6, DUSD.contract),
            },
            second_parser=self._second_parser,
            milestone=self._milestone,
            service_key=b"\x07" * 32,
        )

    def create(self, network: str) -> HostedKey:
        key = HostedKey(kid=str(uuid4()), network=network, public_key=PUBLIC_KEY, version=1)
        blob = dump({"format": "HK1", "rest": bytes(48)})
        with self.database.write() as tx:
            self.desk.keys.create(
                tx,
                NewHostedKey(
                    id=key.kid,
                    account_id=self.account_id,
                    network=network,
                    public_key=PUBLIC_KEY,
                    address=address_of(hosted_network(network), PUBLIC_KEY),
                    blob=blob,
                    proof=prove(OpenedHostedKey(key, SECRET), key, blob),
                    totp_secret=TOTP_SECRET,
                    totp_code=code_at(TOTP_SECRET, self.clock.now_s() // STEP_S),
                ),
            )
        return key

    def target(self, network: str) -> bytes:
        with self.database.read() as tx:
            return find_key(tx, self.keys[network].kid).target

    def scan(self) -> None:
        for watcher in self.watchers.values():
            while watcher.step().seen is not Seen.SAME:
                pass

    def mine(self, count: int = 1) -> None:
        """Blocks on both chains, scanned, and every payment looked at."""
        self.btc.mine(count)
        self.eth.mine(count)
        self.follow()

    def follow(self, times: int = 3) -> None:
        self.scan()
        for _ in range(times):
            self.desk.follower.run(BTC)
            self.desk.follower.run(ETH)

    def fund(self, asset: str, units: int) -> None:
        if asset == "BTC":
            self.btc.fund(self.target(BTC), units)
        else:
            self.eth.fund(self.target(ETH), asset, units)
        self.mine()

    def prepare(self, asset: str, units: int, address: str = "") -> HostedPayment:
        network = BTC if asset == "BTC" else ETH
        payee = address or (PAYEE if network == BTC else EVM_PAYEE)
        with self.database.read() as tx:
            key = find_key(tx, self.keys[network].kid)
        wish = self.desk.preparer.wish(key, asset, payee, units)
        quote = self.desk.preparer.quote(key, wish)
        with self.database.write() as tx:
            return self.desk.preparer.prepare(tx, key, wish, quote)

    def sign(self, prepared: HostedPayment) -> bytes:
        network = hosted_network(BTC) if prepared.network == BTC else evm_network()
        ask = Ask(asset=prepared.asset, address=prepared.address, units=prepared.units)
        payment = check_payment(network, PUBLIC_KEY, ask, prepared.unsigned)
        return sign_payment(OpenedHostedKey(self.keys[prepared.network], SECRET), payment)

    def submit(self, prepared: HostedPayment, *, send: bool = True) -> HostedPayment:
        raw = self.sign(prepared)
        with self.database.read() as tx:
            key = find_key(tx, prepared.key_id)
        txid = self.desk.submitter.check(key, prepared, raw)
        with self.database.write() as tx:
            stored = self.desk.submitter.submit(tx, key, prepared.id, raw, txid)
        if send:
            self.desk.follower.send(stored)
        return stored

    def read(self, payment: HostedPayment) -> HostedPayment:
        with self.database.read() as tx:
            return find_payment(tx, payment.key_id, payment.id)

    def events(self) -> list[str]:
        with self.database.read() as tx:
            return [event.type for event in read_events(tx, 0, 1000)]

    def _second_parser(self, *_asked: object) -> None:
        if self.disagrees is not None:
            raise self.disagrees

    def _milestone(self, name: str) -> None:
        if name == self.dies_at:
            raise Killed(name)


def _asset(code: str, network: str, decimals: int, contract: str | None = None) -> AssetSettings:
    return AssetSettings(
        code=code,
        network=network,
        decimals=decimals,
        contract=contract,
        confirmations=(ConfirmationTier(from_units=0, confirmations=DEPTH),),
    )


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def funded(world: World) -> World:
    world.fund("BTC", 100_000)
    world.fund("ETH", 10**18)
    world.fund("DUSD", 5_000_000)
    return world


PAYMENTS = [("BTC", 60_000), ("ETH", 10**17), ("DUSD", 2_000_000)]


@pytest.mark.parametrize(("asset", "units"), PAYMENTS)
def test_a_payment_is_prepared_signed_sent_and_confirmed(
    world: World, asset: str, units: int
) -> None:
    paid = world.submit(funded(world).prepare(asset, units))
    assert world.read(paid).status is S.SUBMITTED
    world.mine()
    assert world.read(paid).status is S.CONFIRMING
    world.mine(DEPTH - 1)
    done = world.read(paid)
    assert (done.status, done.fee_units is not None) == (S.COMPLETED, True)
    names = [name for name in world.events() if name.startswith("hosted_payment.")]
    assert names == [f"hosted_payment.{one}" for one in ("submitted", "confirming", "completed")]


def test_bitcoin_arrives_and_the_change_can_be_spent_again(world: World) -> None:
    first = world.submit(funded(world).prepare("BTC", 60_000))
    world.mine(DEPTH)
    change = 100_000 - 60_000 - first.fee_units_max
    assert world.btc.paid_units(btc_script(PAYEE)) == 60_000
    second = world.submit(world.prepare("BTC", change - 5_000))
    world.mine(DEPTH)
    assert world.read(second).status is S.COMPLETED


def test_hosted_money_is_no_deposit_and_no_holding_of_ours(world: World) -> None:
    funded(world)
    with world.database.read() as tx:
        assert tx.execute(select(deposits.c.id)).all() == []
        assert tx.execute(select(utxos.c.txid)).all() == []
        assert len(tx.execute(select(hosted_coins.c.txid)).all()) == 1
    for chain in (world.btc, world.eth):
        held = count_holdings(chain, world.database, chain.tip())
        assert not any(held.values())
        report = reporter(chain, world.database, world.clock).report()
        assert report.is_right and report.coverage.blocks.ppm == 1_000_000


@pytest.mark.parametrize(("asset", "units"), PAYMENTS)
@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE, Fault.LOST_AFTER, Fault.REJECTED])
def test_the_same_bytes_are_sent_until_the_chain_shows_them(
    world: World, asset: str, units: int, fault: Fault
) -> None:
    prepared = funded(world).prepare(asset, units)
    chain = world.btc if asset == "BTC" else world.eth
    before = len(chain.sent)
    chain.faults.append(fault)
    paid = world.submit(prepared)
    world.clock.time_s += 600
    world.follow(1)
    world.mine(DEPTH)
    assert world.read(paid).status is S.COMPLETED
    assert len(chain.sent) == before + 1


@pytest.mark.parametrize("moment", ["hosted_payment.send_started", "hosted_payment.sent"])
def test_killed_around_the_broadcast_the_payment_goes_on_and_is_sent_once(
    world: World, moment: str
) -> None:
    prepared = funded(world).prepare("BTC", 60_000)
    stored = world.submit(prepared, send=False)
    world.dies_at = moment
    with pytest.raises(Killed):
        world.desk.follower.send(stored)
    world.dies_at = ""
    world.clock.time_s += 600
    world.follow(1)
    world.mine(DEPTH)
    assert world.read(stored).status is S.COMPLETED
    assert len(world.btc.sent) == 1


def test_killed_before_the_broadcast_the_stored_bytes_are_sent_by_the_next_run(
    world: World,
) -> None:
    stored = world.submit(funded(world).prepare("ETH", 10**17), send=False)
    assert world.eth.sent == []
    world.follow(1)
    world.mine(DEPTH)
    assert world.read(stored).status is S.COMPLETED


@pytest.mark.parametrize(("asset", "units"), PAYMENTS)
def test_a_reorg_takes_a_payment_back_and_it_confirms_again(
    world: World, asset: str, units: int
) -> None:
    paid = world.submit(funded(world).prepare(asset, units))
    world.mine()
    chain = world.btc if asset == "BTC" else world.eth
    chain.reorg(1, keep=False)
    world.scan()
    world.desk.follower.run(paid.network)
    assert world.read(paid).status is S.SUBMITTED
    world.clock.time_s += 600
    world.follow(1)
    world.mine(DEPTH)
    assert world.read(paid).status is S.COMPLETED


def test_a_coin_that_a_reorg_took_is_not_offered(world: World) -> None:
    world.fund("BTC", 100_000)
    world.btc.reorg(1, keep=False)
    world.follow()
    with pytest.raises(HostedFundsMissing):
        world.prepare("BTC", 60_000)


def test_a_coin_spent_elsewhere_ends_the_payment_only_when_that_is_final(world: World) -> None:
    first = funded(world).prepare("BTC", 60_000)
    elsewhere = world.prepare("BTC", 50_000)
    world.btc.faults.append(Fault.LOST_BEFORE)
    paid = world.submit(first)
    world.btc.broadcast(world.sign(elsewhere))
    world.mine()
    assert (world.read(paid).status, world.read(paid).sub_status) == (S.SUBMITTED, "conflict")
    world.mine(DEPTH)
    assert (world.read(paid).status, world.read(paid).sub_status) == (S.FAILED, "conflict")


def test_a_nonce_used_elsewhere_ends_the_payment_after_a_while(world: World) -> None:
    first = funded(world).prepare("ETH", 10**17)
    elsewhere = world.prepare("ETH", 2 * 10**17)
    world.eth.faults.append(Fault.LOST_BEFORE)
    paid = world.submit(first)
    world.eth.broadcast(world.sign(elsewhere))
    world.eth.mine()
    world.follow()
    assert (world.read(paid).status, world.read(paid).sub_status) == (S.SUBMITTED, "conflict")
    world.clock.time_s += CONFLICT_S
    world.follow()
    assert world.read(paid).status is S.FAILED


def test_a_transfer_that_reverts_fails_with_the_fee_it_cost(world: World) -> None:
    prepared = funded(world).prepare("DUSD", 2_000_000)
    world.eth.reverting.add(from_text(DUSD.contract))
    paid = world.submit(prepared)
    world.mine(DEPTH)
    failed = world.read(paid)
    assert (failed.status, failed.sub_status) == (S.FAILED, "reverted")
    assert failed.fee_units


def test_payments_of_one_account_follow_each_other_by_nonce(world: World) -> None:
    first = world.submit(funded(world).prepare("ETH", 10**17))
    second = world.submit(world.prepare("ETH", 10**17))
    assert [first.nonce, second.nonce] == [0, 1]
    world.mine(DEPTH)
    assert {world.read(one).status for one in (first, second)} == {S.COMPLETED}


def test_one_nonce_is_submitted_once(world: World) -> None:
    first, second = funded(world).prepare("ETH", 10**17), world.prepare("ETH", 2 * 10**17)
    world.submit(first)
    with pytest.raises(CoinsTaken):
        world.submit(second)


def test_what_is_not_signed_in_time_ends_and_takes_no_bytes(world: World) -> None:
    prepared = funded(world).prepare("BTC", 60_000)
    world.clock.time_s = prepared.expires_s - 1
    world.desk.follower.run(BTC)
    assert world.read(prepared).status is S.PREPARED
    world.clock.time_s = prepared.expires_s
    world.desk.follower.run(BTC)
    assert world.read(prepared).status is S.EXPIRED
    assert world.events()[-1] == "hosted_payment.expired"
    with pytest.raises(PaymentExpired):
        world.submit(prepared)


def test_money_that_is_promised_is_not_promised_again(world: World) -> None:
    world.submit(funded(world).prepare("ETH", 6 * 10**17))
    with pytest.raises(HostedFundsMissing):
        world.prepare("ETH", 6 * 10**17)


UNPAYABLE: Sequence[tuple[str, int, str, str]] = [
    ("BTC", 0, PAYEE, HostedUnpayable.code),
    ("BTC", 100, PAYEE, HostedUnpayable.code),
    ("BTC", 10**9, PAYEE, HostedFundsMissing.code),
    ("BTC", 60_000, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "address.wrong_network"),
    ("ETH", 10**19, EVM_PAYEE, HostedFundsMissing.code),
    ("ETH", 10**77, EVM_PAYEE, HostedFundsMissing.code),
    ("DUSD", 10**9, EVM_PAYEE, HostedFundsMissing.code),
    ("ETH", 10**18, EVM_PAYEE, HostedFundsMissing.code),
    ("LTC", 1, EVM_PAYEE, "hosted_payment.asset_unknown"),
]


@pytest.mark.parametrize(("asset", "units", "address", "code"), UNPAYABLE)
def test_what_cannot_be_paid_is_not_prepared(
    world: World, asset: str, units: int, address: str, code: str
) -> None:
    funded(world)
    with pytest.raises(Exception, match="got") as caught:
        world.prepare(asset, units, address)
    assert getattr(caught.value, "code", "") == code


@pytest.mark.parametrize("asset", ["BTC", "ETH", "DUSD"])
def test_nothing_is_no_amount_to_pay(world: World, asset: str) -> None:
    funded(world)
    with world.database.read() as tx:
        key = find_key(tx, world.keys[BTC if asset == "BTC" else ETH].kid)
    payee = PAYEE if asset == "BTC" else EVM_PAYEE
    for units in (0, -1):
        with pytest.raises(HostedUnpayable, match="nothing to pay"):
            world.desk.preparer.wish(key, asset, payee, units)


def test_what_the_chain_refuses_is_not_prepared(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def revert(*_asked: object) -> NoReturn:
        raise NodeRejected("execution reverted")

    funded(world)
    monkeypatch.setattr(world.eth, "estimate_gas", revert)
    with pytest.raises(HostedWouldRevert, match="reverted"):
        world.prepare("DUSD", 1_000)


@pytest.mark.parametrize(("asset", "units"), PAYMENTS)
def test_a_payment_takes_one_transaction_for_ever(world: World, asset: str, units: int) -> None:
    prepared = funded(world).prepare(asset, units)
    stored = world.submit(prepared)
    with world.database.read() as tx:
        key = find_key(tx, prepared.key_id)

    with pytest.raises(AlreadySubmitted), world.database.write() as tx:
        world.desk.submitter.submit(tx, key, prepared.id, b"other", "ab" * 32)

    assert stored.txid == world.read(prepared).txid


def test_bytes_in_another_writing_are_not_taken(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The codec reads one writing only; this wall stands if it ever reads two."""
    prepared = funded(world).prepare("ETH", 10**17)
    raw = world.sign(prepared)
    signed = SignedTx.decode(raw)
    with world.database.read() as tx:
        key = find_key(tx, prepared.key_id)
    monkeypatch.setattr(SignedTx, "decode", lambda _raw: signed)
    with pytest.raises(NotAsPrepared, match="another way"):
        world.desk.submitter.check(key, prepared, raw + b"\x00")


def test_a_public_key_off_the_curve_is_no_key(world: World) -> None:
    off_curve = b"\x02" + b"\xff" * 32
    new = NewHostedKey(
        id=str(uuid4()),
        account_id=world.account_id,
        network=BTC,
        public_key=off_curve,
        address=address_of(hosted_network(BTC), off_curve),
        blob=dump({"format": "HK1", "rest": bytes(48)}),
        proof=bytes(70),
        totp_secret=TOTP_SECRET,
        totp_code=code_at(TOTP_SECRET, world.clock.now_s() // STEP_S),
    )
    with pytest.raises(AddressMismatch, match="no point"), world.database.write() as tx:
        world.desk.keys.create(tx, new)


def test_bytes_that_the_second_parser_reads_otherwise_are_not_taken(world: World) -> None:
    prepared = funded(world).prepare("BTC", 60_000)
    world.disagrees = ParsersDisagree("another reading")
    with pytest.raises(NotAsPrepared):
        world.submit(prepared)


def _changed(raw: bytes) -> bytes:
    return raw[:20] + bytes([raw[20] ^ 1]) + raw[21:]


@pytest.mark.parametrize(
    "change", [_changed, lambda raw: raw + b"\x00", lambda raw: raw[:-1], lambda _: b"\x02\xc0"]
)
@pytest.mark.parametrize(("asset", "units"), PAYMENTS)
def test_changed_bytes_are_not_taken(
    world: World, asset: str, units: int, change: Callable[[bytes], bytes]
) -> None:
    prepared = funded(world).prepare(asset, units)
    raw = change(world.sign(prepared))
    with world.database.read() as tx:
        key = find_key(tx, prepared.key_id)
    with pytest.raises(NotAsPrepared):
        world.desk.submitter.check(key, prepared, raw)


@pytest.mark.parametrize(("asset", "units"), PAYMENTS)
def test_another_payment_of_the_same_key_is_not_taken_for_this_one(
    world: World, asset: str, units: int
) -> None:
    prepared = funded(world).prepare(asset, units)
    other = world.sign(world.prepare(asset, units // 2))
    with world.database.read() as tx:
        key = find_key(tx, prepared.key_id)
    with pytest.raises(NotAsPrepared, match="another transaction"):
        world.desk.submitter.check(key, prepared, other)


def test_another_keys_signature_is_not_taken(world: World) -> None:
    prepared = funded(world).prepare("ETH", 10**17)
    raw = world.sign(prepared)
    with world.database.read() as tx:
        key = find_key(tx, prepared.key_id)
    stranger = replace(key, target=b"\x11" * 20)
    with pytest.raises(NotAsPrepared, match="another key"):
        world.desk.submitter.check(stranger, prepared, raw)


@pytest.mark.parametrize("before", S)
@pytest.mark.parametrize("after", S)
def test_the_machine_has_only_its_arrows(before: S, after: S) -> None:
    if after in ARROWS[before]:
        check_arrow(before, after)
        return
    with pytest.raises(Exception, match="the machine has not"):
        check_arrow(before, after)


def test_a_deleted_key_pays_nothing_more(world: World) -> None:
    funded(world)
    key_id = world.keys[BTC].kid
    world.clock.time_s += STEP_S
    step = world.desk.keys.check_code(key_id, code_at(TOTP_SECRET, world.clock.now_s() // STEP_S))
    with world.database.write() as tx:
        world.desk.keys.delete(tx, key_id, step)
    with pytest.raises(WalletError) as caught:
        world.prepare("BTC", 60_000)
    assert caught.value.code == "hosted_key.not_found"
