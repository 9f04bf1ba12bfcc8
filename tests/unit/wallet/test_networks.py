"""Networks made from their settings: the node, the second node, and parameters that must exist."""

from dataclasses import replace

import pytest

from chains.evm.chain import EvmChain
from chains.utxo.chain import UtxoChain
from tests.conftest import ROOT
from wallet.bootstrap import Deployment
from wallet.clock import SystemClock
from wallet.networks import DeploymentError, evm_rules, utxo_rules
from wallet.settings import Settings
from wallet.settings_file import load_settings


@pytest.fixture
def settings() -> Settings:
    return load_settings(ROOT / "config" / "example.toml")


def test_only_networks_with_a_second_node_have_a_second_chain(settings: Settings) -> None:
    bitcoin, ethereum = settings.networks
    bitcoin = replace(bitcoin, second_node_url="http://127.0.0.1:1")
    deployment = Deployment(
        settings=replace(settings, networks=(bitcoin, ethereum)), clock=SystemClock()
    )
    (second,) = deployment.second_chains.values()
    first = deployment.chains[bitcoin.id]

    assert isinstance(second, UtxoChain)
    assert (first.network, first.assets) == (second.network, second.assets)
    assert isinstance(deployment.chains[ethereum.id], EvmChain)
    deployment.close()


def test_parameters_that_nobody_knows_are_refused(settings: Settings) -> None:
    bitcoin, ethereum = settings.networks

    with pytest.raises(DeploymentError):
        utxo_rules(replace(bitcoin, params="bitcoin-moonnet"))
    with pytest.raises(DeploymentError):
        evm_rules(replace(ethereum, params="ethereum-moonnet"))
