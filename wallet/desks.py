"""Where staff decide, put together from one settings file."""

from functools import partial
from pathlib import Path

from wallet.bootstrap import open_deployment, open_staff_desk
from wallet.escrow.staff import EscrowDesk
from wallet.payments.deciding import decide
from wallet.treasury.quarantine import QuarantineDesk


def open_quarantine(config: Path) -> QuarantineDesk:
    """Where staff decide about what cannot be trusted, over the service's own database."""
    deployment = open_deployment(config)
    return QuarantineDesk(
        database=deployment.database,
        clock=deployment.clock,
        member=open_staff_desk(config).member,
        end_payment=partial(decide, deployment.payments.context),
    )


def open_escrows(config: Path) -> EscrowDesk:
    """Where staff decide about disputed escrows, over the service's own database."""
    deployment = open_deployment(config)
    return EscrowDesk(
        database=deployment.database,
        clock=deployment.clock,
        member=open_staff_desk(config).member,
        milestone=deployment.milestone,
    )
