"""Hosted keys over the real API: only ciphertext goes in, and it leaves after a second factor."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
import structlog
from sqlalchemy import select, text

from chains.types import BlockRef, BlockScan, Evidence, Inflow
from chains.utxo.psbt import Psbt, Sighasher
from chains.utxo.psbt_roles import add_signatures, finalize
from chains.utxo.transactions import parse
from signer import secp
from signer.hosted import (
    DeviceMemory,
    HostedKey,
    KdfCost,
    OpenedHostedKey,
    address_of,
    hosted_network,
    open_key,
    prove,
)
from signer.protocol import InputSignature, dump
from tests import hosted_world
from tests.hosted_world import Hands, funding, script_of
from tests.integration.api.conftest import NETWORK, PAYEE, START_S, World
from wallet.client import ApiError, Client, NoAnswer
from wallet.client.hosted import HostedKeyCalls
from wallet.device import Declined, HostedKeyDevice, NewKey, ServiceLied, SubmitUnknown
from wallet.events import read_events
from wallet.hosted_keys import coins
from wallet.hosted_keys.errors import SecondFactorUsed
from wallet.hosted_keys.second_factor import ATTEMPTS, LOCK_S
from wallet.hosted_keys.totp import STEP_S, code_at
from wallet.store.schema import hosted_keys, metadata

COST = KdfCost(lanes=1)
PASSWORD = b"a payment password nobody guesses"


@dataclass
class Bench:
    """One user's device beside the running API."""

    world: World
    client: Client
    hands: Hands
    device: HostedKeyDevice
    memory: DeviceMemory
    account_id: str

    def make(self) -> NewKey:
        made = self.device.make(self.account_id, NETWORK)
        self.later()
        return made

    def later(self, seconds: int = STEP_S) -> None:
        """The next code."""
        self.world.clock.time_s += seconds

    def fund(self, key: NewKey, *amounts: int) -> None:
        """Coins at the key's address, as a scan finds them."""
        paid = funding(script_of(key.address), *amounts)
        block = BlockRef(height=7, hash="77" * 32, parent="66" * 32, time_s=START_S)
        inflows = tuple(
            Inflow(
                txid=paid.txid,
                position=f"out:{vout}",
                asset="BTC",
                target=output.script,
                units=output.sats,
                evidence=Evidence.OUTPUT,
                raw_tx=paid.serialize(),
            )
            for vout, output in enumerate(paid.outputs)
        )
        with self.world.services.db.write() as tx:
            coins.record_scan(tx, NETWORK, BlockScan(ref=block, inflows=inflows, spends=()))

    def pay(self, key: NewKey, units: int = 60_000) -> str:
        paid = self.device.pay(key.id, asset="BTC", address=PAYEE, units=units)
        self.later()
        return paid.id

    def wrong_code(self) -> str:
        good = {
            code_at(self.hands.totp_secret, self.world.clock.time_s // STEP_S + drift)
            for drift in (-1, 0, 1)
        }
        return next(code for n in range(9) if (code := str(n) * 6) not in good)

    def events(self) -> list[str]:
        with self.world.services.db.read() as tx:
            return [event.type for event in read_events(tx, 0, 1000)]


@pytest.fixture
def bench(world: World, tmp_path: Path) -> Bench:
    client = world.client()
    hands = Hands(world.clock.now_s, PASSWORD)
    memory = DeviceMemory(tmp_path / "device" / "memory.json")
    device = HostedKeyDevice(client, memory, hands, world.clock, os.urandom, cost=COST)
    return Bench(world, client, hands, device, memory, client.create_account("user-1").id)


def refused(ask: Callable[[], object]) -> str:
    with pytest.raises(ApiError) as caught:
        ask()
    return caught.value.code


def another_device(bench: Bench, folder: Path) -> HostedKeyDevice:
    memory = DeviceMemory(folder / "second.json")
    return HostedKeyDevice(
        bench.client, memory, bench.hands, bench.world.clock, os.urandom, cost=COST
    )


def opened(bench: Bench, key: NewKey) -> tuple[OpenedHostedKey, HostedKey]:
    blob = bench.device.export(key.id)
    bench.later()
    known = bench.memory.key(key.id)
    assert known is not None
    return open_key(blob, bench.hands.typed, known), known


def test_a_key_made_here_is_stored_there_as_ciphertext(bench: Bench) -> None:
    made = bench.make()
    info = bench.client.hosted.key(made.id)
    assert (info.address, info.version, info.account_id) == (made.address, 1, bench.account_id)
    assert [each.id for each in bench.client.hosted.list_keys(network=NETWORK).data] == [made.id]
    assert bench.events()[-1] == "hosted_key.created"


def test_pay_shows_first_and_asks_for_code_and_password_after_a_yes(bench: Bench) -> None:
    made = bench.make()
    bench.fund(made, 100_000, 50_000)
    bench.hands.asked.clear()
    payment_id = bench.pay(made)
    paid = bench.client.hosted.payment(made.id, payment_id)
    assert bench.hands.asked == ["agrees", "code", "password"]
    assert any(PAYEE in line for line in bench.hands.shown)
    assert paid.status == "submitted"
    (raw,) = bench.world.chain.sent
    assert parse(raw).txid == paid.txid
    assert Psbt.parse(bytes.fromhex(paid.unsigned)).fee_sats() == paid.fee_units


def test_a_no_signs_and_fetches_nothing(bench: Bench) -> None:
    made = bench.make()
    bench.fund(made, 100_000)
    bench.hands.says_yes = False
    with pytest.raises(Declined):
        bench.pay(made)
    assert bench.world.chain.sent == []
    assert "hosted_key.fetched" not in bench.events()


def test_signed_bytes_are_stored_even_when_the_node_does_not_answer(bench: Bench) -> None:
    made = bench.make()
    bench.fund(made, 100_000)
    prepared = bench.client.hosted.prepare(made.id, asset="BTC", address=PAYEE, amount_units=60_000)
    assert prepared.status == "prepared"
    bench.world.chain.height = None
    bench.world.chain.feerate_units = lambda: 5_000  # type: ignore[method-assign]
    paid = bench.client.hosted.payment(made.id, bench.pay(made))
    assert (paid.status, paid.sub_status) == ("submitted", "unknown:node.unavailable")
    assert paid.txid is not None


def test_a_lost_answer_to_signed_bytes_is_asked_again_and_pays_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench.make()
    bench.fund(made, 100_000)
    calls = type(bench.client.hosted)
    submit, lost = calls.submit, [NoAnswer("the line broke", ""), NoAnswer("again", "")]

    def unreliable(self: HostedKeyCalls, key_id: str, payment_id: str, signed: bytes) -> object:
        answer = submit(self, key_id, payment_id, signed)
        if lost:
            raise lost.pop()
        return answer

    monkeypatch.setattr(calls, "submit", unreliable)
    bench.pay(made)
    assert len(bench.world.chain.sent) == 1
    lost += [NoAnswer("gone", "")] * 3
    bench.fund(made, 100_000, 90_000)
    with pytest.raises(SubmitUnknown, match="look at it before you pay again"):
        bench.pay(made)


def test_the_same_signed_bytes_are_one_payment(bench: Bench) -> None:
    made = bench.make()
    bench.fund(made, 100_000)
    payment_id = bench.pay(made)
    (raw,) = bench.world.chain.sent
    again = bench.client.hosted.submit(made.id, payment_id, raw)
    assert again.id == payment_id
    assert bench.world.chain.sent == [raw]


def test_coins_of_a_submitted_payment_are_not_offered_again(bench: Bench) -> None:
    made = bench.make()
    bench.fund(made, 100_000)
    bench.pay(made)
    assert refused(lambda: bench.pay(made)) == "hosted_payment.insufficient_funds"


def test_two_prepared_payments_of_one_coin_become_one(bench: Bench) -> None:
    made = bench.make()
    bench.fund(made, 100_000)
    other = bench.client.hosted.prepare(made.id, asset="BTC", address=PAYEE, amount_units=20_000)
    bench.pay(made)
    key, _ = opened(bench, made)
    raw = sign(key, other.unsigned)
    code = refused(lambda: bench.client.hosted.submit(made.id, other.id, raw))
    assert code == "hosted_payment.superseded"


def sign(key: OpenedHostedKey, unsigned: str) -> bytes:
    """Sign whatever the bytes are, as no device would."""
    payload = bytes.fromhex(unsigned)
    hasher = Sighasher(Psbt.parse(payload))
    signatures = [
        InputSignature(
            index=at,
            public_key=key.key.public_key,
            signature=secp.sign_low_r(key.secret, hasher.digest(at)) + b"\x01",
        )
        for at in range(len(Psbt.parse(payload).inputs))
    ]
    return finalize(add_signatures(payload, signatures))


def test_prepared_bytes_are_good_for_a_while_only(bench: Bench) -> None:
    made = bench.make()
    bench.fund(made, 100_000)
    old = bench.client.hosted.prepare(made.id, asset="BTC", address=PAYEE, amount_units=20_000)
    key, _ = opened(bench, made)
    bench.later(15 * 60)
    raw = sign(key, old.unsigned)
    code = refused(lambda: bench.client.hosted.submit(made.id, old.id, raw))
    assert code == "hosted_payment.expired"


def test_signed_bytes_must_be_the_prepared_transaction(bench: Bench) -> None:
    made = bench.make()
    bench.fund(made, 100_000)
    hosted = bench.client.hosted
    first = hosted.prepare(made.id, asset="BTC", address=PAYEE, amount_units=20_000)
    second = hosted.prepare(made.id, asset="BTC", address=PAYEE, amount_units=30_000)
    key, _ = opened(bench, made)
    good = sign(key, second.unsigned)
    unsigned = Psbt.parse(bytes.fromhex(first.unsigned)).tx.serialize()
    broken = sign(key, first.unsigned)
    broken = broken[:-60] + bytes([broken[-60] ^ 1]) + broken[-59:]
    for raw in (good, unsigned, broken, good + b"\x00", b"\x01"):
        code = refused(lambda raw=raw: hosted.submit(made.id, first.id, raw))  # type: ignore[misc]
        assert code == "hosted_payment.not_as_prepared"


def test_a_changed_password_opens_the_new_version_and_the_old_one_is_gone(bench: Bench) -> None:
    made = bench.make()
    bench.hands.next_password = b"another payment password"
    world = bench.world

    def next_code() -> str:
        bench.later()
        return code_at(bench.hands.totp_secret, world.clock.time_s // STEP_S)

    bench.hands.code = next_code  # type: ignore[method-assign]
    changed = bench.device.change_password(made.id)
    assert changed.version == 2
    assert bench.events()[-2:] == ["hosted_key.fetched", "hosted_key.replaced"]
    blob = bench.device.export(made.id)
    known = bench.memory.key(made.id)
    assert known is not None
    assert open_key(blob, b"another payment password", known).key.version == 2


@pytest.mark.parametrize("version", [1, 3])
def test_only_the_next_version_is_taken(bench: Bench, version: int) -> None:
    made = bench.make()
    key, known = opened(bench, made)
    wrong = HostedKey(
        kid=known.kid, network=known.network, public_key=known.public_key, version=version
    )
    ask = {
        "version": version,
        "blob": b"\x01" * 64,
        "proof": prove(key, wrong, b"\x01" * 64),
        "totp_code": bench.hands.code(),
    }
    code = refused(lambda: bench.client.hosted.replace(made.id, **ask))  # type: ignore[arg-type]
    assert code == ("request.invalid" if version == 1 else "hosted_key.version_stale")


def test_a_blob_that_the_key_did_not_sign_for_is_not_taken(bench: Bench) -> None:
    made = bench.make()
    key, known = opened(bench, made)
    proof = prove(key, known, b"\x01" * 64)

    def replace() -> object:
        return bench.client.hosted.replace(
            made.id, version=2, blob=b"\x01" * 64, proof=proof, totp_code=bench.hands.code()
        )

    assert refused(replace) == "hosted_key.proof_wrong"


def test_a_format_that_the_operator_did_not_allow_is_not_taken(bench: Bench) -> None:
    device = HostedKeyDevice(
        bench.client, bench.memory, bench.hands, bench.world.clock, os.urandom,
        cost=COST, blob_format="HK0",
    )  # fmt: skip

    assert refused(lambda: device.make(bench.account_id, NETWORK)) == "hosted_key.format"


def test_bytes_that_are_no_key_file_are_not_taken(bench: Bench) -> None:
    made = bench.make()
    key, known = opened(bench, made)
    blob = b"\x01" * 64
    proof = prove(key, replace(known, version=2), blob)

    def put() -> object:
        return bench.client.hosted.replace(
            made.id, version=2, blob=blob, proof=proof, totp_code=bench.hands.code()
        )

    assert refused(put) == "hosted_key.format"


def test_an_old_blob_put_back_is_refused_by_the_device(bench: Bench) -> None:
    made = bench.make()
    known = bench.memory.key(made.id)
    assert known is not None
    bench.memory.see_key(
        HostedKey(kid=known.kid, network=known.network, public_key=known.public_key, version=2)
    )
    for answer in (lambda: bench.device.key(made.id), lambda: bench.device.export(made.id)):
        with pytest.raises(Exception, match="old blob") as caught:
            answer()
        assert getattr(caught.value, "code", "") == "hosted.rolled_back"


def test_an_old_blob_under_a_new_number_is_refused_by_the_device(bench: Bench) -> None:
    made = bench.make()
    with bench.world.services.db.write() as tx:
        tx.execute(hosted_keys.update().values(version=2))
    with pytest.raises(ServiceLied):
        bench.device.export(made.id)


def test_another_key_in_the_place_of_ours_is_refused_by_the_device(bench: Bench) -> None:
    made, other = bench.make(), bench.make()
    with bench.world.services.db.write() as tx:
        theirs = tx.execute(
            select(hosted_keys.c.public_key, hosted_keys.c.address).where(
                hosted_keys.c.id == other.id
            )
        ).one()
        tx.execute(
            hosted_keys.update()
            .where(hosted_keys.c.id == made.id)
            .values(public_key=theirs.public_key, address=theirs.address)
        )
    with pytest.raises(Exception, match="another key") as caught:
        bench.device.key(made.id)
    assert getattr(caught.value, "code", "") == "hosted.blob_foreign"


def test_an_address_that_is_not_the_keys_is_refused_by_the_device(bench: Bench) -> None:
    made, other = bench.make(), bench.make()
    with bench.world.services.db.write() as tx:
        tx.execute(hosted_keys.update().values(address=other.address))
    with pytest.raises(ServiceLied, match="the public key's own"):
        bench.device.key(made.id)


def test_a_new_device_learns_the_key_by_opening_it(bench: Bench, tmp_path: Path) -> None:
    made = bench.make()
    second = another_device(bench, tmp_path)
    assert second.known(made.id) is None
    second.export(made.id)
    assert second.known(made.id) == bench.memory.key(made.id)


def test_a_deleted_key_is_gone_with_its_ciphertext(bench: Bench) -> None:
    made = bench.make()
    blob = bench.device.export(made.id)
    bench.later()
    bench.device.delete(made.id)
    assert refused(lambda: bench.client.hosted.key(made.id)) == "hosted_key.not_found"
    with bench.world.services.db.read() as tx:
        stored = tx.execute(select(hosted_keys.c.blob, hosted_keys.c.totp_box)).one()
    assert [bytes(each) for each in stored] == [b"", b""]
    assert blob
    assert bench.events()[-1] == "hosted_key.deleted"


def test_a_key_that_the_service_lost_shows_as_gone(bench: Bench) -> None:
    made = bench.make()
    bench.client.hosted.delete(made.id, bench.hands.code())
    ((known, info),) = bench.device.known_keys()
    assert (known.kid, info) == (made.id, None)


def test_a_code_is_good_once(bench: Bench) -> None:
    made = bench.make()
    code = bench.hands.code()
    bench.client.hosted.fetch(made.id, code)
    assert refused(lambda: bench.client.hosted.fetch(made.id, code)) == "second_factor.used"


def test_the_code_of_enrolment_is_used_up(bench: Bench) -> None:
    made = bench.device.make(bench.account_id, NETWORK)
    code = bench.hands.code()
    assert refused(lambda: bench.client.hosted.fetch(made.id, code)) == "second_factor.used"


def test_a_fetch_is_never_replayed(bench: Bench) -> None:
    made = bench.make()
    transport, body = bench.client.transport, {"totp_code": bench.hands.code()}
    path = f"/v1/hosted-keys/{made.id}/fetch"
    transport.post(path, body, "one-idempotency-key")
    code = refused(lambda: transport.post(path, body, "one-idempotency-key"))
    assert code == "second_factor.used"


def test_a_repeated_delete_is_answered_again_without_another_code(bench: Bench) -> None:
    made = bench.make()
    code = bench.hands.code()
    hosted = bench.client.hosted
    first = hosted.delete(made.id, code, idempotency_key="one-idempotency-key")
    assert hosted.delete(made.id, code, idempotency_key="one-idempotency-key") == first


def test_wrong_codes_lock_the_key_and_each_further_one_longer(bench: Bench) -> None:
    made = bench.make()
    hosted = bench.client.hosted
    for _ in range(ATTEMPTS):
        code = refused(lambda: hosted.fetch(made.id, bench.wrong_code()))
        assert code == "second_factor.wrong"
    assert bench.events().count("hosted_key.locked") == 1
    for ask in (hosted.fetch, hosted.delete):
        with pytest.raises(ApiError) as caught:
            ask(made.id, bench.hands.code())
        assert (caught.value.status, caught.value.code) == (429, "second_factor.locked")
        assert caught.value.details["retry_after_s"] == LOCK_S
    bench.later(LOCK_S)
    assert refused(lambda: hosted.fetch(made.id, bench.wrong_code())) == "second_factor.wrong"
    assert hosted.key(made.id).locked_until_s == bench.world.clock.time_s + 2 * LOCK_S


def test_codes_used_again_lock_the_key_too(bench: Bench) -> None:
    made = bench.make()
    code = bench.hands.code()
    bench.client.hosted.fetch(made.id, code)
    for _ in range(ATTEMPTS):
        assert refused(lambda: bench.client.hosted.fetch(made.id, code)) == "second_factor.used"
    assert bench.events()[-1] == "hosted_key.locked"


def test_of_two_requests_with_one_code_at_once_one_gets_the_blob(bench: Bench) -> None:
    made = bench.make()
    keys, code = bench.world.services.hosted.keys, bench.hands.code()
    steps = [keys.check_code(made.id, code) for _ in range(2)]
    with bench.world.services.db.write() as tx:
        keys.fetch(tx, made.id, steps[0])
    with (
        pytest.raises(SecondFactorUsed),
        bench.world.services.db.write() as tx,
    ):
        keys.fetch(tx, made.id, steps[1])


def test_a_good_code_gives_all_attempts_back(bench: Bench) -> None:
    made = bench.make()
    hosted = bench.client.hosted
    for _ in range(3):
        for _ in range(ATTEMPTS - 1):
            refused(lambda: hosted.fetch(made.id, bench.wrong_code()))
        hosted.fetch(made.id, bench.hands.code())
        bench.later()
    assert "hosted_key.locked" not in bench.events()


def test_an_attempt_is_charged_before_the_code_is_looked_at(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the two, the attempt is gone: a crash is no free guess."""
    made = bench.make()

    class Killed(BaseException):
        pass

    def die(name: str) -> None:
        raise Killed(name)

    context = bench.world.services.hosted.context
    dying = type(bench.world.services.hosted)(
        type(context)(
            **{name: getattr(context, name) for name in context.__slots__} | {"milestone": die}
        )
    )
    with pytest.raises(Killed):
        dying.keys.check_code(made.id, bench.hands.code())
    with bench.world.services.db.read() as tx:
        assert tx.execute(select(hosted_keys.c.failures)).scalar_one() == 1


def test_a_key_needs_its_own_address_proof_and_code(bench: Bench) -> None:
    made = bench.make()
    key, known = opened(bench, made)
    fresh = HostedKey(
        kid="3f6d1a52-7a0b-4a54-9d2e-0d6f2f6a9c11",
        network=NETWORK,
        public_key=hosted_world.PUBLIC_KEY,
        version=1,
    )
    blob = dump({"format": "HK1", "rest": bytes(48)})
    proof = prove(OpenedHostedKey(fresh, hosted_world.SECRET), fresh, blob)
    good: dict[str, object] = {
        "key_id": fresh.kid,
        "account_id": bench.account_id,
        "network": NETWORK,
        "public_key": fresh.public_key,
        "address": address_of(hosted_network(NETWORK), hosted_world.PUBLIC_KEY),
        "blob": blob,
        "proof": proof,
        "totp_secret": b"\x05" * 20,
        "totp_code": code_at(b"\x05" * 20, bench.world.clock.time_s // STEP_S),
    }
    wrong: dict[str, dict[str, object]] = {
        "hosted_key.address_mismatch": {"address": made.address},
        "hosted_key.proof_wrong": {"proof": prove(key, known, blob)},
        "second_factor.wrong": {"totp_code": "000000"},
        "hosted_key.exists": {"key_id": made.id},
        "account.not_found": {"account_id": fresh.kid},
        "network.unknown": {"network": "bitcoin"},
    }
    for expected, change in wrong.items():
        ask = good | change
        if expected == "hosted_key.exists":
            renamed = HostedKey(
                kid=made.id, network=NETWORK, public_key=fresh.public_key, version=1
            )
            ask["proof"] = prove(OpenedHostedKey(renamed, hosted_world.SECRET), renamed, blob)
        assert refused(lambda ask=ask: bench.client.hosted.create(**ask)) == expected  # type: ignore[misc]
    bench.client.hosted.create(**good)  # type: ignore[arg-type]


def test_a_key_without_the_scope_gets_nothing(bench: Bench) -> None:
    made = bench.make()
    stranger = bench.world.client(scopes=("withdrawals:write", "hosted_keys:read"))
    code = refused(lambda: stranger.hosted.fetch(made.id, bench.hands.code()))
    assert code == "auth.scope_missing"


def test_neither_database_log_nor_traffic_ever_holds_key_or_password(
    bench: Bench, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    traffic: list[bytes] = []

    def record_request(request: httpx.Request) -> None:
        traffic.append(repr(request.headers.raw).encode() + request.read())

    def record_response(response: httpx.Response) -> None:
        traffic.append(repr(response.headers.raw).encode() + response.read())

    http = bench.client._http
    http.event_hooks = {"request": [record_request], "response": [record_response]}
    drawn: list[bytes] = []
    secrets = bench.device._random

    def watched(size: int) -> bytes:
        drawn.append(secrets(size))
        return drawn[-1]

    bench.device._random = watched
    with structlog.testing.capture_logs() as logs:
        made = bench.make()
        bench.fund(made, 100_000)
        bench.pay(made)
        bench.hands.typed = b"not the password at all"
        with pytest.raises(Exception, match="wrong passphrase"):
            bench.device.export(made.id)
        bench.hands.typed = PASSWORD
        bench.later()
        key, _ = opened(bench, made)
    seeds = [one for one in drawn if len(one) in (32, 64)]
    assert len(seeds) >= 3, "the generator's draws and the data key were seen"
    hidden = [key.secret, PASSWORD, b"not the password at all", *seeds]
    forms = [form for each in hidden for form in (each, each.hex().encode(), repr(each).encode())]
    shown = b"".join(traffic) + json.dumps(logs, default=str).encode()
    captured = capfd.readouterr()
    shown += captured.out.encode() + captured.err.encode() + "".join(bench.hands.shown).encode()
    for path in tmp_path.rglob("*"):
        shown += path.read_bytes() if path.is_file() else b""
    shown += rows(bench.world)
    assert made.address.encode() in shown
    assert [form for form in forms if form in shown] == []


def rows(world: World) -> bytes:
    """Every value of every table, bytes as they are and as hex."""
    found: list[bytes] = []
    with world.services.db.read() as tx:
        for table in metadata.sorted_tables:
            for row in tx.execute(text(f"SELECT * FROM {table.name}")):
                for value in row:
                    raw = bytes(value) if isinstance(value, bytes | memoryview) else b""
                    found += [raw, str(value).encode()]
    return b"\n".join(found)
