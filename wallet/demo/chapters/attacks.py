"""What must be refused, tried on purpose: at the API, at the staff's desk and at the signer.

The attacker at the signer has the whole online side, the coordinator's key included: every forged
request is sealed as the real service would seal it.
"""

import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from chains.utxo.psbt import Psbt
from signer.protocol import REQUEST, Sealed, SignRequest
from wallet.bootstrap import new_id
from wallet.client import ApiError
from wallet.demo import commands
from wallet.demo.stage import Stage, StoryFailed
from wallet.signing.coordinator import load_coordinator

_FEE_STOLEN_SATS = 5_000_000

REFUSALS_MIN = 5
"""The report is good only with at least so many refusals."""

_LITECOIN_MAINNET = "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9"
"""The BIP-173 example program as a Litecoin mainnet address."""


def at_the_api(stage: Stage) -> None:
    """Payees that cannot be paid, and money that is not there."""
    stage.screen.chapter("what the API refuses")
    token = stage.devnet.contracts.tokens["DUSD"]
    cases = (
        ("wrong-network address", "BTC", _LITECOIN_MAINNET, "0.1", "address.wrong_network"),
        ("token contract as payee", "DUSD", token, "1", "address.token_contract"),
        ("zero address as payee", "ETH", "0x" + "00" * 20, "0.1", "address.zero"),
        (
            "more than the user has",
            "BTC",
            "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
            "9",
            "withdrawal.insufficient_funds",
        ),
    )
    for number, (what, asset, address, amount, expected) in enumerate(cases):
        code = _api_code(
            lambda: stage.client.create_withdrawal(
                external_id=f"refused-{number}",  # noqa: B023
                account_id=stage.users["bob"],
                asset=asset,  # noqa: B023
                address=address,  # noqa: B023
                amount=amount,  # noqa: B023
            )
        )
        stage.refused(what, code, expected)


def export_too_early(stage: Stage, request_id: str) -> None:
    """One approval is not two: the desk gives no file out."""
    out = stage.place.root / "too-early.sr1"
    done = commands.wallet(stage.place.config, "treasury", "export", request_id, "--out", out)
    stage.refused("export short of quorum", done.code, "treasury.quorum_missing")


def at_the_signer(stage: Stage, request: Path) -> None:
    """Forged requests that only the offline signer stands against."""
    real = SignRequest.decode(Sealed.decode(request.read_bytes(), REQUEST).body)
    forged = (
        ("approval short of quorum", _one_approval(real), "policy.approvals.quorum"),
        ("tampered PSBT change", _foreign_change(real), "change.foreign"),
        ("fee over cap", _high_fee(real), "fee.absolute"),
    )
    for what, body, expected in forged:
        stage.refused(what, _sign_forged(stage, request, body), expected)


def replay(stage: Stage, request: Path) -> None:
    """The same request again gets no second signature."""
    code = _sign_code(stage, request)
    stage.refused("replayed request", code, "request.replayed")


def _one_approval(real: SignRequest) -> SignRequest:
    return replace(real, request_id=new_id(), approvals=real.approvals[:1])


def _foreign_change(real: SignRequest) -> SignRequest:
    change = _change_script(real)
    thief = b"\x00\x20" + secrets.token_bytes(32)
    return replace(real, request_id=new_id(), payload=real.payload.replace(change, thief))


def _high_fee(real: SignRequest) -> SignRequest:
    psbt = Psbt.parse(real.payload)
    change = _change_script(real)
    output = next(one for one in psbt.tx.outputs if one.script == change)
    before = output.sats.to_bytes(8, "little") + bytes([len(change)]) + change
    less = (output.sats - _FEE_STOLEN_SATS).to_bytes(8, "little")
    after = less + bytes([len(change)]) + change
    return replace(real, request_id=new_id(), payload=real.payload.replace(before, after))


def _change_script(real: SignRequest) -> bytes:
    """The output of the transaction that no intent names."""
    psbt = Psbt.parse(real.payload)
    paid = sum(intent.total_units for intent in real.intents)
    for output in psbt.tx.outputs:
        if output.sats != paid:
            return output.script
    raise StoryFailed("got a refill without change, expected one to tamper with")


def _sign_forged(stage: Stage, request: Path, body: SignRequest) -> str:
    coordinator = load_coordinator(stage.place.coordinator_key)
    forged = request.with_name(f"forged-{body.request_id}.sr1")
    forged.write_bytes(coordinator.seal(body).encode())
    return _sign_code(stage, forged)


def _sign_code(stage: Stage, request: Path) -> str:
    """What a keyholder's signer says, even when the keyholder says yes to everything."""
    out = request.with_name(f"{request.stem}-refused.sa1")
    home = stage.place.home("keyholder-1")
    done = commands.signer(home, "sign", "--request", request, "--out", out, answer="y\n")
    if not done.stdout.strip():
        return done.code
    body = commands.Outcome(returncode=0, stdout=done.stdout, stderr="").json()
    return str(body.get("code", ""))


def _api_code(call: Callable[[], object]) -> str:
    try:
        call()
    except ApiError as error:
        return error.code
    return ""
