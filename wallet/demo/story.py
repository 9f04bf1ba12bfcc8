"""The whole story: set the stage, play the chapters, write the report, clear the stage."""

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from chains.errors import ChainError
from policies.errors import PolicyError
from signer.errors import SignerError
from wallet.bootstrap import open_staff_desk
from wallet.client import ClientError, connect
from wallet.demo.chapters import arrivals, attacks, closing, payouts, treasury
from wallet.demo.deployment import BTC, ETH, LTC, DemoDeployment, make_keys, provision
from wallet.demo.process import ServiceProcess
from wallet.demo.report import Report
from wallet.demo.screen import Screen
from wallet.demo.settings_text import CANARY
from wallet.demo.stage import Stage
from wallet.devnet.devnet import Devnet
from wallet.devnet.errors import DevnetRunning, DevnetStopped
from wallet.devnet.state import read_state
from wallet.errors import WalletError

CHAPTERS: tuple[Callable[[Stage], None], ...] = (
    arrivals.users,
    arrivals.gas,
    arrivals.deposits,
    arrivals.reorganised,
    arrivals.gathered,
    payouts.withdrawals,
    payouts.canaries,
    payouts.approved,
    payouts.killed,
    attacks.at_the_api,
    treasury.swept,
    treasury.refilled,
    closing.reconciled,
    closing.found_on_nodes,
)

_EXPECTED = (WalletError, ChainError, PolicyError, SignerError, ClientError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """Where the story reads and writes."""

    root: Path
    policies: Path
    cache: Path

    @property
    def report(self) -> Path:
        """The report file."""
        return self.root / "report.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A deployment that was left running on purpose."""

    place: DemoDeployment
    devnet: Devnet
    service: ServiceProcess


def play(folders: Folders, console: Console, *, keep: Callable[[Kept], None] | None) -> bool:
    """Play everything; True only if all of it held. `keep` gets the running service at the end."""
    _refuse_running(folders.root / "chains")
    started = time.monotonic()
    report = Report()

    def conclude() -> bool:
        # Once before a service is kept up, which may be for hours, and once at the very end.
        report.seconds = report.seconds or int(time.monotonic() - started)
        ok = report.verdict(attacks.REFUSALS_MIN)
        report.write(folders.report, ok=ok)
        return ok

    def stay(kept: Kept) -> None:
        conclude()
        if keep is not None:
            keep(kept)

    with Screen(console, lambda: int(time.monotonic() - started)) as screen:
        try:
            _play(folders, screen, report, stay if keep else None)
        except _EXPECTED as error:
            report.error = f"{getattr(error, 'code', type(error).__name__)}: {error}"
        except KeyboardInterrupt:
            report.error = "interrupted"
        except BaseException as error:
            # A defect of ours: the report must not be missing, nor the traceback.
            report.error = f"unexpected {type(error).__name__}"
            conclude()
            raise
    return conclude()


def _play(
    folders: Folders, screen: Screen, report: Report, keep: Callable[[Kept], None] | None
) -> None:
    shutil.rmtree(folders.root, ignore_errors=True)
    folders.root.mkdir(parents=True)
    screen.chapter("starting real BTC, LTC and ETH nodes, making keys in six signers")
    with ThreadPoolExecutor(max_workers=1) as pool:
        # Nodes end with the thread that starts them, so they start here and the keys elsewhere.
        keys = pool.submit(make_keys, folders.root / "deployment")
        devnet = Devnet.up(
            folders.root / "chains",
            screen.progress,
            cache_dir=folders.cache,
            networks=[BTC, LTC, ETH],
        )
    try:
        screen.chapter("setting up vaults, policies and staff")
        place = provision(keys.result(), folders.policies, devnet, screen.progress, canary=CANARY)
        service = ServiceProcess(place)
        screen.chapter("starting the service")
        service.start()
        try:
            with connect(place.credentials) as client:
                stage = Stage(
                    devnet=devnet,
                    place=place,
                    service=service,
                    client=client,
                    desk=open_staff_desk(place.config),
                    screen=screen,
                    report=report,
                )
                for chapter in CHAPTERS:
                    chapter(stage)
            if keep is not None:
                screen.close()
                keep(Kept(place=place, devnet=devnet, service=service))
        finally:
            service.stop()
    finally:
        devnet.down()


def _refuse_running(chains: Path) -> None:
    """Another story in the same folder must not lose the ground under its feet."""
    try:
        state = read_state(chains)
    except DevnetStopped:
        return
    raise DevnetRunning(
        f"a demo already runs in {chains.parent} (process {state.keeper_pid}), "
        "expected none: stop it or name another --dir"
    )
