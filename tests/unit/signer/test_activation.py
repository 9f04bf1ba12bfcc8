"""New limits take effect only with the quorum of the people that the old ones name."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from signer.__main__ import build_app
from signer.activation import (
    ApprovedTwice,
    NotGovernance,
    OtherProposal,
    PreviousMissing,
    QuorumMissing,
    read_approval,
)
from signer.config import ConfigError, load_config
from signer.errors import ProtocolError, Refused, SignerError
from signer.home import Home
from signer.protocol import (
    APPROVAL,
    Approval,
    Proposal,
    Sealed,
    digest,
    dump,
    identity_sign,
    public_key_of,
)
from tests.signer_world import CONFIG, NOW_S, PASSPHRASE, POLICY, STAFF, World, an_intent

GOVERNORS = {name: hashlib.sha256(name.encode()).digest() for name in ("gina", "hugo", "ines")}
ROSTER = "".join(
    f'[[approvers]]\nid = "{name}"\nrole = "governance"\nkey = "{public_key_of(seed).hex()}"\n'
    for name, seed in GOVERNORS.items()
)
GOVERNED = f"governance_quorum = 2\n{CONFIG}{ROSTER}".encode()
LOOSER = POLICY.replace("order_units_max = 500000000\n", "order_units_max = 600000000\n").encode()
RUNNER = CliRunner()


def approval(name: str, about: bytes, seed: bytes | None = None) -> Approval:
    body = Approval.body_of(name, about, NOW_S)
    seed = seed or {**GOVERNORS, **STAFF}[name]
    return Approval(body=body, sig=identity_sign(seed, digest(APPROVAL, body)))


@pytest.fixture
def governed(hot: Home) -> Home:
    """A home whose activated configuration asks for two of three."""
    hot.configure(GOVERNED, POLICY.encode(), NOW_S)
    return hot


def test_a_quorum_activates_new_limits(governed: Home) -> None:
    about = governed.proposal(GOVERNED, LOOSER).digest
    before = governed.log.counter

    governed.configure(GOVERNED, LOOSER, NOW_S, [approval("gina", about), approval("ines", about)])

    assert governed.activated().policy_sha256 == hashlib.sha256(LOOSER).digest()
    assert governed.log.counter == before + 1


def test_without_a_configured_quorum_whoever_unlocks_may_activate(hot: Home) -> None:
    hot.configure(CONFIG.encode(), LOOSER, NOW_S)

    assert hot.activated().policy_sha256 == hashlib.sha256(LOOSER).digest()


@pytest.mark.parametrize(
    ("names", "error"),
    [
        ([], QuorumMissing),
        (["gina"], QuorumMissing),
        (["gina", "gina"], ApprovedTwice),
        (["gina", "alice"], NotGovernance),
    ],
)
def test_too_few_of_the_right_people_activate_nothing(
    governed: Home, names: list[str], error: type[SignerError]
) -> None:
    about = governed.proposal(GOVERNED, LOOSER).digest

    with pytest.raises(error):
        governed.configure(GOVERNED, LOOSER, NOW_S, [approval(name, about) for name in names])

    assert governed.activated().policy_sha256 == hashlib.sha256(POLICY.encode()).digest()
    assert not governed.path.joinpath(
        "config", f"{hashlib.sha256(LOOSER).hexdigest()}.toml"
    ).exists()


@pytest.mark.parametrize(
    ("name", "seed", "code"),
    [
        ("mallory", b"\x07" * 32, "approval.unknown_person"),
        ("hugo", b"\x07" * 32, "approval.bad_signature"),
    ],
)
def test_a_forged_approval_refuses_it_all(
    governed: Home, name: str, seed: bytes, code: str
) -> None:
    about = governed.proposal(GOVERNED, LOOSER).digest
    given = [approval("gina", about), approval("ines", about), approval(name, about, seed)]

    with pytest.raises(Refused) as refused:
        governed.configure(GOVERNED, LOOSER, NOW_S, given)

    assert refused.value.code == code


def test_an_approval_of_an_intent_changes_no_limits(governed: Home) -> None:
    given = [approval(name, an_intent().digest) for name in ("gina", "hugo")]

    with pytest.raises(OtherProposal):
        governed.configure(GOVERNED, LOOSER, NOW_S, given)


def test_an_approval_works_once_and_for_one_signer(governed: Home, cold: Home) -> None:
    about = governed.proposal(GOVERNED, LOOSER).digest
    given = [approval(name, about) for name in ("gina", "hugo")]
    cold.configure(GOVERNED, POLICY.encode(), NOW_S)

    with pytest.raises(OtherProposal):
        cold.configure(GOVERNED, LOOSER, NOW_S, given)
    governed.configure(GOVERNED, LOOSER, NOW_S, given)
    back = governed.proposal(GOVERNED, POLICY.encode()).digest
    returning = [approval(name, back) for name in ("gina", "hugo")]
    governed.configure(GOVERNED, POLICY.encode(), NOW_S, returning)
    with pytest.raises(OtherProposal):
        governed.configure(GOVERNED, LOOSER, NOW_S, given)


def test_new_people_cannot_approve_their_own_arrival(governed: Home) -> None:
    """The roster that counts is the activated one, never the proposed one."""
    own = b"\x09" * 32
    added = (
        f'[[approvers]]\nid = "mallory"\nrole = "governance"\nkey = "{public_key_of(own).hex()}"\n'
    )
    wanted = GOVERNED + added.encode()
    about = governed.proposal(wanted, POLICY.encode()).digest
    given = [approval("gina", about), approval("mallory", about, own)]

    with pytest.raises(Refused) as refused:
        governed.configure(wanted, POLICY.encode(), NOW_S, given)

    assert refused.value.code == "approval.unknown_person"


def test_the_quorum_outlives_the_process_and_the_loss_of_its_file(world: World) -> None:
    home = world.open("hot")
    home.configure(GOVERNED, POLICY.encode(), NOW_S)
    home.close()
    for file in (world.root / "hot" / "config").iterdir():
        file.unlink()

    home = Home(world.root / "hot", any_config=True)
    home.unlock(world.kek)
    with pytest.raises(PreviousMissing):
        home.configure(CONFIG.encode(), LOOSER, NOW_S)
    home.close()


def test_a_lost_file_without_a_quorum_can_be_configured_again(world: World) -> None:
    for file in (world.root / "hot" / "config").iterdir():
        file.unlink()

    home = Home(world.root / "hot", any_config=True)
    home.unlock(world.kek)
    assert "the activated files are lost" in home.proposal(CONFIG.encode(), LOOSER).lines()[0]
    home.configure(CONFIG.encode(), LOOSER, NOW_S)
    home.close()


def test_a_quorum_that_nobody_could_reach_is_refused() -> None:
    with pytest.raises(ConfigError, match="governance_quorum"):
        load_config(f"governance_quorum = 1\n{CONFIG}".encode(), POLICY.encode())


def test_the_log_keeps_who_approved(governed: Home) -> None:
    about = governed.proposal(GOVERNED, LOOSER).digest
    given = [approval("gina", about), approval("ines", about)]
    offset = governed.log._size

    governed.configure(GOVERNED, LOOSER, NOW_S, given)

    kept = governed.log.read(offset).data
    assert kept["approvals"] == [[one.body, one.sig] for one in given]
    assert kept["governance_quorum"] == 2


def test_a_proposal_says_what_changes_and_which_way() -> None:
    policy = POLICY.replace("tx_units_max = 600000000", "tx_units_max = 700000000", 1)
    policy = policy.replace("approvals = 2", "approvals = 3")
    config = GOVERNED.replace(b"clock_skew_s = 300", b"clock_skew_s = 900")
    config = config.replace(b"governance_quorum = 2", b"governance_quorum = 1")
    config = config.replace(b"inputs_max = 20\n", b"inputs_max = 10\n")
    stranger = f'[[approvers]]\nid = "x\\u202e"\nkey = "{"ab" * 32}"\n'.encode()
    proposal = Proposal(
        signer_id="hot",
        number=2,
        previous_config=GOVERNED,
        previous_policy=POLICY.encode(),
        config=config + stranger,
        policy=policy.encode(),
    )

    lines = proposal.lines()

    place = "withdrawal of BTC on bitcoin-regtest from any source"
    assert f"LOOSER  {place}: tx_units_max: 600000000 -> 700000000" in lines
    assert (
        f"tighter {place}: tiers: 0 approvals from 0, 2 approvals from 200000000 ->"
        " 0 approvals from 0, 3 approvals from 200000000"
    ) in lines
    assert "LOOSER  signer.toml: clock_skew_s: 300 -> 900" in lines
    assert "LOOSER  signer.toml: governance_quorum: 2 -> 1" in lines
    assert "tighter signer.toml: networks bitcoin-regtest: inputs_max: 20 -> 10" in lines
    assert any(line.startswith("LOOSER  signer.toml: approvers x?: not there ->") for line in lines)
    assert any(line.startswith("check words: ") for line in lines)
    assert all(line.isprintable() for line in lines)


def test_a_proposal_travels_whole_and_only_whole() -> None:
    proposal = Proposal(
        signer_id="hot", number=1, previous_config=b"", previous_policy=b"",
        config=GOVERNED, policy=POLICY.encode(),
    )  # fmt: skip

    assert Proposal.decode(proposal.encode()) == proposal
    with pytest.raises(ProtocolError, match="expected a proposal"):
        Proposal.decode(proposal.encode().replace(b"cGP1", b"cGP2"))
    with pytest.raises(ProtocolError):
        Proposal.decode(proposal.encode()[:-1])


@pytest.mark.parametrize("change", ["signer_id", "number", "config", "policy", "previous_config"])
def test_the_digest_covers_everything(change: str) -> None:
    values: dict[str, Any] = {
        "signer_id": "hot", "number": 2, "previous_config": b"a", "previous_policy": b"b",
        "config": b"c", "policy": b"d",
    }  # fmt: skip
    other = {"signer_id": "cold", "number": 3}.get(change, b"x")

    assert Proposal(**values).digest != Proposal(**{**values, change: other}).digest


@pytest.mark.parametrize("text", [b"version = ", b"version = 2", b"\xff", b"x" * 300_000])
def test_a_proposal_that_does_not_load_is_said(text: bytes) -> None:
    proposal = Proposal(
        signer_id="hot", number=1, previous_config=b"", previous_policy=b"",
        config=GOVERNED, policy=text,
    )  # fmt: skip

    with pytest.raises(ProtocolError):
        proposal.lines()


@pytest.mark.parametrize("data", [b"", b"\xa0", dump({"t": "SA1", "body": b"", "sig": b""})])
def test_a_file_that_is_no_approval_is_said(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_approval(data)


def run(*arguments: object, typed: str = "") -> Result:
    return RUNNER.invoke(build_app(), [str(argument) for argument in arguments], input=typed)


def test_propose_and_configure_at_the_keyboard(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signer.cli.terminal.now_s", lambda: NOW_S)
    home = world.open("hot")
    home.configure(GOVERNED, POLICY.encode(), NOW_S)
    home.close()
    secret, new = tmp_path / "passphrase", tmp_path / "policy.toml"
    secret.write_bytes(PASSPHRASE)
    new.write_bytes(LOOSER)
    (tmp_path / "signer.toml").write_bytes(GOVERNED)
    files = ["--home", world.root / "hot", "--config", tmp_path / "signer.toml", "--policy", new]

    proposed = run("propose", *files, "--out", tmp_path / "proposal", "--json")
    told = json.loads(proposed.stdout)
    proposal = Proposal.decode((tmp_path / "proposal").read_bytes())
    approvals = []
    for name in ("gina", "hugo"):
        given = approval(name, proposal.digest)
        (tmp_path / name).write_bytes(Sealed(APPROVAL, given.body, given.sig).encode())
        approvals += ["--approval", tmp_path / name]
    unlocking = ["--passphrase-file", secret]
    few = run("configure", *files, *approvals[:2], *unlocking, "--yes", "--json")
    declined = run("configure", *files, *approvals, *unlocking, typed="\n")
    done = run("configure", *files, *approvals, *unlocking, typed="y\n")

    assert told["digest"] == proposal.digest.hex()
    assert told["quorum"] == 2
    assert json.loads(few.stdout)["code"] == "activation.quorum"
    assert declined.exit_code == 1
    assert "person.declined" in declined.stderr
    assert "LOOSER  withdrawal of BTC" in done.stderr
    assert done.exit_code == 0, done.output
