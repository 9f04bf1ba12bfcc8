"""The reconciliation of one chain, put together as the commands do."""

from chains.ports import Chain
from wallet.clock import Clock
from wallet.milestones import Milestone, pass_by
from wallet.reconciliation.explaining import NO_ASSETS
from wallet.reconciliation.idle import IdleCheck
from wallet.reconciliation.reconciler import Reconciler
from wallet.reconciliation.report import Reporter
from wallet.store.database import Database


def reporter(
    chain: Chain,
    database: Database,
    clock: Clock,
    odd_assets: frozenset[str] = NO_ASSETS,
    milestone: Milestone = pass_by,
) -> Reporter:
    """Statements, balances and books of one network."""
    reconciler = Reconciler(chain, database, clock, milestone, odd_assets)
    return Reporter(chain, database, reconciler, IdleCheck(chain, database, clock, odd_assets))
