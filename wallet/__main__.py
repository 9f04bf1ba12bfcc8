"""`glaytos-wallet`: one command a module of `wallet.cli`, imported only when it is called."""

import pkgutil
import sys
from importlib import import_module

import typer
from rich.console import Console
from rich.markup import escape

from chains.errors import ChainError
from policies.errors import PolicyError
from signer.errors import SignerError
from wallet import cli
from wallet.errors import WalletError


def build_app(called: str) -> typer.Typer:
    """The command line with only the command `called` loaded, or all of them if it is none."""
    root = typer.Typer(
        help="Glaytos Wallet: custody of many chains for an exchange.",
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,
    )
    root.callback()(_root)
    names = sorted(found.name for found in pkgutil.iter_modules(cli.__path__))
    chosen = called.replace("-", "_")
    for name in [chosen] if chosen in names else names:
        _add(root, name.replace("_", "-"), import_module(f"wallet.cli.{name}").app)
    return root


def main() -> None:
    """Run one command. Known errors end it with their code and words, not with a traceback."""
    app = build_app(sys.argv[1] if len(sys.argv) > 1 else "")
    try:
        app(prog_name="glaytos-wallet")
    except (WalletError, ChainError, PolicyError, SignerError) as error:
        Console(stderr=True).print(f"[bold red]{error.code}[/] {escape(str(error))}")
        sys.exit(1)


def _root() -> None:
    """Custody of many chains for an exchange."""


def _add(root: typer.Typer, name: str, app: typer.Typer) -> None:
    """Add a module's commands as a group, or its only command under the module's name."""
    if len(app.registered_commands) == 1 and app.registered_callback is None:
        command = app.registered_commands[0]
        command.name = name
        root.registered_commands.append(command)
        return
    root.add_typer(app, name=name)


if __name__ == "__main__":
    main()
