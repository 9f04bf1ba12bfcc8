"""A statement in its public form: nothing of users, nothing of how our vaults derive addresses."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chains.evm.addresses import from_text
from chains.evm.safe import SafeVault
from chains.types import Asset, BlockRef
from chains.utxo.descriptors import RECEIVE, DescriptorVault
from chains.vaults import Vault
from wallet.reserves.claims import Claim
from wallet.reserves.owed.liabilities import Height
from wallet.reserves.verifier.package import FORMAT
from wallet.reserves.verifier.tree import Node


def statement_json(
    *,
    operator: str,
    made_s: int,
    ledger: Height,
    trees: Mapping[str, tuple[int, Node]],
    left_out: Iterable[str],
    assets: Mapping[str, Asset],
    blocks: Mapping[str, BlockRef],
    chain_ids: Mapping[str, int | None],
    claims: Sequence[Claim],
    vaults: Mapping[str, Vault],
) -> dict[str, Any]:
    """The statement as plain values. `trees` are depth and root by asset."""
    return {
        "format": FORMAT,
        "operator": operator,
        "made_s": made_s,
        "ledger": {"height": ledger.height, "state_hash": ledger.state_hash},
        "liabilities": [
            {
                "asset": asset,
                "decimals": assets[asset].decimals,
                "depth": depth,
                "root": root.hash.hex(),
                "units": str(root.units),
            }
            for asset, (depth, root) in sorted(trees.items())
        ],
        "left_out": sorted(left_out),
        "networks": [
            _network(network, at, chain_ids[network]) for network, at in sorted(blocks.items())
        ],
        "claims": [_claim(claim, vaults[claim.source], assets) for claim in claims],
    }


def challenge_of(vault: DescriptorVault) -> bytes:
    """The output whose owner speaks in a vault's proofs: its first receive address."""
    return vault.script_pubkey_at(RECEIVE, 0)


def _network(network: str, at: BlockRef, chain_id: int | None) -> dict[str, Any]:
    plain: dict[str, Any] = {"id": network, "height": at.height, "hash": at.hash}
    return plain if chain_id is None else {**plain, "chain_id": chain_id}


def _claim(claim: Claim, vault: Vault, assets: Mapping[str, Asset]) -> dict[str, Any]:
    if isinstance(vault, DescriptorVault):
        native = next(code for code, one in assets.items() if one.network == claim.network)
        return {
            "kind": "coins",
            "network": claim.network,
            "asset": native,
            "challenge": challenge_of(vault).hex(),
            "coins": [
                {"txid": c.txid, "vout": c.vout, "units": str(c.units), "script": c.script.hex()}
                for c in claim.coins
            ],
        }
    return _account_claim(claim, vault, assets)


def _account_claim(claim: Claim, vault: Vault, assets: Mapping[str, Asset]) -> dict[str, Any]:
    account = claim.account
    held = {} if account is None else account.units
    plain: dict[str, Any] = {
        "kind": "account",
        "network": claim.network,
        "address": b"".hex() if account is None else account.address.hex(),
        "holds": [
            {"asset": code, "contract": _contract(assets[code]), "units": str(units)}
            for code, units in sorted(held.items())
        ],
    }
    if isinstance(vault, SafeVault):
        owners = [{"address": owner.hex()} for owner in sorted(vault.owners)]
        plain |= {"kind": "safe", "owners": owners, "threshold": vault.threshold}
    return plain


def _contract(asset: Asset) -> str:
    return from_text(asset.contract).hex() if asset.contract else ""
