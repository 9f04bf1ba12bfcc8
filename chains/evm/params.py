"""What tells one EVM chain from another. A new chain is configuration, never code."""

from collections.abc import Mapping
from dataclasses import dataclass

from chains.errors import CodecError
from chains.types import Asset

NATIVE_DECIMALS = 18
"""Every EVM chain counts its native currency in units of 10^-18."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvmParams:
    """One EVM network. `native` is the asset code of its gas currency.

    `canonical_safes` is False only on development chains, where nobody deployed the Safe contracts
    at their published addresses. `proven` is False only for chains whose headers, transactions or
    receipts have other fields than Ethereum's, so that blocks cannot prove themselves here.
    """

    id: str
    chain_id: int
    native: str
    canonical_safes: bool = True
    proven: bool = True

    @property
    def native_asset(self) -> Asset:
        """The gas currency as an asset."""
        return Asset(code=self.native, network=self.id, decimals=NATIVE_DECIMALS)


BUILTIN: Mapping[str, EvmParams] = {
    params.id: params
    for params in (
        EvmParams(id="ethereum", chain_id=1, native="ETH"),
        EvmParams(id="ethereum-sepolia", chain_id=11155111, native="ETH"),
        EvmParams(id="ethereum-31337", chain_id=31337, native="ETH", canonical_safes=False),
    )
}
"""Networks that need no configuration beyond their name."""

_FIELDS = {"id": str, "chain_id": int, "native": str, "canonical_safes": bool, "proven": bool}


def params_from(values: Mapping[str, object]) -> EvmParams:
    """A network by configuration alone. Raises CodecError naming every unknown or wrong field."""
    unknown = sorted(set(values) - set(_FIELDS))
    missing = sorted({"id", "chain_id", "native"} - set(values))
    wrong = sorted(
        name
        for name, value in values.items()
        if name in _FIELDS and type(value) is not _FIELDS[name]
    )
    if unknown or missing or wrong:
        raise CodecError(
            f"got EVM parameters with unknown {unknown}, missing {missing}, wrong {wrong}"
        )
    params = EvmParams(
        id=str(values["id"]),
        chain_id=int(str(values["chain_id"])),
        native=str(values["native"]),
        canonical_safes=bool(values.get("canonical_safes", True)),
        proven=bool(values.get("proven", True)),
    )
    if not 0 < params.chain_id < 2**63:
        raise CodecError(f"got chain id {params.chain_id}, expected a positive number")
    return params
