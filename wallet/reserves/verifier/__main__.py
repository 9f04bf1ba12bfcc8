"""The command line: check a package, or one's own share in it. Ends with 0 only if all holds."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .checking import Report, check_package, check_user, read_proof
from .failures import Failed
from .nodes import check_on_chain
from .package import read_package


def main(arguments: Sequence[str] | None = None) -> int:
    """0: everything holds; 1: something does not, and its codes are printed."""
    options = _parser().parse_args(arguments)
    try:
        package = read_package(options.package)
        if options.command == "me":
            found = check_user(package, read_proof(options.proof), options.account)
            _say(json.dumps(me_json(found)) if options.json else me_text(found))
            return 0
        report = check_package(package, None if options.json else _bar)
        for network, url in options.node:
            check_on_chain(report, network, url, package.proofs)
    except Failed as failed:
        body = {"holds": False, "failures": [{"code": failed.code, "text": failed.text}]}
        _say(json.dumps(body) if options.json else f"FAILED {failed}")
        return 1
    _say(json.dumps(report_json(report)) if options.json else report_text(report))
    return 0 if report.holds else 1


def report_json(report: Report) -> dict[str, Any]:
    """A report for programs."""
    return {
        "holds": report.holds,
        "statement": report.digest.hex(),
        "ledger_height": report.statement.ledger_height,
        "owed": {asset: str(units) for asset, units in report.owed.items()},
        "held": {asset: str(units) for asset, units in report.held.items()},
        "left_out": list(report.statement.left_out),
        "blocks": {
            one.id: {
                "height": one.height,
                "hash": one.block_hash.hex(),
                "seen": one.id in report.seen_on,
            }
            for one in report.statement.networks.values()
        },
        "failures": [{"code": one.code, "text": one.text} for one in report.failures],
    }


def report_text(report: Report) -> str:
    """A report for people."""
    statement = report.statement
    lines = [
        f"Publication {report.digest.hex()} of {statement.operator}",
        f"Ledger height {statement.ledger_height}, state {statement.ledger_hash}",
    ]
    for asset, units in report.owed.items():
        held = report.held.get(asset, 0)
        lines.append(f"  {asset}: owed {units}, shown to be held {held}")
    for network in statement.networks.values():
        how = "seen on" if network.id in report.seen_on else "claimed, ask a node of your own:"
        lines.append(f"  {how} {network.id} block {network.height} {network.block_hash.hex()}")
    if statement.left_out:
        lines.append(f"  left out, as they are on no chain: {', '.join(statement.left_out)}")
    lines += [f"FAILED {failed}" for failed in report.failures]
    lines.append("Everything that was checked holds." if report.holds else "DO NOT RELY ON IT.")
    return "\n".join(lines)


def node_of(text: str) -> tuple[str, str]:
    """A network and its node's address, which may stand in a file. Raises ValueError, OSError."""
    network, mark, url = text.partition("=")
    if not mark:
        raise ValueError("got no =")
    return network, Path(url[1:]).read_text().strip() if url.startswith("@") else url


def me_json(found: dict[str, int]) -> dict[str, Any]:
    """What is included, for programs."""
    return {"included": {asset: str(units) for asset, units in found.items()}}


def me_text(found: dict[str, int]) -> str:
    """What is included, for people."""
    lines = [f"  {asset}: {units} base units" for asset, units in found.items()]
    ending = "Compare with what you know: less than your balance means that you are not included."
    return "\n".join(["Included in the published trees:", *lines, ending])


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _bar(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else "\r"
        sys.stderr.write(f"proofs {done}/{total}{end}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reserves", description="Check a publication of reserves; needs only Python."
    )
    parts = parser.add_subparsers(dest="command", required=True)
    check = parts.add_parser("check", help="signatures, sums, and claims against what is owed")
    check.add_argument("package", type=Path)
    check.add_argument(
        "--node",
        type=_node,
        action="append",
        default=[],
        metavar="NETWORK=URL",
        help="a node of your own: blocks, coins and balances are looked up there; "
        "NETWORK=@FILE reads the address from a file, where it holds a password",
    )
    check.add_argument("--json", action="store_true")
    me = parts.add_parser("me", help="that your own balance is part of what is owed")
    me.add_argument("package", type=Path)
    me.add_argument("proof", type=Path, help="the file that you were given")
    me.add_argument("--account", required=True, help="your account's id, as you know it")
    me.add_argument("--json", action="store_true")
    return parser


def _node(text: str) -> tuple[str, str]:
    try:
        return node_of(text)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError("expected NETWORK=URL or NETWORK=@FILE") from error


if __name__ == "__main__":
    sys.exit(main())
