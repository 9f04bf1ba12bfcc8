"""Set a whole deployment up on development chains: signers, vaults, policies, settings, staff.

Every key is made by the signer's own commands in its own process; this side only ever sees public
keys, as the people who set a real deployment up would carry them from machine to machine.
"""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chains.evm.accounts import address_of_key, first_public_key
from chains.evm.addresses import checksum
from chains.hd import KeyOrigin
from chains.utxo.descriptors import Template, multisig_descriptor
from signer.protocol import public_key_of
from wallet.api.keys import ApiKey, create_key, scopes_of
from wallet.bootstrap import new_id, open_deployment, random_bytes
from wallet.client import Credentials, write_credentials
from wallet.demo import commands, settings_text
from wallet.demo.commands import CommandFailed
from wallet.devnet.devnet import NodeStatus
from wallet.devnet.evm import Contracts
from wallet.devnet.processes import free_port
from wallet.signing.coordinator import create_coordinator
from wallet.treasury.staff_keys import create_staff_key
from wallet.webhooks.secrets import create_service_key

BTC, LTC, ETH = "bitcoin-regtest", "litecoin-regtest", "ethereum-31337"
STAFF = ("anna", "boris", "chen")
HOT_SIGNERS = ("hot-a", "hot-b")
KEYHOLDERS = ("keyholder-1", "keyholder-2", "keyholder-3")
RECOVERY = "recovery"

_KDF_MEMORY_MIB = "64"
"""The floor: development keys are worth nothing, and six homes are made at once."""

_SAFE_VERSION = "1.4.1"
Progress = Callable[[str], None]


class Ground(Protocol):
    """Development chains to stand on, real or simulated."""

    @property
    def contracts(self) -> Contracts:
        """What is deployed."""
        ...

    def status(self) -> Sequence[NodeStatus]:
        """The nodes."""
        ...

    def deploy_safe(self, owners: Sequence[str], threshold: int) -> str:
        """A new Safe's address."""
        ...

    def deploy_sweeper(self, treasury: str) -> str:
        """The sweeper of a hot account; "" on ground where contracts do not run."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoDeployment:
    """Where everything of a deployment lies."""

    root: Path

    @property
    def config(self) -> Path:
        """The service's settings file."""
        return self.root / "wallet.toml"

    @property
    def credentials(self) -> Path:
        """The API key of the exchange's backend."""
        return self.root / "exchange.json"

    @property
    def coordinator_key(self) -> Path:
        """The key that requests to signers are sealed with."""
        return self.root / "coordinator.key"

    def home(self, signer_id: str) -> Path:
        """A signer's home folder; on real ground, on a machine of its own."""
        return self.root / "signers" / signer_id

    def vault(self, name: str) -> Path:
        """A vault file."""
        return self.root / "vaults" / f"{name}.toml"

    def staff_key(self, name: str) -> Path:
        """A staff member's own key file; its passphrase lies beside it."""
        return self.root / "staff" / f"{name}.json"

    def staff_options(self, name: str) -> tuple[str | Path, ...]:
        """How a command is told to act as a staff member."""
        key = self.staff_key(name)
        return ("--key", key, "--passphrase-file", key.with_suffix(".passphrase"))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysMade:
    """Public halves of all keys, made before any chain is needed."""

    place: DemoDeployment
    identities: Mapping[str, str]
    staff: Mapping[str, str]
    accounts: Mapping[tuple[str, str], KeyOrigin]


def make_keys(root: Path) -> KeysMade:
    """Six signers and three members of staff in a fresh `root`. Raises CommandFailed."""
    place = DemoDeployment(root=root)
    for folder in ("signers", "vaults", "staff", "data"):
        root.joinpath(folder).mkdir(mode=0o700, parents=True)
    everyone = (*HOT_SIGNERS, RECOVERY, *KEYHOLDERS)
    accounts: dict[tuple[str, str], KeyOrigin] = {}
    with ThreadPoolExecutor(max_workers=2) as pool:
        identities = dict(zip(everyone, pool.map(lambda s: _init(place, s), everyone), strict=True))
        staff = dict(zip(STAFF, pool.map(lambda s: _staff_key(place, s), STAFF), strict=True))
        for found in pool.map(lambda s: _account_keys(place, s), everyone):
            accounts |= found
    create_coordinator(place.coordinator_key, random_bytes)
    create_service_key(root / "service.key", random_bytes)
    return KeysMade(place=place, identities=identities, staff=staff, accounts=accounts)


def provision(
    made: KeysMade,
    policies: Path,
    devnet: Ground,
    progress: Progress,
    port: int = 0,
    canary: str = "",
) -> DemoDeployment:
    """Vaults, policies and settings over these keys and chains; port 0 takes a free one.

    `canary` is the external id of the account that canaries fly for, "" for none. Raises
    CommandFailed.
    """
    place = made.place
    progress("writing vaults, deploying the Safe")
    _write_vaults(place, devnet, made.accounts)
    progress("activating limits and policies, registering vaults")
    coordinator = public_key_of(bytes.fromhex(place.coordinator_key.read_text().strip())).hex()
    sweeper = devnet.deploy_sweeper(_hot_account(made.accounts))
    text = settings_text.signer_toml(coordinator, made.staff, devnet.contracts, sweeper)
    place.root.joinpath("signer.toml").write_text(text)
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda s: _activate(place, policies, s), (*HOT_SIGNERS, *KEYHOLDERS)))
    place.config.write_text(
        settings_text.wallet_toml(
            place=place,
            policy=policies / "service.toml",
            nodes={node.network: node for node in devnet.status()},
            contracts=devnet.contracts,
            identities=made.identities,
            staff=made.staff,
            sweeper=sweeper,
            canary=canary,
            port=port or free_port(),
        )
    )
    _create_api_key(place)
    return place


def _init(place: DemoDeployment, signer_id: str) -> str:
    home = place.home(signer_id)
    _write_secret(home.with_suffix(".passphrase"))
    made = commands.signer(
        home,
        "init",
        "--id",
        signer_id,
        "--kdf-memory-mib",
        _KDF_MEMORY_MIB,
        "--only-system-entropy",
    )
    return str(made.json()["identity"])


def _staff_key(place: DemoDeployment, name: str) -> str:
    passphrase = place.staff_key(name).with_suffix(".passphrase")
    _write_secret(passphrase)
    text = passphrase.read_text().strip()
    return create_staff_key(place.staff_key(name), name, text, random_bytes).public_key.hex()


def _write_secret(path: Path) -> None:
    path.touch(mode=0o600)
    path.write_text(secrets.token_urlsafe(24) + "\n")


_MULTISIG = ((BTC, "multisig", "0"), (LTC, "multisig", "1"))
"""Regtest chains share a coin type, so each vault takes an account of its own."""

_ACCOUNTS: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "hot-a": (*_MULTISIG, (ETH, "evm", "0")),
    "hot-b": (*_MULTISIG, (ETH, "evm", "1")),
    RECOVERY: _MULTISIG,
    **dict.fromkeys(KEYHOLDERS, (*_MULTISIG, (ETH, "evm", "0"))),
}
"""The account keys that each signer gives: network, use, account number."""

Keys = Mapping[tuple[str, str], KeyOrigin]
"""Account keys by signer and network."""


def _account_keys(place: DemoDeployment, signer_id: str) -> dict[tuple[str, str], KeyOrigin]:
    found = {}
    for network, use, account in _ACCOUNTS[signer_id]:
        options = ("--network", network, "--use", use, "--account", account)
        answer = commands.signer(place.home(signer_id), "xpub", *options).json()
        found[signer_id, network] = KeyOrigin.parse(answer["key"])
    return found


def _write_vaults(place: DemoDeployment, devnet: Ground, keys: Keys) -> None:
    for network, coin in ((BTC, "bitcoin"), (LTC, "litecoin")):
        for kind, holders in (("hot", (*HOT_SIGNERS, RECOVERY)), ("cold", KEYHOLDERS)):
            theirs = [keys[holder, network] for holder in holders]
            descriptor = multisig_descriptor(Template.WSH_MULTI, 2, theirs)
            fields = {"network": network, "kind": "descriptor", "descriptor": descriptor}
            _write_vault(place, f"{coin}-{kind}", fields)
    hot = {"key": keys["hot-a", ETH].text, "address": _hot_account(keys)}
    fields = {"network": ETH, "kind": "address", **hot}
    _write_vault(place, "ethereum-hot", fields)
    deposit = {"network": ETH, "kind": "keys", "key": keys["hot-b", ETH].text}
    _write_vault(place, "ethereum-deposit", deposit)
    _write_safe(place, devnet, [keys[holder, ETH] for holder in KEYHOLDERS])


def _hot_account(keys: Keys) -> str:
    return checksum(address_of_key(first_public_key(keys["hot-a", ETH])))


def _write_safe(place: DemoDeployment, devnet: Ground, keys: Sequence[KeyOrigin]) -> None:
    owners = [checksum(address_of_key(first_public_key(key))) for key in keys]
    fields: dict[str, str | int | Sequence[str]] = {
        "network": ETH,
        "kind": "safe",
        "chain_id": 31337,
        "address": devnet.deploy_safe(owners, 2),
        "version": _SAFE_VERSION,
        "singleton": devnet.contracts.safe_singleton,
        "owners": owners,
        "threshold": 2,
        "keys": [key.text for key in keys],
    }
    _write_vault(place, "ethereum-cold", fields)


def _write_vault(
    place: DemoDeployment, name: str, fields: Mapping[str, str | int | Sequence[str]]
) -> None:
    # A TOML string, number and list of strings are written as JSON writes them.
    lines = [f"{key} = {json.dumps(value)}" for key, value in {"name": name, **fields}.items()]
    place.vault(name).write_text("\n".join(lines) + "\n")


_ROLES = {
    "bitcoin-hot": "hot",
    "bitcoin-cold": "cold",
    "litecoin-hot": "hot",
    "litecoin-cold": "cold",
    "ethereum-hot": "hot",
    "ethereum-deposit": "deposit",
    "ethereum-cold": "cold",
}
VAULTS = tuple(_ROLES)


def _activate(place: DemoDeployment, policies: Path, signer_id: str) -> None:
    home = place.home(signer_id)
    policy = "hot-signer.toml" if signer_id in HOT_SIGNERS else "keyholder.toml"
    commands.signer(
        home,
        "configure",
        "--config",
        place.root / "signer.toml",
        "--policy",
        policies.joinpath(policy),
        "--yes",
    ).json()
    files = [part for name in _ROLES for part in ("--file", place.vault(name))]
    roles = [part for role in _ROLES.values() for part in ("--role", role)]
    registered = commands.signer(home, "register", *files, *roles, "--yes")
    if registered.returncode:
        raise CommandFailed(f"{signer_id}: {registered.stdout.strip()[-300:]}")


def _create_api_key(place: DemoDeployment) -> None:
    seed = secrets.token_bytes(32)
    deployment = open_deployment(place.config)
    try:
        key = ApiKey(
            id=new_id(),
            name="exchange",
            public_key=public_key_of(seed),
            scopes=scopes_of(["all"]),
            addresses_allowed=(),
            created_s=deployment.clock.now_s(),
            revoked_s=None,
        )
        with deployment.database.write() as tx:
            create_key(tx, key)
        url = f"http://{deployment.settings.api_host}:{deployment.settings.api_port}"
    finally:
        deployment.close()
    write_credentials(place.credentials, Credentials(url=url, key_id=key.id, private_key=seed))
