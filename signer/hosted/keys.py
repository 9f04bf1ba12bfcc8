"""A hosted key: one secp256k1 key with one address."""

from dataclasses import dataclass

from chains.errors import invariant
from chains.evm.accounts import address_of_key
from chains.evm.addresses import checksum
from chains.utxo import addresses
from chains.utxo.sources import SingleKey
from signer import secp
from signer.entropy import RandomBytes, new_secret
from signer.hosted.networks import HostedNetwork

PURPOSE = "hosted key"
"""Separates these secrets from every other that the same generator makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedKey:
    """What everybody may know of a hosted key. `public_key` is compressed, `version` from 1 up."""

    kid: str
    network: str
    public_key: bytes
    version: int


def new_secret_key(random: RandomBytes, second: bytes | None = None) -> bytes:
    """32 secret bytes that are a valid key, from the system generator and a second source.

    Raises EntropyError for a source that looks dead.
    """
    while True:
        secret = new_secret(random, 32, PURPOSE, second)
        # The chance of another round is 2^-128; the check keeps the result unbiased.
        if 0 < int.from_bytes(secret, "big") < secp.ORDER:
            return secret


def public_key_of_secret(secret: bytes) -> bytes:
    """The compressed public key of a secret key."""
    return secp.public_key(secret)


def target_of(network: HostedNetwork, public_key: bytes) -> bytes:
    """The P2WPKH script, or the 20 address bytes, of a compressed key."""
    if network.utxo is not None:
        return SingleKey(public_key).script_pubkey
    return address_of_key(public_key)


def address_of(network: HostedNetwork, public_key: bytes) -> str:
    """The address of a compressed key: bech32 on UTXO chains, EIP-55 on EVM chains."""
    target = target_of(network, public_key)
    if network.utxo is not None:
        return addresses.encode(network.utxo, target)
    invariant(network.evm is not None, f"{network.id} is of no family")
    return checksum(target)
