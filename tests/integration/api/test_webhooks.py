"""Webhooks: signed, at least once, retried on the schedule, never into our own network."""

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import standardwebhooks
from sqlalchemy import select

from tests.integration.api.conftest import World
from wallet.client import ApiError
from wallet.client.types import Webhook
from wallet.events import append_event
from wallet.store.schema import webhook_deliveries, webhooks
from wallet.webhooks.outbox import LEASE_S, RETRY_S, Outbox, claim_next
from wallet.webhooks.sending import DeliveryFailed, HttpSender
from wallet.webhooks.targets import Target

URL = "https://exchange.example/hook"


@dataclass
class Receiver:
    """Records what it is sent; answers as told."""

    status: int = 200
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    def __call__(self, target: Target, body: bytes, headers: Mapping[str, str]) -> int:
        self.targets.append(target)
        self.bodies.append(body)
        self.headers.append(dict(headers))
        if self.status == 0:
            raise DeliveryFailed("the line is dead")
        return self.status


def outbox_of(world: World, receiver: Receiver) -> Outbox:
    return Outbox(
        db=world.services.db,
        clock=world.clock,
        send=receiver,
        resolver=world.services.resolver,
        private_allowed=False,
        service_key=world.services.service_key,
    )


def happen(world: World, count: int, event_type: str = "deposit.seen") -> None:
    with world.services.db.write() as tx:
        for number in range(count):
            append_event(tx, event_type, f"subject-{number}", {"n": number}, world.clock.now_s())


def seqs(receiver: Receiver) -> list[int]:
    return [json.loads(body)["seq"] for body in receiver.bodies]


def register(world: World, *types: str) -> Webhook:
    return world.client().create_webhook(URL, types)


def test_events_from_now_on_are_delivered_once_in_order(world: World) -> None:
    happen(world, 3)
    register(world)
    receiver = Receiver()
    outbox = outbox_of(world, receiver)
    assert outbox.step() == 0
    happen(world, 60)
    assert outbox.step() + outbox.step() == 60
    assert outbox.step() == 0
    assert seqs(receiver) == list(range(4, 64))


def test_a_receiver_can_check_the_signature_with_the_open_library(world: World) -> None:
    hook = register(world)
    happen(world, 1)
    receiver = Receiver()
    outbox_of(world, receiver).step()
    secret = world.client().webhook_secret(hook.id)
    headers, body = receiver.headers[0], receiver.bodies[0]
    signed_at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), tz=UTC)
    expected = standardwebhooks.Webhook(secret.secret).sign(
        headers["webhook-id"], signed_at, body.decode()
    )
    assert headers["webhook-signature"] == expected
    assert headers["webhook-id"] == "evt_1"
    assert secret.secret not in repr(secret)
    content = json.loads(body)
    assert (content["type"], content["data"]) == ("deposit.seen", {"n": 0})


def test_secrets_are_not_stored_in_the_clear(world: World) -> None:
    hook = register(world)
    secret = world.client().webhook_secret(hook.id).secret
    with world.services.db.read() as tx:
        box = tx.execute(select(webhooks.c.secret_box)).scalar_one()
    assert standardwebhooks.Webhook(secret)._whsecret not in bytes(box)


def test_only_wanted_types_are_sent(world: World) -> None:
    register(world, "withdrawal.*", "deposit.credited")
    for event_type in ["deposit.seen", "deposit.credited", "withdrawal.queued", "account.opened"]:
        happen(world, 1, event_type)
    receiver = Receiver()
    outbox_of(world, receiver).step()
    assert seqs(receiver) == [2, 3]


@pytest.mark.parametrize("status", [500, 404, 302, 0])
def test_a_failed_delivery_is_tried_again_on_the_schedule_and_then_given_up(
    world: World, status: int
) -> None:
    hook = register(world, "deposit.*")
    happen(world, 1)
    receiver = Receiver(status=status)
    outbox = outbox_of(world, receiver)
    for pause_s in RETRY_S:
        assert outbox.step() == 0
        world.clock.time_s += pause_s - 1
        tried = len(receiver.bodies)
        outbox.step()
        assert len(receiver.bodies) == tried
        world.clock.time_s += 1
    outbox.step()
    world.clock.time_s += 10**6
    outbox.step()
    assert len(receiver.bodies) == len(RETRY_S) + 1
    assert len(set(receiver.bodies)) == 1
    (delivery,) = world.client().webhook_deliveries(hook.id).data
    assert (delivery.status, delivery.attempts) == ("failed", len(RETRY_S) + 1)


def test_a_receiver_that_comes_back_gets_what_it_missed(world: World) -> None:
    hook = register(world)
    happen(world, 3)
    receiver = Receiver(status=503)
    outbox = outbox_of(world, receiver)
    outbox.step()
    receiver.status = 200
    world.clock.time_s += RETRY_S[0]
    outbox.step()
    assert set(seqs(receiver)) == {1, 2, 3}
    found = world.client().webhook_deliveries(hook.id).data
    assert {delivery.status for delivery in found} == {"delivered"}
    assert [delivery.seq for delivery in found] == [3, 2, 1]


def test_gone_pauses_a_webhook_until_it_is_resumed(world: World) -> None:
    hook = register(world)
    happen(world, 1)
    receiver = Receiver(status=410)
    outbox = outbox_of(world, receiver)
    outbox.step()
    client = world.client()
    assert client.webhook(hook.id).status == "paused"
    happen(world, 1)
    world.clock.time_s += 10**6
    receiver.status = 200
    outbox.step()
    assert len(receiver.bodies) == 1
    client.resume_webhook(hook.id)
    outbox.step()
    assert set(seqs(receiver)) == {1, 2, 3}
    told = [json.loads(body) for body in receiver.bodies]
    assert [event["seq"] for event in told if event["type"] == "alert.webhook_muted"] == [2]


def give_up(world: World, receiver: Receiver) -> Outbox:
    outbox = outbox_of(world, receiver)
    for pause_s in (0, *RETRY_S):
        world.clock.time_s += pause_s
        outbox.step()
    return outbox


def test_what_was_given_up_is_told_and_sent_again_when_asked(world: World) -> None:
    hook = register(world, "deposit.*")
    happen(world, 2)
    receiver = Receiver(status=500)
    outbox = give_up(world, receiver)
    client = world.client()
    assert {d.status for d in client.webhook_deliveries(hook.id).data} >= {"failed"}
    assert "alert.webhook_given_up" in [event.type for event in client.events().data]

    receiver.status = 200
    receiver.bodies.clear()
    world.clock.time_s += 10**6
    outbox.step()
    client.resend_webhook(hook.id)
    outbox.step()
    assert set(seqs(receiver)) == {1, 2}
    assert {d.status for d in client.webhook_deliveries(hook.id).data} == {"delivered"}


def test_an_alert_that_cannot_be_delivered_makes_no_other(world: World) -> None:
    register(world, "alert.*")
    happen(world, 1, "alert.webhook_muted")
    give_up(world, Receiver(status=500))

    assert [event.type for event in world.client().events().data] == ["alert.webhook_muted"]


def test_a_deleted_webhook_gets_nothing(world: World) -> None:
    hook = register(world)
    happen(world, 1)
    client = world.client()
    assert client.delete_webhook(hook.id).status == "deleted"
    receiver = Receiver()
    outbox_of(world, receiver).step()
    assert receiver.bodies == []
    assert client.list_webhooks() == ()
    with pytest.raises(ApiError) as refused:
        client.resume_webhook(hook.id)
    assert refused.value.code == "webhook.not_found"


def test_what_a_dead_worker_held_is_sent_by_the_next_one(world: World) -> None:
    hook = register(world)
    happen(world, 1)
    receiver = Receiver()
    outbox = outbox_of(world, Receiver(status=500))
    outbox.step()
    world.clock.time_s += RETRY_S[0]
    assert claim_next(world.services.db, hook.id, world.clock.now_s()) is not None  # then it dies
    outbox = outbox_of(world, receiver)
    assert outbox.step() == 0
    world.clock.time_s += LEASE_S
    assert outbox.step() == 1


def test_a_worker_killed_after_queueing_loses_and_repeats_nothing(world: World) -> None:
    register(world)
    happen(world, 2)
    receiver = Receiver()
    first = outbox_of(world, receiver)
    first.step()
    with world.services.db.read() as tx:
        rows = tx.execute(select(webhook_deliveries)).all()
    assert len(rows) == 2
    outbox_of(world, receiver).step()
    assert seqs(receiver) == [1, 2]


@pytest.mark.parametrize(
    ("url", "addresses", "code"),
    [
        ("http://exchange.example/", ["93.184.216.34"], "webhook.target_not_https"),
        ("https://exchange.example/", ["10.0.0.7"], "webhook.target_private"),
        ("https://exchange.example/", ["93.184.216.34", "127.0.0.1"], "webhook.target_private"),
        ("https://exchange.example/", ["169.254.169.254"], "webhook.target_private"),
        ("https://exchange.example/", ["::1"], "webhook.target_private"),
        ("https://exchange.example/", ["::ffff:10.0.0.1"], "webhook.target_private"),
        ("https://exchange.example/", ["64:ff9b::a00:1"], "webhook.target_private"),
        ("https://exchange.example/", ["2002:a00:1::1"], "webhook.target_private"),
        ("https://exchange.example/", ["100.64.0.1"], "webhook.target_private"),
        ("https://exchange.example/", ["224.0.0.1"], "webhook.target_private"),
        ("https://exchange.example/", ["0.0.0.0"], "webhook.target_private"),
        ("https://exchange.example/", [], "webhook.target_unresolved"),
        ("https://user:secret@exchange.example/", ["93.184.216.34"], "webhook.target_refused"),
        ("https://exchange.example:99999/", ["93.184.216.34"], "webhook.target_refused"),
        ("https:///path", ["93.184.216.34"], "webhook.target_refused"),
    ],
)
def test_webhooks_never_go_into_our_own_network(
    world: World, url: str, addresses: list[str], code: str
) -> None:
    world.resolves_to = addresses
    with pytest.raises(ApiError) as refused:
        world.client().create_webhook(url)
    assert (refused.value.status, refused.value.code) == (422, code)
    assert world.client().list_webhooks() == ()


def test_a_name_that_turns_inward_later_is_refused_at_delivery(world: World) -> None:
    hook = register(world)
    happen(world, 1)
    world.resolves_to = ["192.168.0.1"]
    receiver = Receiver()
    outbox_of(world, receiver).step()
    assert receiver.bodies == []
    (delivery,) = world.client().webhook_deliveries(hook.id).data
    assert delivery.last_result.startswith("webhook.target_private")


def test_the_connection_goes_to_the_checked_address(world: World) -> None:
    register(world)
    happen(world, 1)
    receiver = Receiver()
    outbox_of(world, receiver).step()
    (target,) = receiver.targets
    assert target.pinned_url == "https://93.184.216.34:443/hook"
    assert target.host_header == "exchange.example"


@pytest.fixture
def http_server() -> Iterator[tuple[int, list[dict[str, str]]]]:
    """A receiver on a real port."""
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            seen.append({k.lower(): v for k, v in self.headers.items()} | {"body": body.decode()})
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on the test's screen."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1], seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_sender_posts_with_the_name_as_host(
    http_server: tuple[int, list[dict[str, str]]],
) -> None:
    port, seen = http_server
    sender = HttpSender()
    target = Target(
        scheme="http", host="exchange.example", port=port, path="/x?y=1", address="127.0.0.1"
    )
    assert sender(target, b"{}", {"webhook-id": "evt_1"}) == 204
    assert seen[0]["host"] == f"exchange.example:{port}"
    assert (seen[0]["webhook-id"], seen[0]["body"]) == ("evt_1", "{}")
    dead = Target(scheme="http", host="x.example", port=1, path="/", address="127.0.0.1")
    with pytest.raises(DeliveryFailed):
        sender(dead, b"{}", {})
    sender.close()
