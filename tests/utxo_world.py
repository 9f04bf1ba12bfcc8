"""Vaults with known private keys, coins and signatures for tests of the Bitcoin family."""

from collections.abc import Sequence
from dataclasses import dataclass

import coincurve
from embit import bip32

from chains.hd import KeyOrigin, parse_path, step_text
from chains.types import OutPoint
from chains.utxo.coins import Coin, OwnPlace
from chains.utxo.descriptors import (
    DescriptorVault,
    ScriptKey,
    Template,
    multisig_descriptor,
    with_checksum,
)
from chains.utxo.params import BUILTIN, UtxoParams
from chains.utxo.psbt import Psbt, Sighasher
from chains.utxo.transactions import Transaction, TxInput, TxOutput

REGTEST = BUILTIN["bitcoin-regtest"]

DOGECOIN: dict[str, object] = {
    "id": "dogecoin",
    "native": "DOGE",
    "p2pkh": 0x1E,
    "p2sh": 0x16,
    "xpub_version": 0x0488B21E,
    "coin_type": 3,
    "money_sats_max": 10**19,
    "dust_sats": 1_000_000,
    "segwit": False,
    "taproot": False,
    "pow": "scrypt",
    "pow_limit_bits": 0x1E0FFFFF,
    "auxpow_chain_id": 98,
}
"""A chain that is known by configuration alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSignature:
    """A signature as signers answer it."""

    __test__ = False

    index: int
    public_key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class TestKey:
    """A master key; accounts below it, and signatures by its children."""

    __test__ = False

    root: bip32.HDKey

    @classmethod
    def of(cls, number: int) -> "TestKey":
        """The key of a small number, for ever the same."""
        return cls(bip32.HDKey.from_seed(number.to_bytes(32, "big")))

    def origin(self, params: UtxoParams, path: str) -> KeyOrigin:
        """The account key at a path such as "48h/1h/0h/2h"."""
        steps = parse_path(path)
        account = self.root.derive(list(steps)).to_public()
        account.version = params.xpub_version.to_bytes(4, "big")
        text = "".join("/" + step_text(step) for step in steps)
        return KeyOrigin.parse(f"[{self.root.my_fingerprint.hex()}{text}]{account.to_base58()}")

    def sign(self, key: ScriptKey, digest: bytes) -> bytes:
        """DER and the type ALL, by the private half of `key`, which must be ours.

        BIP-340 of type DEFAULT by the tweaked key where `key` is a taproot one.
        """
        child = self.root.derive(list(key.path))
        if len(key.public_key) == 32:
            tweaked = child.key.taproot_tweak()
            return bytes(tweaked.schnorr_sign(digest).serialize())
        if child.get_public_key().sec() != key.public_key:
            raise AssertionError("the key is not below this master key")
        return coincurve.PrivateKey(child.key.serialize()).sign(digest, hasher=None) + b"\x01"


def vault(
    template: Template,
    numbers: Sequence[int] = (1, 2, 3),
    threshold: int = 2,
    params: UtxoParams = REGTEST,
    name: str = "hot",
) -> DescriptorVault:
    """A vault of test keys; templates of one key use the first."""
    keys = [
        TestKey.of(number).origin(params, f"48h/{params.coin_type}h/0h/2h") for number in numbers
    ]
    if template in (Template.PKH, Template.WPKH, Template.SH_WPKH, Template.TR):
        body = str(template).replace(")", "") + f"({keys[0].text}/<0;1>/*)"
        return DescriptorVault.parse(
            name, params, with_checksum(body + ")" * str(template).count("("))
        )
    return DescriptorVault.parse(name, params, multisig_descriptor(template, threshold, keys))


def coin(owner: DescriptorVault, index: int, sats: int, branch: int = 0, salt: int = 0) -> Coin:
    """A coin of a vault in a made-up transaction; `salt` makes others of the same kind."""
    script = owner.script_at(branch, index).script_pubkey
    previous = Transaction(
        inputs=(TxInput(txid=salt.to_bytes(32, "big").hex(), vout=index, witness=(b"\x01",)),),
        outputs=(TxOutput(sats=1, script=b"\x51"), TxOutput(sats=sats, script=script)),
    )
    return Coin(
        outpoint=OutPoint(previous.txid, 1),
        sats=sats,
        place=OwnPlace(source=owner.name, branch=branch, index=index),
        raw_tx=previous.serialize(),
    )


def sign_all(raw: bytes, numbers: Sequence[int]) -> list[TestSignature]:
    """Signatures of these keys over every input they are named in."""
    psbt = Psbt.parse(raw)
    sighasher = Sighasher(psbt)
    signatures = []
    for number in numbers:
        key = TestKey.of(number)
        for index, one in enumerate(psbt.inputs):
            for derivation in one.derivations:
                if derivation.fingerprint == key.root.my_fingerprint:
                    signature = key.sign(derivation, sighasher.digest(index))
                    public_key = derivation.public_key
                    if len(public_key) == 32:
                        public_key = psbt.spent_output(index).script[2:]
                    signatures.append(
                        TestSignature(index=index, public_key=public_key, signature=signature)
                    )
    return signatures
