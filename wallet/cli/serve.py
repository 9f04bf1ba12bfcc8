"""`glaytos-wallet serve`: the API and the worker of one deployment, until told to stop."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer

from wallet.bootstrap import open_deployment
from wallet.service import build_app
from wallet.serving import serve_until_stopped

app = typer.Typer(help="Run the service: API and worker.")


@app.command()
def serve(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The deployment's settings file.")
    ] = Path("config/wallet.toml"),
    kill_at: Annotated[
        str,
        typer.Option(help="Crash drill on development chains: die by SIGKILL at this milestone."),
    ] = "",
) -> None:
    """Run the API and the worker of one deployment until SIGTERM or Ctrl-C.

    Deposits are watched, withdrawals paid, hot and cold kept in balance and webhooks sent for as
    long as it runs. Stopping it at any moment loses nothing: it continues from its database.
    """
    configure_log()
    deployment = open_deployment(config, kill_at_milestone=kill_at)
    serve_until_stopped(deployment, build_app(deployment))


def configure_log() -> None:
    """One JSON line an event on standard error."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    # A job that is still running when it is due again is normal: it goes on.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
