"""Networks made from their settings: parameters, chains behind a node, and fee markets."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from chains.evm import params as evm_params
from chains.evm.chain import EvmChain
from chains.evm.fee_market import EvmFeeMarket
from chains.evm.node import EvmNode
from chains.evm.params import EvmParams
from chains.feerates import FeeMarket
from chains.ports import Chain
from chains.types import Asset, Family
from chains.utxo import params as utxo_params
from chains.utxo.chain import UtxoChain
from chains.utxo.fee_market import UtxoFeeMarket
from chains.utxo.node import UtxoNode
from chains.utxo.params import UtxoParams
from wallet.errors import Invalid
from wallet.settings import AssetSettings, NetworkSettings


class DeploymentError(Invalid):
    """Settings that are well-formed but do not fit together."""

    code = "deployment.invalid"


def open_chain(
    network: NetworkSettings,
    node_url: str,
    ours: Sequence[AssetSettings],
    watched: Callable[[], Iterable[bytes]],
) -> Chain:
    """A network through one node, which is asked nothing yet.

    `ours` are its assets; `watched` gives the addresses whose balances tell of internal ether.
    """
    if network.family == Family.UTXO:
        return UtxoChain(
            utxo_rules(network),
            UtxoNode(node_url),
            feerate_min=network.feerate_min,
            network=network.id,
            asset=ours[0].code if ours else None,
        )
    tokens = [
        Asset(
            code=a.code,
            network=a.network,
            decimals=a.decimals,
            contract=a.contract,
            balance_check=a.balance_check,
        )
        for a in ours
        if a.contract
    ]
    native = [a.balance_proof_from for a in ours if not a.contract]
    return EvmChain(
        evm_rules(network),
        EvmNode(node_url),
        tokens,
        watched,
        balance_proof_from=native[0] if native else 0,
    )


def utxo_rules(network: NetworkSettings) -> UtxoParams:
    """The parameters of a network of the Bitcoin family. Raises DeploymentError or ParamsError."""
    if network.params == "custom":
        return utxo_params.params_from({"id": network.id, **network.custom})
    if network.params not in utxo_params.BUILTIN:
        raise DeploymentError(
            f"got params {network.params!r} for {network.id}, "
            f"expected custom or one of {sorted(utxo_params.BUILTIN)}"
        )
    return replace(utxo_params.BUILTIN[network.params], id=network.id)


def evm_rules(network: NetworkSettings) -> EvmParams:
    """The parameters of an EVM network. Raises DeploymentError or CodecError."""
    if network.params == "custom":
        return evm_params.params_from({"id": network.id, **network.custom})
    if network.params not in evm_params.BUILTIN:
        raise DeploymentError(
            f"got params {network.params!r} for {network.id}, "
            f"expected custom or one of {sorted(evm_params.BUILTIN)}"
        )
    return replace(evm_params.BUILTIN[network.params], id=network.id)


def open_market(network: NetworkSettings) -> FeeMarket:
    """Connections of its own: a slow answer about fees holds up no scan."""
    urls = {"node": network.node_url, "second": network.second_node_url}
    named = {name: url for name, url in urls.items() if url}
    if network.family == Family.UTXO:
        nodes = {name: UtxoNode(url) for name, url in named.items()}
        return UtxoFeeMarket(utxo_rules(network), nodes)
    return EvmFeeMarket({name: EvmNode(url) for name, url in named.items()})


def is_development(network: NetworkSettings) -> bool:
    """Whether a network is one that only its developers use."""
    return network.params in ("bitcoin-regtest", "litecoin-regtest", "ethereum-31337")
