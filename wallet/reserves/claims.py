"""What is held: coins and accounts of our vaults at one named block of each network.

Coins are those that the scan found, unspent at that block; balances of accounts are asked of the
node, at that block. Where each lies in its vault is kept beside the claim for the signers and is
never published.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from chains.ports import Chain
from chains.types import BlockRef
from chains.utxo.descriptors import DescriptorVault
from chains.vaults import Vault
from wallet.store.schema import addresses, utxos

COINS_MAX = 400
"""Coins of one claim: as many inputs as a signer takes at once, and a proof people can check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCoin:
    """A coin of ours and where it lies in its vault."""

    txid: str
    vout: int
    units: int
    script: bytes
    branch: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAccount:
    """An account of ours, its place in its vault, and what it holds: units by asset."""

    address: bytes
    index: int
    units: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one proof of ownership shows: coins of a vault, or one account of it (`source`)."""

    network: str
    source: str
    coins: tuple[HeldCoin, ...] = ()
    account: HeldAccount | None = None


def coin_claims(
    tx: Connection, network: str, vaults: Mapping[str, Vault], at: BlockRef
) -> list[Claim]:
    """Every coin of ours that was unspent at a scanned block, in claims of `COINS_MAX`."""
    held: dict[str, list[HeldCoin]] = defaultdict(list)
    c, a = utxos.c, addresses.c
    query = (
        select(c.txid, c.vout, c.units, a.target, a.source, a.branch, a.position)
        .join(addresses, a.id == c.address_id)
        .where(
            c.network == network,
            c.height.is_not(None),
            c.height <= at.height,
            c.spent_height.is_(None) | (c.spent_height > at.height),
        )
        .order_by(a.source, c.txid, c.vout)
    )
    for row in tx.execute(query):
        if not isinstance(vaults.get(row.source), DescriptorVault):
            continue
        held[row.source].append(
            HeldCoin(
                txid=row.txid,
                vout=row.vout,
                units=row.units,
                script=bytes(row.target),
                branch=row.branch,
                index=row.position,
            )
        )
    return [
        Claim(network=network, source=source, coins=part)
        for source, coins in held.items()
        for part in _parts(coins)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAccount:
    """An address of ours on an EVM chain: which vault's, and which of its addresses."""

    source: str
    index: int
    address: bytes


def own_accounts(tx: Connection, network: str, vaults: Mapping[str, Vault]) -> Sequence[OwnAccount]:
    """Every address that vaults of ours have on an EVM network, by vault."""
    a = addresses.c
    query = select(a.source, a.position, a.target).where(a.network == network)
    return [
        OwnAccount(source=row.source, index=row.position, address=bytes(row.target))
        for row in tx.execute(query.order_by(a.source, a.position))
        if row.source in vaults
    ]


def account_claims(
    chain: Chain, accounts: Sequence[OwnAccount], at: BlockRef, progress: Callable[[int], None]
) -> list[Claim]:
    """The accounts that hold anything at a block, as the node says. Raises NodeError."""
    claims = []
    for done, one in enumerate(accounts, start=1):
        units = {
            asset.code: held
            for asset in chain.assets
            if (held := chain.balance_units(one.address, asset.code, at))
        }
        if units:
            account = HeldAccount(address=one.address, index=one.index, units=units)
            claims.append(Claim(network=chain.network, source=one.source, account=account))
        progress(done)
    return claims


def _parts(coins: list[HeldCoin]) -> list[tuple[HeldCoin, ...]]:
    return [tuple(coins[at : at + COINS_MAX]) for at in range(0, len(coins), COINS_MAX)]
