"""What the ledger needs done again and again, beside posting."""

from collections.abc import Callable

from wallet.bootstrap import Deployment
from wallet.ledger.holds import expired, void_expired
from wallet.ledger.partitions import Partitions
from wallet.ledger.versions.heads import HeadSigner
from wallet.ledger_verifier import LedgerVerifier
from wallet.mirrors.folder import ImageFolder
from wallet.mirrors.schedule import Schedule
from wallet.signing.coordinator import load_coordinator
from wallet.worker import Job

HOLDS_MS = 5_000
"""How often what expired holds kept is given back."""

IMAGES_MS = 60_000
"""How often it is looked whether an image of the ledger is due."""

PARTITIONS_MS = 60_000
"""How often the open partition of the ledger is looked at."""

VERIFY_MS = 1000
"""How often new heights of the ledger are recomputed from their rows."""

HEADS_MS = 60_000
"""How often the ledger's head is signed, if it moved."""


def ledger_jobs(deployment: Deployment) -> list[Job]:
    """What the ledger needs done, beside posting."""
    jobs = [
        Job(name="holds", every_ms=HOLDS_MS, run=_holds(deployment)),
        *_proving_jobs(deployment),
    ]
    if deployment.settings.ledger_partition_transfers:
        partitions = Partitions(
            deployment.database,
            deployment.settings.ledger_partition_transfers,
            deployment.milestone,
        )
        jobs.append(Job(name="partitions", every_ms=PARTITIONS_MS, run=partitions.step))
    if deployment.settings.images_every_hours:
        jobs.append(Job(name="images", every_ms=IMAGES_MS, run=image_schedule(deployment).step))
    return jobs


def _proving_jobs(deployment: Deployment) -> list[Job]:
    """Verify what was posted, and sign where the ledger stands."""
    networks = [network.id for network in deployment.settings.networks]
    coordinator = deployment.payments.context.coordinator
    heads = HeadSigner(
        deployment.database, deployment.clock, coordinator.public_key, coordinator.sign_head
    )
    verifier = LedgerVerifier(deployment.settings.database_url, networks)
    return [
        Job(name="ledger.verify", every_ms=VERIFY_MS, run=verifier.step, end=verifier.close),
        Job(name="ledger.head", every_ms=HEADS_MS, run=heads.step),
    ]


def _holds(deployment: Deployment) -> Callable[[], None]:
    def end_expired() -> None:
        now_s = deployment.clock.now_s()
        with deployment.database.read() as tx:
            if not expired(tx, now_s):
                return
        with deployment.database.write() as tx:
            void_expired(tx, now_s)

    return end_expired


def image_schedule(deployment: Deployment) -> Schedule:
    """When images of the ledger are due, and where they are kept."""
    settings = deployment.settings
    return Schedule(
        database=deployment.database,
        clock=deployment.clock,
        folder=ImageFolder.of(settings.data_dir),
        attest=lambda: load_coordinator(settings.coordinator_key_file).attest,
        every_hours=settings.images_every_hours,
        daily=settings.images_keep_daily,
        weekly=settings.images_keep_weekly,
        with_ids=settings.images_with_ids,
        milestone=deployment.milestone,
    )
