"""Durable transfers through `POST /v1/settlements`, by the clock on the wall: the whole way.

A client signs and sends bodies made before, over loopback, to `glaytos-wallet serve` in a process
of its own, on PostgreSQL with fsync on and 100,000 accounts; several calls are in flight. The peer
gives the same transfers to the ledger's writer, in this process, as many batches in flight.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from random import Random  # noqa: TID251 - the same trades in every run
from threading import local
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from sqlalchemy import insert

from tests.bench.postgres import postgres_url, run
from tests.bench.served import service
from tests.bench.timing import BenchRow
from wallet.api.tokens import Claims, body_hash, issue_token
from wallet.bootstrap import random_bytes
from wallet.client import Credentials
from wallet.clock import SystemClock
from wallet.ledger import chart
from wallet.ledger.posting import post_batch, single
from wallet.ledger.writer import LedgerWriter
from wallet.settlements.mapping import Refused, transfers_of
from wallet.settlements.wire import JSON, MSGPACK, SettlementOrder, TransferOrder
from wallet.store.database import Database
from wallet.store.tables.accounts import accounts

PATH = "/v1/settlements"
ASSET = "BTC"
FUNDS = 10**15
ACCOUNTS = [str(UUID(int=n << 80 | 7 << 76 | 2 << 62)) for n in range(100_000)]
NOTHING = Refused(accounts=(), assets=(), holds=())
FUNDS_AT_S = 1_800_000_000
TOKEN_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """So many calls of so many transfers each, some of them at a time."""

    transfers: int
    calls: int
    at_once: int

    @property
    def name(self) -> str:
        """For a row."""
        return f"{self.transfers:,} a call, {self.at_once} at once"


LARGE = Load(transfers=50_000, calls=8, at_once=4)
MIDDLE = Load(transfers=1_000, calls=200, at_once=16)
SINGLE = Load(transfers=1, calls=600, at_once=32)


class Orders:
    """Settlements between accounts drawn evenly, with ids that grow."""

    def __init__(self) -> None:
        self._random = Random(7)
        self._next = 1

    def of(self, load: Load) -> Sequence[SettlementOrder]:
        """The orders of a load."""
        return [self._order(load.transfers) for _ in range(load.calls)]

    def every_account(self) -> SettlementOrder:
        """One that names each account, so that whoever gets it has seen them all."""
        pairs = zip(ACCOUNTS[::2], ACCOUNTS[1::2], strict=True)
        return self._settlement([self._transfer(debit, credit) for debit, credit in pairs])

    def _order(self, transfers: int) -> SettlementOrder:
        return self._settlement(
            [self._transfer(*self._random.sample(ACCOUNTS, 2)) for _ in range(transfers)]
        )

    def _settlement(self, transfers: list[TransferOrder]) -> SettlementOrder:
        return SettlementOrder(
            external_id=f"bench-{self._next}", mode="best_effort", transfers=transfers
        )

    def _transfer(self, debit: str, credit: str) -> TransferOrder:
        text = f"{self._next:012x}"
        self._next += 1
        return TransferOrder(
            id=f"{text[:8]}-{text[8:]}-7000-8000-000000000000",
            debit_account_id=debit,
            credit_account_id=credit,
            asset=ASSET,
            units=str(self._random.randrange(1, 1000)),
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """Nanoseconds a transfer over all calls, and what each call took."""

    ns: int
    took_ns: Sequence[int]

    def note(self) -> str:
        """Throughput, and half and 99 of 100 calls."""
        cuts = statistics.quantiles(self.took_ns, n=100, method="inclusive")
        return (
            f"{10**9 // self.ns:,} transfers/s; a call p50 {cuts[49] / 1e6:,.1f} ms, "
            f"p99 {cuts[98] / 1e6:,.1f} ms"
        )


def rows() -> list[BenchRow]:
    """Large, middle and single calls in MessagePack, the first two in JSON as well."""
    orders = Orders()
    with _funded() as (database, url), tempfile.TemporaryDirectory(prefix="glaytos-") as folder:
        loads = (LARGE, MIDDLE, SINGLE)
        engine = {load.name: _in_process(database, orders, load) for load in loads}
        with service(database, url, Path(folder), ASSET) as credentials:
            client = _Client(credentials)
            client.sending([orders.every_account()], MSGPACK)(0)
            measured = [
                (media_type, load, _measured(load, client.sending(orders.of(load), media_type)))
                for media_type, load in (
                    (MSGPACK, LARGE),
                    (JSON, LARGE),
                    (MSGPACK, MIDDLE),
                    (JSON, MIDDLE),
                    (MSGPACK, SINGLE),
                )
            ]
    return [
        BenchRow(
            work=f"transfer over HTTP, {media_type.removeprefix('application/')}, {load.name}",
            ours=found.ns,
            peer="the ledger's writer in process",
            theirs=engine[load.name].ns,
            note=f"{found.note()}; in process {engine[load.name].note()}",
        )
        for media_type, load, found in measured
    ]


@contextmanager
def _funded() -> Iterator[tuple[Database, str]]:
    with postgres_url() as url:
        database = Database.open(url)
        database.migrate()
        with database.write() as tx:
            rows = [{"id": id, "external_id": id, "created_s": FUNDS_AT_S} for id in ACCOUNTS]
            tx.execute(insert(accounts), rows)
            funds = [single(chart.HOUSE, chart.user(id), ASSET, FUNDS) for id in ACCOUNTS]
            post_batch(tx, "funds", funds, FUNDS_AT_S)
        run(url, "VACUUM ANALYZE")
        yield database, url
        database.close()


def _in_process(database: Database, orders: Orders, load: Load) -> Measured:
    given = [(o.external_id, transfers_of(o, NOTHING)) for o in orders.of(load)]
    writer = LedgerWriter(database, SystemClock())
    writer.post("every:" + load.name, transfers_of(orders.every_account(), NOTHING))

    def sent(number: int) -> Sequence[str]:
        return writer.post(*given[number]).results

    try:
        return _measured(load, sent)
    finally:
        writer.close()


def _measured(load: Load, send: Callable[[int], Sequence[str]]) -> Measured:
    """Do all calls of a load; `send` does the one of a number and returns its results."""

    def timed(number: int) -> int:
        start_ns = time.perf_counter_ns()
        results = send(number)
        took_ns = time.perf_counter_ns() - start_ns
        if set(results) != {"ok"}:
            raise AssertionError(set(results))
        return took_ns

    with ThreadPoolExecutor(load.at_once) as pool:
        start_ns = time.perf_counter_ns()
        took_ns = list(pool.map(timed, range(load.calls)))
        whole_ns = time.perf_counter_ns() - start_ns
    return Measured(whole_ns // (load.calls * load.transfers), took_ns)


class _Client:
    """Signed calls, a connection kept open for each thread."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._host = urlsplit(credentials.url).netloc
        self._mine = local()

    def sending(
        self, given: Sequence[SettlementOrder], media_type: str
    ) -> Callable[[int], Sequence[str]]:
        """What sends the settlement of a number, encoded now, and gives its results."""
        encode = msgspec.msgpack.encode if media_type == MSGPACK else msgspec.json.encode
        bodies = [encode(order) for order in given]
        return lambda number: self._settle(bodies[number], media_type)

    def _settle(self, body: bytes, media_type: str) -> Sequence[str]:
        """Raises AssertionError for a refusal."""
        if not hasattr(self._mine, "http"):
            self._mine.http = HTTPConnection(self._host, timeout=600)
        http: HTTPConnection = self._mine.http
        headers = {"Authorization": f"Bearer {self._token(body)}", "Content-Type": media_type}
        http.request("POST", PATH, body, headers)
        answer = http.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise AssertionError(content[:500])
        decode: Any = msgspec.msgpack.decode if media_type == MSGPACK else msgspec.json.decode
        results: Sequence[str] = decode(content)["results"]
        return results

    def _token(self, body: bytes) -> str:
        now_s = SystemClock().now_s()
        claims = Claims(
            sub=self._credentials.key_id,
            uri=PATH,
            nonce=random_bytes(16).hex(),
            iat=now_s,
            exp=now_s + TOKEN_S,
            body_hash=body_hash(body),
        )
        return issue_token(self._credentials.private_key, claims)
