"""The jobs that prove the ledger while it is used: new heights verified, heads signed."""

from wallet.bootstrap import Deployment
from wallet.ledger.versions.following import LedgerFollower
from wallet.ledger.versions.heads import HeadSigner
from wallet.ledger_alarm import LedgerAlarm
from wallet.worker import Job, quietly

VERIFY_MS = 1000
"""How often new heights of the ledger are recomputed from their rows."""

HEADS_MS = 60_000
"""How often the ledger's head is signed, if it moved."""


def proving_jobs(deployment: Deployment) -> list[Job]:
    """Verify what was posted, and sign where the ledger stands."""
    networks = [network.id for network in deployment.settings.networks]
    coordinator = deployment.payments.context.coordinator
    heads = HeadSigner(
        deployment.database, deployment.clock, coordinator.public_key, coordinator.sign_head
    )
    ledger = LedgerFollower(deployment.database, LedgerAlarm(deployment.clock, networks))
    return [
        Job(name="ledger.verify", every_ms=VERIFY_MS, run=quietly(ledger.step)),
        Job(name="ledger.head", every_ms=HEADS_MS, run=heads.step),
    ]
