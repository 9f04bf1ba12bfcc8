"""The service as it runs: `glaytos-wallet serve` in a process of its own, over a bench's database.

Its one network has no node: what asks for one fails and waits an hour, all else does its work.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from signer.protocol import public_key_of
from wallet.api.keys import ApiKey, create_key, scopes_of
from wallet.bootstrap import new_id, random_bytes
from wallet.client import Credentials, write_credentials
from wallet.demo.deployment import DemoDeployment
from wallet.demo.process import ServiceProcess
from wallet.devnet.processes import free_port
from wallet.signing.coordinator import create_coordinator
from wallet.store.database import Database
from wallet.webhooks.secrets import create_service_key

POLICY = Path(__file__).parents[2] / "config" / "policies" / "service.toml"


@contextmanager
def service(database: Database, url: str, folder: Path, asset: str) -> Iterator[Credentials]:
    """An API key of the service over `url`, once it answers; `folder` is empty."""
    place = DemoDeployment(root=folder)
    folder.joinpath("data").mkdir(mode=0o700)
    create_coordinator(place.coordinator_key, random_bytes)
    create_service_key(folder / "service.key", random_bytes)
    port = free_port()
    place.config.write_text(_settings(place, url, port, asset), encoding="utf-8")
    credentials = _key(database, f"http://127.0.0.1:{port}")
    write_credentials(place.credentials, credentials)
    process = ServiceProcess(place)
    process.start()
    try:
        yield credentials
    finally:
        process.stop()


def _key(database: Database, url: str) -> Credentials:
    seed, key_id = secrets.token_bytes(32), new_id()
    with database.write() as tx:
        key = ApiKey(
            id=key_id,
            name="bench",
            public_key=public_key_of(seed),
            scopes=scopes_of(("all",)),
            addresses_allowed=("127.0.0.0/8",),
            created_s=0,
            revoked_s=None,
        )
        create_key(tx, key)
    return Credentials(url=url, key_id=key_id, private_key=seed)


def _settings(place: DemoDeployment, url: str, port: int, asset: str) -> str:
    return f"""data_dir = "{place.root / "data"}"
database_url = "{url}"
api_host = "127.0.0.1"
api_port = {port}
policy_file = "{POLICY}"
vault_files = []
coordinator_key_file = "{place.coordinator_key}"
service_key_file = "{place.root / "service.key"}"
signers = []
staff = []
approvals_required = 1

[[networks]]
id = "bitcoin-regtest"
family = "utxo"
params = "bitcoin-regtest"
node_url = "http://127.0.0.1:9"
poll_ms = 3600000

[[assets]]
code = "{asset}"
network = "bitcoin-regtest"
decimals = 8
"""
