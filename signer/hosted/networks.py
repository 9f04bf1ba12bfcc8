"""The networks that hosted keys exist on, from tables of our own: a service cannot redefine one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chains.evm import params as evm_params
from chains.evm.params import NATIVE_DECIMALS, EvmParams
from chains.utxo import params as utxo_params
from chains.utxo.params import UtxoParams
from signer.hosted.errors import NetworkUnknown

_UTXO_DECIMALS = 8
_UTXO_FEE_MAX = 1_000_000
_UTXO_FEERATE_MAX = 1_000_000
_EVM_FEE_MAX = 10**17
_EVM_FEERATE_MAX = 2_000 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An ERC-20 token; `contract` is EIP-55 text."""

    code: str
    contract: str
    decimals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedNetwork:
    """One network with the hard limits of a device: `fee_units_max` in native base units.

    `feerate_max` is sats per 1000 vbytes, or max wei per gas. Exactly one of `utxo` and `evm` is
    set. `tokens` maps asset codes.
    """

    id: str
    asset: str
    decimals: int
    fee_units_max: int
    feerate_max: int
    utxo: UtxoParams | None = None
    evm: EvmParams | None = None
    tokens: Mapping[str, Token] = field(default_factory=dict)

    def decimals_of(self, asset: str) -> int:
        """Decimals of the native asset or a listed token. Raises NetworkUnknown."""
        if asset == self.asset:
            return self.decimals
        if asset not in self.tokens:
            raise NetworkUnknown(f"got asset {asset[:64]!r}, expected one of {self.id}")
        return self.tokens[asset].decimals


def hosted_network(network: str, tokens: Mapping[str, Token] | None = None) -> HostedNetwork:
    """The network of a built-in id. Raises NetworkUnknown."""
    if network in utxo_params.BUILTIN:
        utxo = utxo_params.BUILTIN[network]
        return HostedNetwork(
            id=network,
            asset=utxo.native,
            decimals=_UTXO_DECIMALS,
            fee_units_max=_UTXO_FEE_MAX,
            feerate_max=_UTXO_FEERATE_MAX,
            utxo=utxo,
        )
    if network in evm_params.BUILTIN:
        evm = evm_params.BUILTIN[network]
        return HostedNetwork(
            id=network,
            asset=evm.native,
            decimals=NATIVE_DECIMALS,
            fee_units_max=_EVM_FEE_MAX,
            feerate_max=_EVM_FEERATE_MAX,
            evm=evm,
            tokens=dict(tokens or {}),
        )
    known = sorted([*utxo_params.BUILTIN, *evm_params.BUILTIN])
    raise NetworkUnknown(f"got network {network[:64]!r}, expected one of {known}")
