"""The running service: API and recurring work over one deployment."""

from collections.abc import Callable
from functools import partial

from fastapi import FastAPI

from chains.evm.chain import EvmChain
from chains.evm.safe import SafeVault
from chains.evm.safe_state import check_safe
from chains.ports import Chain, MempoolSight
from chains.types import Family
from wallet.addresses.issuing import Purpose, issue_own
from wallet.api.app import create_app
from wallet.api.forgetting import forget_expired
from wallet.api.services import Services
from wallet.api.tips import Tips
from wallet.bootstrap import Deployment, random_bytes
from wallet.canary import Canary
from wallet.deposits.following import Follower
from wallet.deposits.gate import CreditGate
from wallet.deposits.headers import HeaderChain
from wallet.deposits.mempool import MempoolWatcher
from wallet.deposits.scanned.stops import gap_detector
from wallet.deposits.second_node import SecondNode
from wallet.deposits.tokens.drift import DriftCheck
from wallet.deposits.watcher import Watcher
from wallet.escrow.holding import expire
from wallet.gathers.gatherer import Gatherer
from wallet.ledger_jobs import image_schedule, ledger_jobs
from wallet.metrics import WalletCollector, serve_metrics
from wallet.payments.context import role_of
from wallet.payments.moves import Moves
from wallet.payments.paying import WithdrawalPayer
from wallet.reconciliation.idle import IdleCheck
from wallet.reconciliation.reconciler import Reconciler, odd_assets
from wallet.reorgs import ReorgAlarm
from wallet.reserves.publication import FOLDER as RESERVES
from wallet.reserves.signing import answer_waiting
from wallet.settings import NetworkSettings
from wallet.shaping import Shaper
from wallet.treasury.movements import Movements
from wallet.webhooks.outbox import Outbox
from wallet.webhooks.secrets import load_service_key
from wallet.webhooks.sending import HttpSender
from wallet.webhooks.targets import resolve
from wallet.worker import Job, Worker, quietly

TREASURY_MS = 1000
"""How often hot balances are held against their bounds."""

RESERVES_MS = 2_000
"""How often proofs of reserves that wait for hot signers are looked for."""

CANARY_MS = 10_000
"""How often canaries are looked for."""

RUNWAY_MS = 60_000
"""How often the hours until hot is empty are forecast."""

FEE_WATCH_MS = 60_000
"""How often new blocks are priced and the fee estimate is looked at."""

SHAPE_MS = 60_000
"""How often the stock of coins is looked at."""

IDLE_MS = 15_000
"""How often some accounts that no block touched are held against the chain."""

GAPS_MS = 300_000
"""How often all that was scanned is held against itself: blocks, ranges, deposits."""

SAFE_CHECK_MS = 60_000
"""How often a cold Safe is compared with its registration: owners, threshold, version, modules."""

DRIFT_MS = 15_000
"""How often some token balances are held against what they were."""


def build_app(deployment: Deployment) -> FastAPI:
    """The API over a deployment."""
    return create_app(
        Services(
            db=deployment.database,
            clock=deployment.clock,
            settings=deployment.settings,
            chains=deployment.chains,
            deriver=deployment.deriver,
            tips=Tips(deployment.chains, deployment.clock),
            withdrawals=deployment.withdrawals,
            approvals=deployment.approvals,
            registered=deployment.registered,
            hosted=deployment.hosted,
            random=random_bytes,
            resolver=resolve,
            service_key=load_service_key(deployment.settings.service_key_file),
            ledger=deployment.ledger,
            milestone=deployment.milestone,
        )
    )


def start_metrics(deployment: Deployment, worker: Worker) -> Callable[[], None]:
    """Answer a collector if the settings name a port; returns what ends it."""
    if not deployment.settings.metrics_port:
        return _nothing
    collector = WalletCollector(
        deployment.database,
        deployment.clock,
        Tips(deployment.chains, deployment.clock),
        lambda: worker.failing,
        _canary(deployment) if deployment.settings.canary_account else None,
        image_schedule(deployment) if deployment.settings.images_every_hours else None,
    )
    return serve_metrics(collector, deployment.settings.metrics_port)


def _nothing() -> None:
    """The end of what was not begun."""


def watch_own_accounts(deployment: Deployment) -> None:
    """Make the addresses that a vault has only one of known, so that they are watched and counted.

    Idempotent; a UTXO vault's addresses are issued as they are needed.
    """
    with deployment.database.write() as tx:
        for network in deployment.settings.networks:
            for source, purpose in ((network.hot, Purpose.HOT), (network.cold, Purpose.COLD)):
                if source and deployment.deriver.has_one_address(network.id, source):
                    issue_own(
                        tx,
                        deployment.deriver,
                        network=network.id,
                        source=source,
                        purpose=purpose,
                        now_s=deployment.clock.now_s(),
                    )


def build_worker(deployment: Deployment) -> Worker:
    """All recurring work of a deployment, ready to start."""
    watch_own_accounts(deployment)
    # Loaded now: a service that cannot check what it sends must not start.
    _ = deployment.second_parser
    jobs = [
        job
        for network in deployment.settings.networks
        for job in _network_jobs(deployment, network)
    ]
    movements = Movements(
        database=deployment.database,
        clock=deployment.clock,
        planner=deployment.planner,
        desk=deployment.approvals,
        movers=Moves(deployment.payments),
        milestone=deployment.milestone,
    )
    outbox = Outbox(
        db=deployment.database,
        clock=deployment.clock,
        send=HttpSender(),
        resolver=resolve,
        private_allowed=deployment.settings.webhooks_private_allowed,
        service_key=load_service_key(deployment.settings.service_key_file),
    )
    jobs += [
        Job(name="treasury", every_ms=TREASURY_MS, run=quietly(movements.step)),
        Job(name="runway", every_ms=RUNWAY_MS, run=quietly(movements.forecast)),
        Job(
            name="reserves",
            every_ms=RESERVES_MS,
            run=quietly(
                partial(
                    answer_waiting,
                    deployment.reserves,
                    deployment.settings.data_dir.joinpath(RESERVES),
                )
            ),
        ),
        Job(name="webhooks", every_ms=1000, run=quietly(outbox.step)),
        Job(
            name="deadlines",
            every_ms=5_000,
            run=quietly(lambda: deployment.withdrawals.expire(deployment.database)),
        ),
        Job(
            name="escrows",
            every_ms=5_000,
            run=quietly(
                partial(expire, deployment.database, deployment.clock, deployment.milestone)
            ),
        ),
        Job(
            name="forget",
            every_ms=60_000,
            run=lambda: forget_expired(deployment.database, deployment.clock),
        ),
    ]
    if deployment.settings.canary_account:
        jobs.append(Job(name="canary", every_ms=CANARY_MS, run=_canary(deployment).run))
    jobs += ledger_jobs(deployment)
    return Worker(jobs, deployment.leases.take)


def _canary(deployment: Deployment) -> Canary:
    return Canary(
        database=deployment.database,
        clock=deployment.clock,
        settings=deployment.settings,
        deriver=deployment.deriver,
        withdrawals=deployment.withdrawals,
    )


def _network_jobs(deployment: Deployment, network: NetworkSettings) -> list[Job]:
    chain = deployment.chains[network.id]
    payer, gatherer = WithdrawalPayer(deployment.payments), Gatherer(deployment.payments)

    def pay() -> None:
        payer.pay_queued(network.id)
        if network.family == Family.EVM:
            gatherer.run(network.id)
        deployment.payments.run(network.id)

    jobs = [
        *_deposit_jobs(deployment, network),
        Job(name=role_of(network.id), every_ms=network.poll_ms, run=pay),
        Job(
            name=f"gaps:{network.id}",
            every_ms=GAPS_MS,
            run=gap_detector(deployment.database, network.id, deployment.clock),
        ),
        Job(
            name=f"hosted:{network.id}",
            every_ms=network.poll_ms,
            run=partial(deployment.hosted.follower.run, network.id),
        ),
        Job(
            name=f"fees:{network.id}",
            every_ms=FEE_WATCH_MS,
            run=partial(deployment.fees.watch, network.id),
        ),
    ]
    jobs += _statement_jobs(deployment, network)
    if network.coin_pool or network.small_coin_units:
        shaper = Shaper(deployment.payments, deployment.fees)
        run = quietly(partial(shaper.run, network.id))
        jobs.append(Job(name=f"shape:{network.id}", every_ms=SHAPE_MS, run=run))
    if network.family == Family.EVM:
        drift = DriftCheck(chain, deployment.database, deployment.clock)
        jobs.append(Job(name=f"drift:{network.id}", every_ms=DRIFT_MS, run=quietly(drift.run)))
    cold = deployment.vaults.get(network.cold)
    if isinstance(cold, SafeVault) and isinstance(chain, EvmChain):
        checked = partial(check_safe, chain, cold)
        jobs.append(Job(name=f"safe:{network.id}", every_ms=SAFE_CHECK_MS, run=quietly(checked)))
    return jobs


def _statement_jobs(deployment: Deployment, network: NetworkSettings) -> list[Job]:
    """Reconcile what was scanned, block after block, and accounts that no block touches."""
    chain, database = deployment.chains[network.id], deployment.database
    assets = [asset for asset in deployment.settings.assets if asset.network == network.id]
    clock, odd = deployment.clock, odd_assets(assets)
    reconciler = Reconciler(chain, database, clock, deployment.milestone, odd)
    name = f"statements:{network.id}"
    jobs = [Job(name=name, every_ms=network.poll_ms, run=quietly(reconciler.run))]
    if network.family == Family.EVM:
        idle = IdleCheck(chain, database, clock, odd)
        jobs.append(Job(name=f"idle:{network.id}", every_ms=IDLE_MS, run=quietly(idle.run)))
    return jobs


def _deposit_jobs(deployment: Deployment, network: NetworkSettings) -> list[Job]:
    """Follow a network, and ask its second node where it has one."""
    chain = deployment.chains[network.id]
    rules = deployment.deposit_rules(network)
    watcher = Watcher(
        chain,
        deployment.database,
        rules,
        network.start_height,
        deployment.clock,
        deployment.milestone,
        HeaderChain(
            chain,
            deployment.database,
            deployment.params.get(network.id),
            deployment.clock,
            start_height=network.start_height,
            start_hash=network.start_hash,
        ),
        alarm=ReorgAlarm.of(network),
        reorg_blocks_max=network.reorg_blocks_max,
    )
    follower = Follower(chain, watcher, deployment.database, deployment.clock)
    jobs = [
        Job(name=f"watch:{network.id}", every_ms=network.poll_ms, run=_watching(chain, follower))
    ]
    if isinstance(chain, MempoolSight) and network.mempool_drop_s:
        pool = MempoolWatcher(
            chain, chain, deployment.database, rules, deployment.clock, network.mempool_drop_s
        )
        jobs.append(Job(name=f"mempool:{network.id}", every_ms=network.poll_ms, run=pool.step))
    if network.id in deployment.second_chains:
        second = SecondNode(
            deployment.second_chains[network.id],
            CreditGate(chain, rules, ReorgAlarm.of(network)),
            deployment.database,
            deployment.clock,
            deployment.milestone,
        )
        jobs.append(
            Job(name=f"second:{network.id}", every_ms=network.poll_ms, run=quietly(second.step))
        )
    return jobs


def _watching(chain: Chain, follower: Follower) -> Callable[[], None]:
    def watch() -> None:
        if isinstance(chain, EvmChain):
            chain.ready()
        follower.run()

    return watch
