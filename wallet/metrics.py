"""What a monitoring system reads, in Prometheus' text format, worked out anew for each look.

Nothing here names a user, an address or an amount.
"""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import start_http_server
from prometheus_client.core import CollectorRegistry, GaugeMetricFamily, Metric

from wallet.api.tips import Tips
from wallet.canary import Canary
from wallet.clock import Clock
from wallet.deposits.watcher import last_scanned
from wallet.events import last_seq
from wallet.ledger.versions.following import verified_height
from wallet.mirrors.schedule import Schedule
from wallet.reconciliation.coverage import blocks_covered
from wallet.reconciliation.heads import head_of
from wallet.store.database import Database
from wallet.waiting import standings

LOOPBACK = "127.0.0.1"
"""Metrics are not signed, so they never listen on another address; a collector runs beside."""

Failing = Callable[[], Mapping[str, str]]
"""Jobs whose last run failed, and the error's code."""


class WalletCollector:
    """Answers one look at the wallet; reads the database and remembers nothing."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        tips: Tips,
        failing: Failing,
        canary: Canary | None = None,
        images: Schedule | None = None,
    ) -> None:
        self._canary = canary
        self._images = images
        self._database = database
        self._clock = clock
        self._tips = tips
        self._failing = failing

    def collect(self) -> Iterator[Metric]:
        """Every family once."""
        yield from self._standings()
        yield from self._chains()
        yield from self._canaries()
        yield from self._image_age()
        failed = GaugeMetricFamily(
            "glaytos_job_failing", "1 while the last run of a job failed.", labels=["job", "code"]
        )
        for job, code in self._failing().items():
            failed.add_metric([job, code], 1)
        yield failed

    def _standings(self) -> Iterator[Metric]:
        labels = ["machine", "network", "state", "owner"]
        count = GaugeMetricFamily(
            "glaytos_waiting", "Things that stand in a state that is no end.", labels=labels
        )
        age = GaugeMetricFamily(
            "glaytos_waiting_oldest_seconds", "How long the oldest has stood there.", labels=labels
        )
        late = GaugeMetricFamily(
            "glaytos_waiting_late", "Those that stand there longer than they should.", labels=labels
        )
        with self._database.read() as tx:
            found = standings(tx, self._clock.now_s())
            seq = last_seq(tx)
            verified = verified_height(tx)
        for one in found:
            where = [one.machine, one.network, one.state, str(one.duty.owner)]
            count.add_metric(where, one.count)
            age.add_metric(where, one.oldest_age_s)
            late.add_metric(where, one.late_count)
        yield from (count, age, late)
        yield GaugeMetricFamily("glaytos_events_last_seq", "Number of the last event.", value=seq)
        yield GaugeMetricFamily(
            "glaytos_ledger_verified_height",
            "Last height of the ledger that was recomputed from its rows.",
            value=verified,
        )

    def _canaries(self) -> Iterator[Metric]:
        if self._canary is None:
            return
        took = GaugeMetricFamily(
            "glaytos_canary_seconds",
            "How long the last canary took, or has been away.",
            labels=["asset"],
        )
        late = GaugeMetricFamily(
            "glaytos_canary_late", "1 while that is over the objective.", labels=["asset"]
        )
        for flight in self._canary.flights():
            took.add_metric([flight.asset], flight.seconds(self._clock.now_s()))
            late.add_metric([flight.asset], int(self._canary.is_late(flight)))
        yield from (took, late)

    def _image_age(self) -> Iterator[Metric]:
        if self._images is None:
            return
        age_s = self._images.age_s()
        if age_s is not None:
            text = "Age of the newest image of the ledger."
            yield GaugeMetricFamily("glaytos_image_age_seconds", text, value=age_s)
        late = "1 while that is over two turns and the ledger went on."
        yield GaugeMetricFamily("glaytos_image_late", late, value=int(self._images.is_late()))

    def _chains(self) -> Iterator[Metric]:
        scanned = GaugeMetricFamily(
            "glaytos_scanned_height", "Highest scanned block.", labels=["network"]
        )
        node = GaugeMetricFamily(
            "glaytos_node_height", "The node's best block; absent while away.", labels=["network"]
        )
        for network in self._tips.networks:
            with self._database.read() as tx:
                last = last_scanned(tx, network)
            if last is not None:
                scanned.add_metric([network], last.height)
            height = self._tips.height(network)
            if height is not None:
                node.add_metric([network], height)
        yield from (scanned, node)
        yield from self._reconciled()

    def _reconciled(self) -> Iterator[Metric]:
        """How far statements are, and how much of the scanned blocks has them."""
        height = GaugeMetricFamily(
            "glaytos_reconciled_height", "Highest block with statements.", labels=["network"]
        )
        share = GaugeMetricFamily(
            "glaytos_reconciled_blocks_ppm",
            "Scanned blocks with statements, in a million.",
            labels=["network"],
        )
        with self._database.read() as tx:
            for network in self._tips.networks:
                head = head_of(tx, network)
                if head is not None:
                    height.add_metric([network], head.height)
                    share.add_metric([network], blocks_covered(tx, network, head).ppm)
        yield from (height, share)


def serve_metrics(collector: WalletCollector, port: int) -> Callable[[], None]:
    """Answer GET /metrics on a loopback port; returns what ends it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    server, thread = start_http_server(port, addr=LOOPBACK, registry=registry)

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return end
