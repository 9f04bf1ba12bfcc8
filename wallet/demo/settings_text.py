"""The text of the demo deployment's settings files."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from wallet.devnet.devnet import NodeStatus
from wallet.devnet.evm import Contracts

CANARY = "canary"
"""The external id of the account whose money flies as canaries."""

_SIGNER_SOURCES = {
    "hot-a": ("bitcoin-hot", "litecoin-hot", "ethereum-hot"),
    "hot-b": ("bitcoin-hot", "litecoin-hot", "ethereum-deposit"),
    "keyholder-1": ("bitcoin-cold", "litecoin-cold", "ethereum-cold"),
    "keyholder-2": ("bitcoin-cold", "litecoin-cold", "ethereum-cold"),
    "keyholder-3": ("bitcoin-cold", "litecoin-cold", "ethereum-cold"),
}


class Place(Protocol):
    """Where the files of a deployment lie."""

    @property
    def root(self) -> Path:
        """The deployment's folder."""
        ...

    @property
    def coordinator_key(self) -> Path:
        """The coordinator's key file."""
        ...

    def home(self, signer_id: str) -> Path:
        """A signer's home."""
        ...

    def vault(self, name: str) -> Path:
        """A vault file."""
        ...


def signer_toml(
    coordinator: str, staff: Mapping[str, str], contracts: Contracts, sweeper: str
) -> str:
    """`signer.toml` of every signer: who may ask, who may approve, hard limits by network."""
    batches = f'sweeper = "{sweeper}"\nbatch_gas_limit_max = 10000000\n' if sweeper else ""
    approvers = "\n".join(
        f'[[approvers]]\nid = "{name}"\nrole = "treasurer"\nkey = "{key}"\n'
        for name, key in staff.items()
    )
    return f"""coordinators = ["{coordinator}"]
clock_skew_s = 300
request_lifetime_s_max = 604800

[[networks]]
id = "bitcoin-regtest"
asset = "BTC"
fee_units_max = 200000
fee_ppm_max = 50000
feerate_max = 500000

[[networks]]
id = "litecoin-regtest"
asset = "LTC"
fee_units_max = 2000000
fee_ppm_max = 50000
feerate_max = 5000000

[[networks]]
id = "ethereum-31337"
asset = "ETH"
chain_id = 31337
fee_units_max = "50000000000000000"
fee_ppm_max = 100000
feerate_max = "500000000000"
gas_limit_max = 1000000
nonce_gap_max = 16
{batches}
[[networks.tokens]]
code = "DUSD"
contract = "{contracts.tokens["DUSD"]}"
decimals = 6
symbol = "DUSD"

[[networks.tokens]]
code = "DGLD"
contract = "{contracts.tokens["DGLD"]}"
decimals = 18
symbol = "DGLD"

{approvers}"""


def wallet_toml(
    *,
    place: Place,
    policy: Path,
    nodes: Mapping[str, NodeStatus],
    contracts: Contracts,
    identities: Mapping[str, str],
    staff: Mapping[str, str],
    sweeper: str,
    canary: str,
    port: int,
) -> str:
    """`wallet.toml` of the service."""
    vaults = json.dumps([str(path) for path in sorted(place.root.joinpath("vaults").iterdir())])
    head = f"""data_dir = "{place.root / "data"}"
database_url = "sqlite:///{place.root / "data" / "wallet.sqlite"}"
api_host = "127.0.0.1"
api_port = {port}
policy_file = "{policy}"
vault_files = {vaults}
coordinator_key_file = "{place.coordinator_key}"
service_key_file = "{place.root / "service.key"}"
approvals_required = 2
webhooks_private_allowed = true
canary_account = "{canary}"
"""
    signers = "\n".join(
        f"""[[signers]]
id = "{signer_id}"
command = {json.dumps(_command(place, signer_id))}
public_key = "{identities[signer_id]}"
sources = {json.dumps(sources)}
"""
        for signer_id, sources in _SIGNER_SOURCES.items()
    )
    people = "\n".join(
        f'[[staff]]\nid = "{name}"\nname = "{name.title()}"\npublic_key = "{key}"\n'
        for name, key in staff.items()
    )
    return "\n".join([head, _networks(nodes, sweeper), _assets(contracts), signers, people])


def _command(place: Place, signer_id: str) -> list[str]:
    if not signer_id.startswith("hot-"):
        return []
    home = place.home(signer_id)
    passphrase = home.with_suffix(".passphrase")
    start = [sys.executable, "-m", "signer", "serve-stdio"]
    return [*start, "--home", str(home), "--passphrase-file", str(passphrase)]


def _networks(nodes: Mapping[str, NodeStatus], sweeper: str) -> str:
    return f"""[[networks]]
id = "bitcoin-regtest"
family = "utxo"
params = "bitcoin-regtest"
node_url = "{nodes["bitcoin-regtest"].url}"
start_height = {nodes["bitcoin-regtest"].height}
poll_ms = 500
batch_wait_s = 1
fee_units_max = "200000"
fee_ppm_max = 50000
feerate_min = 2000
feerate_max = 500000
hot = "bitcoin-hot"
cold = "bitcoin-cold"
deposit = "bitcoin-hot"

[[networks]]
id = "litecoin-regtest"
family = "utxo"
params = "litecoin-regtest"
node_url = "{nodes["litecoin-regtest"].url}"
start_height = {nodes["litecoin-regtest"].height}
poll_ms = 500
batch_wait_s = 1
fee_units_max = "2000000"
fee_ppm_max = 50000
feerate_min = 20000
feerate_max = 5000000
hot = "litecoin-hot"
cold = "litecoin-cold"
deposit = "litecoin-hot"

[[networks]]
id = "ethereum-31337"
family = "evm"
params = "ethereum-31337"
node_url = "{nodes["ethereum-31337"].url}"
start_height = {nodes["ethereum-31337"].height}
poll_ms = 500
fee_units_max = "50000000000000000"
fee_ppm_max = 100000
feerate_max = 500000000000
hot = "ethereum-hot"
cold = "ethereum-cold"
deposit = "ethereum-deposit"
sweeper = "{sweeper}"
"""


def _assets(contracts: Contracts) -> str:
    return f"""[[assets]]
code = "BTC"
network = "bitcoin-regtest"
decimals = 8
deposit_units_min = "10000"
confirmations = [
  {{ from_units = "0", confirmations = 2 }},
  {{ from_units = "100000000", confirmations = 4 }},
]
withdrawal_units_min = "10000"
withdrawal_fee_units = "20000"
canary_units = "20000"
hot_max = "100000000000"

[[assets]]
code = "LTC"
network = "litecoin-regtest"
decimals = 8
deposit_units_min = "100000"
confirmations = [{{ from_units = "0", confirmations = 2 }}]
withdrawal_units_min = "100000"
withdrawal_fee_units = "100000"
canary_units = "200000"
hot_max = "10000000000000"

[[assets]]
code = "ETH"
network = "ethereum-31337"
decimals = 18
deposit_units_min = "1000000000000000"
confirmations = [{{ from_units = "0", confirmations = 3 }}]
withdrawal_units_min = "1000000000000000"
withdrawal_fee_units = "1000000000000000"
gather_units_min = "10000000000000000"
canary_units = "2000000000000000"
hot_max = "10000000000000000000000"

[[assets]]
code = "DUSD"
network = "ethereum-31337"
decimals = 6
contract = "{contracts.tokens["DUSD"]}"
deposit_units_min = "1000000"
confirmations = [{{ from_units = "0", confirmations = 3 }}]
withdrawal_units_min = "1000000"
withdrawal_fee_units = "1000000"
gather_units_min = "10000000"
canary_units = "2000000"
hot_max = "100000000000000"

[[assets]]
code = "DGLD"
network = "ethereum-31337"
decimals = 18
contract = "{contracts.tokens["DGLD"]}"
deposit_units_min = "10000000000000000"
confirmations = [{{ from_units = "0", confirmations = 3 }}]
withdrawal_units_min = "10000000000000000"
withdrawal_fee_units = "10000000000000000"
gather_units_min = "100000000000000000"
canary_units = "20000000000000000"
hot_max = "100000000000000000000000"
"""
