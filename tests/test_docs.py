"""Documents keep step: every command, target and link in them exists, and the reverse."""

import pkgutil
import re
import tomllib

import pytest

from tests.conftest import ROOT
from tests.test_tidy import PACKAGES
from wallet import cli

DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (".", *PACKAGES)
    for path in (ROOT / folder).glob("*.md")
)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text_of(name))
    missing = [link for link in links if not (ROOT / name).parent.joinpath(link).exists()]
    assert not missing


def test_readme_names_every_make_target_and_no_other() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", text_of("Makefile"), flags=re.MULTILINE)
    assert phony is not None
    targets = set(phony[1].split()) - {"help", "base", "online", "dev"}
    assert set(re.findall(r"`make ([a-z-]+)`", text_of("README.md"))) == targets


def test_readme_names_every_command() -> None:
    commands = {module.name.replace("_", "-") for module in pkgutil.iter_modules(cli.__path__)}
    named = set(re.findall(r"`glaytos-wallet ([a-z-]+)", text_of("README.md")))
    assert named == commands


def test_changelog_has_this_version() -> None:
    version = tomllib.loads(text_of("pyproject.toml"))["project"]["version"]
    assert f"\n## {version} " in text_of("CHANGELOG.md")


@pytest.mark.parametrize(("small", "large"), [("base", "online"), ("online", "dev")])
def test_lock_files_agree(small: str, large: str) -> None:
    pins = {name: set(pinned(name)) for name in (small, large)}
    assert pins[small] < pins[large]


@pytest.mark.parametrize(
    ("name", "extras"),
    [("base", []), ("online", ["online"]), ("dev", ["online", "dev", "hsm", "scan"])],
)
def test_lock_files_hold_every_requirement(name: str, extras: list[str]) -> None:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    names = {re.split(r"[^A-Za-z0-9_.-]", each)[0].lower().replace("_", "-") for each in wanted}
    assert names <= {pin.split("==")[0] for pin in pinned(name)}


@pytest.mark.parametrize("name", ["build", "base", "online", "dev"])
def test_every_locked_package_has_hashes(name: str) -> None:
    entries = re.split(r"\n(?=\S)", text_of(f"config/requirements/{name}.lock").strip())
    assert entries
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def pinned(name: str) -> list[str]:
    found = re.findall(r"^(\S+==\S+)", text_of(f"config/requirements/{name}.lock"), re.MULTILINE)
    assert found
    return found


def test_every_config_file_is_mentioned() -> None:
    documents = "".join(text_of(name) for name in DOCUMENTS)
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "config").rglob("*.toml")}
    assert [name for name in sorted(files) if name not in documents] == []
