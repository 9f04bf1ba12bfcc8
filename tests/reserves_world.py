"""Vaults of every kind with their keys, a statement about them, and its proofs."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import coincurve

from chains.evm.accounts import FixedAddress, KeyAccount, address_of_key, first_public_key
from chains.evm.addresses import checksum
from chains.evm.reserves import AccountProof
from chains.evm.safe import SafeVault
from chains.evm.safe_signatures import pack_signatures
from chains.hd import HARDENED, KeyOrigin
from chains.types import Asset, BlockRef, OutPoint
from chains.utxo import bip322, taproot
from chains.utxo.descriptors import DescriptorVault, Template, multisig_descriptor, with_checksum
from chains.utxo.params import BUILTIN
from chains.utxo.psbt import Psbt, Sighasher
from chains.vaults import Vault
from signer import secp
from signer.derive import KeyChain
from signer.protocol import InputSignature
from tests.signer_world import SAFE, SINGLETON, origin
from wallet.reserves.claims import Claim, HeldAccount, HeldCoin
from wallet.reserves.owed.leaves import Shares
from wallet.reserves.owed.liabilities import Height
from wallet.reserves.owed.trees import TreeFile, write_tree
from wallet.reserves.packing import package_bytes
from wallet.reserves.verifier.checking import message_of
from wallet.reserves.verifier.package import Package, canonical, read_package, statement_digest
from wallet.reserves.verifier.statement import Network
from wallet.reserves.verifier.tree import Node
from wallet.reserves.writing import statement_json

BTC, ETH = "bitcoin-regtest", "ethereum-31337"
ASSETS = {
    "BTC": Asset(code="BTC", network=BTC, decimals=8),
    "ETH": Asset(code="ETH", network=ETH, decimals=18),
    "DUSD": Asset(code="DUSD", network=ETH, decimals=6, contract=checksum(bytes([7] * 20))),
}
BLOCKS = {
    BTC: BlockRef(height=500, hash="11" * 32, parent="10" * 32, time_s=1),
    ETH: BlockRef(height=70, hash="22" * 32, parent="21" * 32, time_s=1),
}
CHAIN_IDS: Mapping[str, int | None] = {BTC: None, ETH: 31337}
SEED = b"s" * 32
BALANCES = {
    "BTC": {"user-1": 150_000_000, "user-2": 7, "clearing:withdrawals": 1},
    "ETH": {"user-1": 10**18},
    "DUSD": {"user-2": 2_500_000},
}
PEOPLE = [KeyChain(hashlib.sha256(name.encode()).digest()) for name in ("one", "two", "three")]
_XPUB = 0x0488B21E
_EVM_PATH = (44 + HARDENED, 60 + HARDENED, HARDENED)
_SINGLE = {
    Template.WPKH: "wpkh({})",
    Template.SH_WPKH: "sh(wpkh({}))",
    Template.TR: "tr({})",
}


def utxo_vault(template: Template, name: str) -> DescriptorVault:
    params = BUILTIN["litecoin-regtest" if template is Template.TR else BTC]
    path = (48 + HARDENED, params.coin_type + HARDENED, HARDENED, 2 + HARDENED)
    keys = [origin(chain, path, params.xpub_version) for chain in PEOPLE]
    if template in _SINGLE:
        text = with_checksum(_SINGLE[template].format(f"{keys[0].text}/<0;1>/*"))
    else:
        text = multisig_descriptor(template, 2, keys)
    params = replace(params, id=BTC)
    return DescriptorVault.parse(name, params, text)


def evm_keys() -> list[KeyOrigin]:
    return [origin(chain, _EVM_PATH, _XPUB) for chain in PEOPLE]


def evm_vaults() -> dict[str, Vault]:
    keys = evm_keys()
    owners = [checksum(address_of_key(first_public_key(key))) for key in keys]
    hot = FixedAddress.load(
        {
            "name": "eth-hot",
            "network": ETH,
            "kind": "address",
            "key": keys[0].text,
            "address": owners[0],
        }
    )
    deposit = KeyAccount.load(
        {"name": "eth-deposit", "network": ETH, "kind": "keys", "key": keys[1].text}
    )
    safe = SafeVault.load(
        {
            "name": "eth-cold",
            "network": ETH,
            "kind": "safe",
            "address": checksum(bytes.fromhex(SAFE[2:])),
            "version": "1.4.1",
            "singleton": SINGLETON,
            "owners": owners,
            "keys": [key.text for key in keys],
            "chain_id": 31337,
            "threshold": 2,
        }
    )
    return {"eth-hot": hot, "eth-deposit": deposit, "eth-cold": safe}


SEGWIT = (
    Template.WSH_MULTI,
    Template.WPKH,
    Template.SH_WPKH,
    Template.SH_WSH_MULTI,
    Template.TR,
)


def all_vaults() -> dict[str, Vault]:
    coins: dict[str, Vault] = {str(one): utxo_vault(one, str(one)) for one in SEGWIT}
    return coins | evm_vaults()


def a_coin(vault: DescriptorVault, units: int, index: int) -> HeldCoin:
    script = vault.script_pubkey_at(0, index)
    txid = hashlib.sha256(vault.name.encode() + bytes([index])).hexdigest()
    return HeldCoin(txid=txid, vout=index, units=units, script=script, branch=0, index=index)


def an_account(vault: Any, index: int, **units: int) -> Claim:
    account = HeldAccount(address=vault.address_at(index), index=index, units=units)
    return Claim(network=ETH, source=vault.name, account=account)


def all_claims(vaults: Mapping[str, Any]) -> list[Claim]:
    claims = [
        Claim(
            network=BTC,
            source=name,
            coins=(a_coin(vault, 40_000_000, 0), a_coin(vault, 1, 3)),
        )
        for name, vault in vaults.items()
        if isinstance(vault, DescriptorVault)
    ]
    claims.append(an_account(vaults["eth-hot"], 0, ETH=3 * 10**17))
    claims.append(an_account(vaults["eth-deposit"], 4, ETH=1, DUSD=2_500_000))
    claims.append(an_account(vaults["eth-cold"], 0, ETH=8 * 10**17))
    return claims


def to_sign_of(vault: DescriptorVault, claim: Claim, message: bytes) -> Psbt:
    coins = [
        bip322.ClaimedCoin(
            outpoint=OutPoint(one.txid, one.vout),
            sats=one.units,
            script=vault.script_at(one.branch, one.index),
        )
        for one in claim.coins
    ]
    return bip322.to_sign(vault.script_at(0, 0), message, coins)


def signatures_of(
    vault: DescriptorVault, psbt: Psbt, people: Iterable[KeyChain]
) -> list[InputSignature]:
    """What each of these people's signers would answer."""
    hasher, found = Sighasher(psbt), []
    for chain in people:
        for index, one in enumerate(psbt.inputs):
            key = next(k for k in one.derivations if k.fingerprint.hex() == chain.fingerprint)
            secret, digest = chain.secret(key.path), hasher.digest(index)
            if vault.is_taproot:
                script = psbt.spent_output(index).script
                signature = secp.sign_schnorr(
                    secret, digest, bytes(32), taproot.tweak(key.public_key)
                )
                found.append(
                    InputSignature(index=index, public_key=script[2:], signature=signature)
                )
            else:
                signature = secp.sign_low_r(secret, digest) + b"\x01"
                found.append(
                    InputSignature(index=index, public_key=key.public_key, signature=signature)
                )
    return found


def rsv(chain: KeyChain, index: int, digest: bytes) -> bytes:
    key = coincurve.PrivateKey(chain.secret((*_EVM_PATH, 0, index)))
    signed = key.sign_recoverable(digest, hasher=None)
    return signed[:64] + bytes([27 + signed[64]])


def proof_of(claim: Claim, vault: Any, digest: bytes) -> dict[str, str]:
    at = BLOCKS[claim.network]
    network = Network(claim.network, at.height, bytes.fromhex(at.hash), CHAIN_IDS[claim.network])
    if isinstance(vault, DescriptorVault):
        psbt = to_sign_of(vault, claim, message_of(digest, network))
        people = PEOPLE[: vault.threshold]
        return {"bip322": bip322.proof_of(psbt, signatures_of(vault, psbt, people))}
    assert claim.account is not None
    told = AccountProof(
        chain_id=31337,
        account=claim.account.address,
        statement=digest,
        height=at.height,
        block_hash=bytes.fromhex(at.hash),
    )
    if isinstance(vault, SafeVault):
        signed = [rsv(chain, 0, told.safe_digest) for chain in PEOPLE[:2]]
        return {"safe": pack_signatures(told.safe_digest, signed).hex()}
    chain = PEOPLE[0] if vault.name == "eth-hot" else PEOPLE[1]
    return {"account": rsv(chain, claim.account.index, told.digest).hex()}


@dataclass
class Published:
    """A whole publication in a folder."""

    folder: Path
    vaults: Mapping[str, Any]
    claims: Sequence[Claim]
    statement: dict[str, Any]
    trees: Mapping[str, TreeFile]

    @property
    def digest(self) -> bytes:
        return statement_digest(canonical(self.statement))

    def proofs(self) -> list[dict[str, str]]:
        return [proof_of(one, self.vaults[one.source], self.digest) for one in self.claims]

    def package(self, proofs: Sequence[Mapping[str, str]] | None = None) -> Path:
        path = self.folder / "package.zip"
        signed = self.proofs() if proofs is None else proofs
        path.write_bytes(package_bytes(canonical(self.statement), signed))
        return path

    def read(self, proofs: Sequence[Mapping[str, str]] | None = None) -> Package:
        return read_package(self.package(proofs))


def publish(folder: Path, balances: Mapping[str, Mapping[str, int]] = BALANCES) -> Published:
    vaults = all_vaults()
    claims, shares = all_claims(vaults), Shares(SEED)
    made: dict[str, tuple[int, Node]] = {}
    trees = {}
    for asset, owed in balances.items():
        path = folder / f"{asset}.tree"
        made[asset] = write_tree(path, asset, shares, owed.items())
        trees[asset] = TreeFile(path, asset, made[asset][0], shares)
    statement = statement_json(
        operator="Test exchange",
        made_s=1_700_000_000,
        ledger=Height(height=12, state_hash="ab" * 32),
        trees=made,
        left_out=["GOLD"],
        assets=ASSETS,
        blocks=BLOCKS,
        chain_ids=CHAIN_IDS,
        claims=claims,
        vaults=vaults,
    )
    return Published(folder, vaults, claims, statement, trees)
