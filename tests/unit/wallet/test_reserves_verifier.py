"""The standalone verifier: what it takes, and every way it says no."""

import ast
import base64
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import coincurve
import pytest
from Crypto.Hash import RIPEMD160, keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.reserves_world import BTC, ETH, PEOPLE, Published, publish, rsv
from wallet.reserves.verifier import curve, hashes
from wallet.reserves.verifier.__main__ import main
from wallet.reserves.verifier.checking import check_package
from wallet.reserves.verifier.failures import Failed
from wallet.reserves.verifier.package import Package, canonical, read_package
from wallet.reserves.verifier.statement import read_statement

VERIFIER = ROOT / "wallet" / "reserves" / "verifier"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return publish(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def package(published: Published) -> Package:
    return published.read()


def codes(package: Package) -> list[str]:
    return [failed.code for failed in check_package(package).failures]


def changed(package: Package, change: Callable[[dict[str, Any]], None]) -> Package:
    """The package with another statement, whose signatures are for the one before."""
    statement = json.loads(canonical(dict(package.statement)))
    change(statement)
    return Package(statement, package.digest, package.proofs)


def statement_code(package: Package, change: Callable[[dict[str, Any]], None]) -> str:
    with pytest.raises(Failed) as caught:
        check_package(changed(package, change))
    return caught.value.code


def with_proof(package: Package, at: int, proof: Mapping[str, Any]) -> Package:
    proofs = list(package.proofs)
    proofs[at] = proof
    return Package(package.statement, package.digest, tuple(proofs))


def place_of(package: Package, kind: str) -> int:
    return next(at for at, proof in enumerate(package.proofs) if kind in proof)


def psbt_changed(package: Package, at: int, old: bytes, new: bytes) -> Package:
    raw = base64.b64decode(package.proofs[at]["bip322"][3:])
    assert old in raw
    return with_proof(
        package, at, {"bip322": "pof" + base64.b64encode(raw.replace(old, new, 1)).decode()}
    )


def test_a_publication_of_every_kind_of_vault_holds(package: Package) -> None:
    report = check_package(package)

    assert [] == report.failures
    assert {"BTC": 150_000_008, "ETH": 10**18, "DUSD": 2_500_000} == report.owed
    assert {"BTC": 200_000_005, "ETH": 11 * 10**17 + 1, "DUSD": 2_500_000} == report.held


def test_the_verifier_imports_the_standard_library_alone() -> None:
    for path in VERIFIER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names, path


def test_the_package_checks_itself_with_a_bare_python(published: Published, tmp_path: Path) -> None:
    path = published.package()
    command = [sys.executable, "-I", "-S", str(path), "check", str(path), "--json"]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path, check=False, timeout=120)

    assert 0 == done.returncode, done.stderr
    assert json.loads(done.stdout)["holds"] is True


def test_the_same_contents_are_the_same_bytes(published: Published) -> None:
    first = published.package().read_bytes()
    assert first == published.package().read_bytes()


def test_nothing_of_users_or_paths_is_in_the_package(published: Published) -> None:
    with zipfile.ZipFile(published.package()) as archive:
        told = archive.read("statement.json") + archive.read("proofs.json")
    assert b"user-" not in told
    assert b"clearing" not in told
    assert b"xpub" not in told
    assert b"branch" not in told


# What the package is made of


def rezipped(path: Path, target: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target


def package_code(path: Path) -> str:
    with pytest.raises(Failed) as caught:
        read_package(path)
    return caught.value.code


def remade(files: dict[str, bytes], name: str, data: bytes) -> None:
    """A file replaced, and the manifest with it."""
    digests = json.loads(files["manifest.json"])
    files[name] = data
    digests[name] = hashes.sha256(data).hex()
    files["manifest.json"] = canonical(digests)


def test_what_is_no_package_is_refused(published: Published, tmp_path: Path) -> None:
    path, other = published.package(), tmp_path / "other.zip"
    other.write_bytes(b"no zip")
    assert "package.unreadable" == package_code(other)
    assert "package.missing" == package_code(
        rezipped(path, other, lambda files: files.pop("proofs.json"))
    )
    for name in ("statement.json", "verifier/curve.py"):

        def longer(files: dict[str, bytes], name: str = name) -> None:
            files[name] += b" "

        assert "package.manifest" == package_code(rezipped(path, other, longer))
    assert "package.manifest" == package_code(
        rezipped(path, other, lambda files: files.update(more=b""))
    )
    assert "package.format" == package_code(
        rezipped(path, other, lambda files: remade(files, "statement.json", b'{"format":"x"}'))
    )
    assert "package.format" == package_code(
        rezipped(path, other, lambda files: remade(files, "proofs.json", b"{}"))
    )
    assert "package.format" == package_code(
        rezipped(path, other, lambda files: remade(files, "proofs.json", b"["))
    )
    assert "package.not_canonical" == package_code(
        rezipped(path, other, lambda files: remade(files, "proofs.json", b"[ ]"))
    )


def test_a_file_twice_or_too_large_is_refused(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "twice.zip"
    path.write_bytes(published.package().read_bytes())
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("statement.json", b"{}")
    assert "package.twice" == package_code(path)
    monkeypatch.setattr("wallet.reserves.verifier.package.FILE_BYTES_MAX", 10)
    assert "package.too_large" == package_code(published.package())


# What a statement says


def test_a_statement_of_another_shape_is_refused(package: Package) -> None:
    def code(change: Callable[[dict[str, Any]], None]) -> str:
        return statement_code(package, change)

    assert "statement.shape" == code(lambda s: s.update(more=1))
    assert "statement.shape" == code(lambda s: s.pop("operator"))
    assert "statement.shape" == code(lambda s: s.update(networks=[1]))
    assert "statement.shape" == code(lambda s: s.update(made_s=-1))
    assert "statement.shape" == code(lambda s: s.update(made_s=True))
    assert "statement.shape" == code(lambda s: s["liabilities"][0].update(units="-5"))
    assert "statement.shape" == code(lambda s: s["liabilities"][0].update(units="05"))
    assert "statement.shape" == code(lambda s: s["liabilities"][0].update(root="AB" * 32))
    assert "statement.shape" == code(lambda s: s["networks"][0].update(hash="11"))
    assert "statement.units" == code(lambda s: s["liabilities"][0].update(units=str(2**128)))
    assert "statement.depth" == code(lambda s: s["liabilities"][0].update(depth=41))
    assert "statement.twice" == code(lambda s: s["liabilities"].append(s["liabilities"][0]))
    assert "statement.twice" == code(lambda s: s["networks"].append(s["networks"][0]))
    assert "statement.network" == code(lambda s: s["networks"].pop())
    assert "statement.claim" == code(lambda s: s["claims"][0].update(kind="word of honour"))
    assert "statement.owners" == code(lambda s: s["claims"][-1].update(threshold=0))
    assert "statement.owners" == code(lambda s: s["claims"][-1].update(threshold=4))
    assert "statement.owners" == code(
        lambda s: s["claims"][-1]["owners"].append(s["claims"][-1]["owners"][0])
    )


def test_claims_below_what_is_owed_are_short(package: Package) -> None:
    def more(statement: dict[str, Any]) -> None:
        statement["liabilities"][0]["units"] = "200000006"

    assert "sums.short" in codes(changed(package, more))
    held = read_statement(package.statement).liabilities[0]
    assert "BTC" == held.asset


def test_what_is_owed_without_any_claim_is_short(tmp_path: Path) -> None:
    one = publish(tmp_path)
    one.claims = one.claims[:-3]
    one.statement["claims"] = one.statement["claims"][:-3]
    assert ["sums.short", "sums.short"] == codes(one.read())


def test_nothing_is_claimed_twice(package: Package) -> None:
    coins, safe = package.statement["claims"][0], package.statement["claims"][-1]

    def twice(claim: dict[str, Any]) -> list[str]:
        return codes(changed(package, lambda s: s["claims"].append(claim)))

    assert "claims.coin_twice" in twice(coins)
    assert "claims.account_twice" in twice(safe)
    assert "claims.proof_missing" in twice(coins)
    assert "claims.asset_twice" in codes(
        changed(package, lambda s: s["claims"][-1]["holds"].append(s["claims"][-1]["holds"][0]))
    )
    assert "claims.asset_mixed" in codes(
        changed(package, lambda s: s["claims"][-1]["holds"][0].update(contract="07" * 20))
    )
    assert "claims.asset_mixed" in codes(
        changed(package, lambda s: s["claims"][0].update(asset="ETH"))
    )


# Proofs


def test_a_proof_of_another_kind_is_refused(package: Package) -> None:
    at = place_of(package, "account")
    assert ["claims.proof_kind"] == codes(with_proof(package, 0, package.proofs[at]))
    assert ["claims.proof_kind"] == codes(with_proof(package, at, package.proofs[0]))
    assert ["claims.proof_kind"] == codes(with_proof(package, at, {"account": "xy"}))
    assert ["claims.proof_kind"] == codes(with_proof(package, at, {"account": 1}))


def test_a_proof_holds_for_its_own_statement_only(package: Package) -> None:
    other = Package(package.statement, bytes(32), package.proofs)
    expected = {"bip322.message", "account.signature", "safe.signature"}
    assert expected == set(codes(other))
    assert len(package.proofs) == len(codes(other))


def test_a_proof_holds_at_its_own_block_only(package: Package) -> None:
    later = changed(package, lambda s: s["networks"][0].update(height=501))
    assert ["bip322.message"] * 5 == codes(later)
    fork = changed(package, lambda s: s["networks"][1].update(hash="23" * 32))
    assert ["account.signature"] * 2 + ["safe.signature"] == codes(fork)


@pytest.mark.parametrize("at", range(5))
def test_a_proof_holds_for_its_own_coins_only(package: Package, at: int) -> None:
    def other_coin(statement: dict[str, Any]) -> None:
        statement["claims"][at]["coins"][0]["vout"] = 9

    def other_amount(statement: dict[str, Any]) -> None:
        statement["claims"][at]["coins"][0]["units"] = "40000001"

    def fewer(statement: dict[str, Any]) -> None:
        statement["claims"][at]["coins"].pop()

    assert ["bip322.coins"] == codes(changed(package, other_coin))
    assert ["bip322.coins"] == codes(changed(package, fewer))
    assert ["bip322.signature"] == codes(changed(package, other_amount))


def test_a_proof_of_another_form_is_refused(package: Package) -> None:
    good = package.proofs[0]["bip322"]

    def code(text: str) -> list[str]:
        return codes(with_proof(package, 0, {"bip322": text}))

    assert ["bip322.form"] == code("ful" + good[3:])
    assert ["bip322.form"] == code("pof!")
    assert ["bip322.form"] == code("pof" + base64.b64encode(b"other").decode())
    raw = base64.b64decode(good[3:])
    size = int.from_bytes(raw[8:10], "little") if raw[7] == 0xFD else raw[7]
    head = raw[5 : 7 + (3 if raw[7] == 0xFD else 1) + size]
    for twice in (raw[:5] + head + raw[5:],):
        assert ["bip322.form"] == code("pof" + base64.b64encode(twice).decode())
    assert ["bip322.form"] == code("pof" + base64.b64encode(b"tbsp" + raw[4:]).decode())
    for broken in (raw[:-1], raw + b"\x00", raw[:5] + b"\x00" + raw[5:]):
        assert ["bip322.form"] == code("pof" + base64.b64encode(broken).decode())


def test_what_could_be_a_payment_is_no_proof(package: Package) -> None:
    output = bytes(8) + b"\x01\x6a" + bytes(4)
    paying = (1).to_bytes(8, "little") + b"\x01\x6a" + bytes(4)
    assert ["bip322.outputs"] == codes(psbt_changed(package, 0, output, paying))
    to_somebody = bytes(8) + b"\x01\x51" + bytes(4)
    assert ["bip322.outputs"] == codes(psbt_changed(package, 0, output, to_somebody))
    late = bytes(8) + b"\x01\x6a" + b"\x09\x00\x00\x00"
    assert ["bip322.locktime"] == codes(psbt_changed(package, 0, output, late))
    raw = base64.b64decode(package.proofs[0]["bip322"][3:])
    start = raw.index(bytes(4) + b"\x03")
    other = raw[start : start + 5]
    assert ["bip322.version"] == codes(psbt_changed(package, 0, other, b"\x02" + other[1:]))


def test_an_output_of_an_unknown_kind_is_refused(package: Package) -> None:
    def legacy(statement: dict[str, Any]) -> None:
        statement["claims"][0]["coins"][0]["script"] = "76a914" + "00" * 20 + "88ac"

    assert ["bip322.script"] == codes(changed(package, legacy))


def test_another_redeem_script_is_refused(package: Package) -> None:
    nested = next(
        at
        for at, claim in enumerate(package.statement["claims"])
        if claim["kind"] == "coins" and claim["challenge"].startswith("a914")
    )

    def other(statement: dict[str, Any]) -> None:
        statement["claims"][nested]["coins"][0]["script"] = "a914" + "00" * 20 + "87"

    assert ["bip322.script"] == codes(changed(package, other))

    def bare(statement: dict[str, Any]) -> None:
        statement["claims"][nested]["coins"][0]["script"] = "0014" + "00" * 20

    assert ["bip322.script"] == codes(changed(package, bare))


def test_too_few_owners_are_no_safe(package: Package) -> None:
    at = place_of(package, "safe")
    packed = package.proofs[at]["safe"]
    first, second = packed[:130], packed[130:]

    def code(text: str) -> list[str]:
        return codes(with_proof(package, at, {"safe": text}))

    assert ["safe.threshold"] == code(first)
    assert ["safe.threshold"] == code(packed + first)
    assert ["safe.order"] == code(second + first)
    assert ["safe.order"] == code(first + first)
    assert ["safe.signature"] == code(first + rsv(PEOPLE[2], 9, bytes(32)).hex())


def test_an_account_signs_for_itself(package: Package) -> None:
    at = place_of(package, "account")
    other = {"account": rsv(PEOPLE[2], 0, bytes(32)).hex()}
    assert ["account.signature"] == codes(with_proof(package, at, other))
    assert ["account.signature"] == codes(with_proof(package, at, {"account": "00" * 65}))
    assert ["account.signature"] == codes(with_proof(package, at, {"account": ""}))


# The command line


def test_the_command_names_what_failed(
    published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    path = published.package(published.proofs()[:-1])
    assert 1 == main(["check", str(path)])
    told = capsys.readouterr().out
    assert "FAILED claims.proof_missing" in told
    assert "DO NOT RELY ON IT" in told
    assert 1 == main(["check", str(path), "--json"])
    body = json.loads(capsys.readouterr().out)
    assert (False, ["claims.proof_missing"]) == (
        body["holds"],
        [one["code"] for one in body["failures"]],
    )
    assert 1 == main(["check", str(path.with_name("none.zip"))])
    assert "FAILED package.unreadable" in capsys.readouterr().out


def test_a_block_that_no_node_showed_is_called_claimed(
    published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == main(["check", str(published.package())])
    told = capsys.readouterr().out
    assert f"claimed, ask a node of your own: {BTC} block 500 {'11' * 32}" in told
    assert f"claimed, ask a node of your own: {ETH} block 70 {'22' * 32}" in told
    assert "left out, as they are on no chain: GOLD" in told
    assert "Everything that was checked holds." in told


# The arithmetic, beside libraries


@given(st.binary(max_size=300))
@settings(max_examples=40, deadline=None)
def test_hashes_are_those_of_a_library(data: bytes) -> None:
    assert RIPEMD160.new(data).digest() == hashes.ripemd160(data)
    assert keccak.new(digest_bits=256, data=data).digest() == hashes.keccak256(data)


@given(st.binary(min_size=32, max_size=32), st.integers(1, 2**200))
@settings(max_examples=20, deadline=None)
def test_signatures_are_those_of_a_library(digest: bytes, secret: int) -> None:
    key = coincurve.PrivateKey.from_int(secret)
    public, der = key.public_key.format(), key.sign(digest, hasher=None)
    assert curve.verify_der(public, digest, der)
    assert not curve.verify_der(public, hashes.sha256(digest), der)
    assert not curve.verify_der(public, digest, der[:-1] + bytes([der[-1] ^ 1]))
    signed = key.sign_recoverable(digest, hasher=None)
    point = curve.recover(digest, signed[:64] + bytes([27 + signed[64]]))
    assert point is not None
    assert key.public_key.format(compressed=False)[1:] == curve.uncompressed(point)
    xonly = coincurve.PublicKeyXOnly.from_secret(key.secret).format()
    schnorr = key.sign_schnorr(digest, bytes(32))
    assert curve.verify_schnorr(xonly, digest, schnorr)
    assert not curve.verify_schnorr(xonly, hashes.sha256(digest), schnorr)


def test_a_high_s_is_another_signature_and_refused() -> None:
    key, digest = coincurve.PrivateKey.from_int(7), bytes(32)
    signed = key.sign_recoverable(digest, hasher=None)
    high = (curve.N - int.from_bytes(signed[32:64], "big")).to_bytes(32, "big")
    assert curve.recover(digest, signed[:32] + high + bytes([28 - signed[64]])) is None
    assert curve.recover(digest, signed[:64] + bytes([signed[64]])) is None
