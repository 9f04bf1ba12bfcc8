"""What staff read before they say yes: the decoded intent in words, never the columns beside it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from chains.errors import CodecError
from chains.evm.addresses import checksum
from chains.evm.safe_governance import GovernanceCall
from chains.units import to_text
from signer.protocol import Intent, Purpose, check_words
from wallet.settings import AssetSettings
from wallet.treasury.approvals import Tally
from wallet.treasury.runway import Runway
from wallet.treasury.thresholds import asset_named

VERBS = {
    "withdrawal": "Pay out",
    "gather": "Gather",
    "top_up": "Top up",
    "sweep": "Sweep to cold storage",
    "refill": "Refill the hot wallet from cold storage",
    "unstick": "Use up a stuck nonce",
    "reshape": "Make fewer or more coins of the hot wallet's own",
    "governance": "Change a Safe itself",
}
"""Purposes in words."""


def amount_text(assets: Sequence[AssetSettings], code: str, units: int) -> str:
    """Such as "1.25 BTC"."""
    return f"{to_text(units, asset_named(assets, code).decimals)} {code}"


def runway_text(runway: Runway) -> str:
    """Such as "17 hours", or why there is no number."""
    if runway.hours is None:
        return "nothing usually leaves"
    low = f", below {runway.hours_min}" if runway.is_low else ""
    return f"{runway.hours} hours{low}"


def time_text(time_s: int) -> str:
    """A moment as people read it, in UTC."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def intent_lines(assets: Sequence[AssetSettings], intent: Intent) -> list[tuple[str, str]]:
    """Label and value for everything that an approval covers."""
    native = _native(assets, intent.network)
    lines = [
        ("what", VERBS[intent.purpose]),
        ("network", _plain(intent.network)),
        ("from", _plain(intent.source)),
    ]
    for payee in intent.payees:
        lines.append(("pay", amount_text(assets, intent.asset, payee.units)))
        lines.append(("to", _plain(payee.address)))
    if intent.call:
        lines.extend(_call_lines(intent))
    if intent.hot_units is not None:
        lines.append(("hot holds", amount_text(assets, intent.asset, intent.hot_units)))
    if len(intent.payees) > 1:
        lines.append(("in all", amount_text(assets, intent.asset, intent.total_units)))
    fee = f"{to_text(intent.fee_units_max, native.decimals)} {native.code}"
    return [
        *lines,
        ("network fee at most", fee),
        ("asked for by", _plain(intent.requester)),
        ("asked for at", time_text(intent.created_s)),
        ("ends at", time_text(intent.expires_s)),
        ("digest", intent.digest.hex()),
        ("check words", check_words(intent.digest)),
    ]


def tally_text(tally: Tally) -> str:
    """Such as "1 of 2 (anna)"."""
    names = ", ".join(_plain(name) for name in tally.approvers)
    count = f"{len(tally.approvers)} of {tally.subject.approvals_required}"
    return f"{count} ({names})" if names else count


def _call_lines(intent: Intent) -> list[tuple[str, str]]:
    """A Safe's change of itself in words, and any call as it is."""
    exact = ("call", f"0x{intent.call.hex()}")
    if intent.purpose is not Purpose.GOVERNANCE:
        return [exact]
    try:
        call = GovernanceCall.decode(intent.call)
    except CodecError:
        return [("change", "NOT A KNOWN CHANGE: no signer will sign it"), exact]
    lines = [("change", call.action.replace("_", " "))]
    lines.extend(("address", checksum(address)) for address in call.addresses)
    if call.threshold is not None:
        lines.append(("new threshold", str(call.threshold)))
    return [*lines, exact]


def _native(assets: Sequence[AssetSettings], network: str) -> AssetSettings:
    for asset in assets:
        if asset.network == network and asset.contract is None:
            return asset
    return AssetSettings(code="base units", network=network, decimals=0)


def _plain(text: str) -> str:
    """Without control characters, which could paint over what a terminal shows."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
