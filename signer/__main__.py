"""`glaytos-signer`: what a keyholder types. Secrets come by prompt, file or descriptor only."""

import sys
from collections.abc import Mapping
from importlib import import_module

import typer

from signer.process import harden

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "home": ("selfcheck", "init", "configure", "status"),
    "vaults": ("xpub", "register", "address", "vault"),
    "limits": ("propose", "replay"),
    "ccss": ("ccss",),
    "signing": ("inspect", "sign", "recall", "serve-stdio"),
}
"""Modules of `signer.cli` and their commands; only the module of the called one is loaded."""

GROUPS: tuple[str, ...] = ("backup", "bsms", "ceremony", "keys", "log", "qr")
"""Modules of `signer.cli` whose commands stand under the module's name."""

_HELP = (
    "Offline signer. It keeps its own memory and limits, checks approvals itself, shows what the "
    "bytes really do, and says no by default.\n\n"
    "A keyholder's life: `init` makes a home with keys, `backup` its shares; `configure` activates "
    "limits and policy; `xpub` gives account keys for a vault (`bsms` for several people at once); "
    "`register` takes the finished vault; `address` shows a receive address to compare; `inspect` "
    "explains a request; `sign` signs it. `propose` shows what new limits would change, `replay` "
    "what they would have refused, and `log verify` checks the memory. `ceremony` leads people "
    "through the first day; `qr` carries files through the air gap."
)


def build_app(called: str = "") -> typer.Typer:
    """The command line with only the command `called` loaded, or all of them if it is none."""
    root = typer.Typer(
        no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=_HELP
    )
    root.callback()(_root)
    modules = (*COMMANDS, *GROUPS)
    chosen = [module for module in modules if called in COMMANDS.get(module, (module,))]
    for module in chosen or modules:
        app = import_module(f"signer.cli.{module}").app
        root.add_typer(app, name=module if module in GROUPS else None)
    return root


def main() -> None:
    """Harden the process, then run the command."""
    for warning in harden():
        typer.echo(f"warning: {warning}", err=True)
    build_app(sys.argv[1] if len(sys.argv) > 1 else "")(prog_name="glaytos-signer")


def _root() -> None:
    """Offline signer."""


if __name__ == "__main__":
    main()
