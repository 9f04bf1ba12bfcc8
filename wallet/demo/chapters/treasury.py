"""Hot above its ceiling is swept to cold by itself; hot that runs short is refilled by people."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chains.units import to_units
from policies import Mode
from wallet.client.types import TreasuryRequest
from wallet.demo import commands
from wallet.demo.chapters import attacks
from wallet.demo.chapters.payouts import approve
from wallet.demo.deployment import BTC, ETH, LTC
from wallet.demo.stage import Stage, StoryFailed
from wallet.treasury.staff_keys import load_staff_key
from wallet.treasury.thresholds import asset_named, make_threshold

_NETWORKS = (BTC, LTC, ETH)
_WIDE = "100000"
"""A ceiling that nothing in the story reaches."""

CEILINGS = (
    ("BTC", "0", "1", "2"),
    ("LTC", "0", "10", "20"),
    ("ETH", "0", "3", "4"),
    ("DUSD", "0", "1000", "1500"),
    ("DGLD", "0", "4", "5"),
)
"""Asset, minimum, target and maximum: every hot wallet is above these."""

REFILLS = (("BTC", "1.5", "2"), ("DUSD", "1200", "1400"))
"""Asset, minimum and target: a script vault and a Safe, whose hot wallets are now below these."""


def swept(stage: Stage) -> None:
    """Lower ceilings; what is above moves to the cold vaults and the Safe."""
    stage.screen.chapter("hot above its ceiling is swept to cold, to addresses the signers derive")
    for asset, low, target, high in CEILINGS:
        set_bounds(stage, asset, low, target, high)
    for asset, *_ in CEILINGS:
        done = stage.wait(
            f"sweep of {asset}",
            lambda asset=asset: _request(stage, asset, "sweep", "completed"),  # type: ignore[misc]
            mine=_NETWORKS,
        )
        _tell(stage, "sweep to cold", done)


def refilled(stage: Stage) -> None:
    """Raise minimums; staff approve, keyholders sign offline, the answers are carried back."""
    for number, (asset, low, target) in enumerate(REFILLS):
        stage.screen.chapter(f"hot is short of {asset}: refill from cold, two of three, offline")
        set_bounds(stage, asset, low, target, _WIDE)
        asked = stage.wait(
            f"refill of {asset} asked for",
            lambda asset=asset: _request(stage, asset, "refill", "requested"),  # type: ignore[misc]
        )
        _tell(stage, "refill", asked)
        _refill(stage, asked, with_attacks=number == 0)


def _refill(stage: Stage, asked: TreasuryRequest, *, with_attacks: bool) -> None:
    if with_attacks:
        approve(stage, asked.id, "anna")
        attacks.export_too_early(stage, asked.id)
        approve(stage, asked.id, "boris")
    else:
        approve(stage, asked.id, "anna", "boris")
    stage.wait(
        f"refill of {asked.asset} built",
        lambda: _request(stage, asked.asset, "refill", "exported"),
    )
    request = stage.place.root / f"refill-{asked.asset}.sr1"
    exported = commands.wallet(
        stage.place.config, "treasury", "export", asked.id, "--out", request, "--json"
    )
    stage.tell("refill", asked.network, asked.asset, f"exported to {request.name}")
    exported.json()
    if with_attacks:
        attacks.at_the_signer(stage, request)
    answers = sign(stage, request, "keyholder-1", "keyholder-3")
    if with_attacks:
        attacks.replay(stage, request)
    taken = commands.wallet(stage.place.config, "treasury", "import", *answers, "--json").json()
    if [row["said"] for row in taken] != ["signed", "signed"]:
        raise StoryFailed(f"got answers {json.dumps(taken)}, expected two signatures")
    done = stage.wait(
        f"refill of {asked.asset}",
        lambda: _request(stage, asked.asset, "refill", "completed"),
        mine=_NETWORKS,
    )
    _tell(stage, "refill from cold", done)


def sign(stage: Stage, request: Path, *keyholders: str) -> list[Path]:
    """Keyholders read the request, each at an offline signer, and say yes. Raises StoryFailed."""

    def one(keyholder: str) -> tuple[Path, str]:
        answer = request.with_name(f"{request.stem}-{keyholder}.sa1")
        files = ("--request", request, "--out", answer)
        done = commands.signer(stage.place.home(keyholder), "sign", *files, answer="y\n").json()
        return answer, str(done["code"]) if done["result"] != "signed" else ""

    with ThreadPoolExecutor() as pool:
        signed = list(pool.map(one, keyholders))
    for keyholder, (_, code) in zip(keyholders, signed, strict=True):
        if code:
            raise StoryFailed(f"{keyholder} refused: {code}")
        stage.tell("keyholder", "", "", f"{keyholder} signed offline")
    return [answer for answer, _ in signed]


def set_bounds(stage: Stage, asset: str, low: str, target: str, high: str) -> None:
    """A member of staff changes the hot bounds of an asset, as `treasury set-threshold` does."""
    decimals = asset_named(stage.desk.assets, asset).decimals
    low_units, target_units, high_units = (to_units(t, decimals) for t in (low, target, high))
    bounds = make_threshold(Mode.ABSOLUTE, low_units, target_units, high_units)
    key = stage.place.staff_key("chen")
    passphrase = key.with_suffix(".passphrase").read_text().strip()
    stage.desk.change_bounds(asset, bounds, load_staff_key(key, passphrase))


def _request(stage: Stage, asset: str, purpose: str, status: str) -> TreasuryRequest | None:
    for request in stage.client.list_treasury_requests(asset=asset).data:
        if request.purpose != purpose:
            continue
        if request.status in ("failed", "expired", "cancelled"):
            raise StoryFailed(f"{purpose} of {asset}: {request.status} {request.sub_status}")
        if request.status == status:
            return request
    return None


def _tell(stage: Stage, step: str, request: TreasuryRequest) -> None:
    stage.tell(
        step,
        request.network,
        request.asset,
        request.status,
        txid=request.txid or "",
        units=request.amount_units,
    )
