"""Both rounds from one signer's side: its key out, and the finished vault in (BIP-129)."""

import json
from collections.abc import Mapping, Sequence

from chains.utxo.descriptors import DescriptorVault
from chains.utxo.params import UtxoParams
from signer.bsms import session as sessions
from signer.bsms.errors import BsmsError, KeyMissing
from signer.bsms.records import DescriptorRecord, KeyRecord, check_label
from signer.bsms.session import Session
from signer.guards.facts import NetworkRules
from signer.home import Home
from signer.registry import Account


def give_key(home: Home, account: Account, wanted: Session) -> KeyRecord:
    """The signed key record of an account; opens the session that `wanted` describes.

    Asked again with the same token, key and label, the session stays as old as it is. Needs the
    keys. Raises BadLabel or BsmsError.
    """
    check_label(wanted.label)
    utxo_params(home.networks, wanted.network)
    keys = home.unlocked()
    if not _is_open(home, wanted, keys.state_key):
        sessions.save(home.path, wanted, keys.state_key)
    record = KeyRecord(token=wanted.token, key=_as_written(wanted.key), label=wanted.label)
    return record.signed(keys.chain.node(account.path).secret)


def take_vault(
    home: Home, record: DescriptorRecord, session: Session, name: str, custodians: Sequence[str]
) -> tuple[bytes, DescriptorVault]:
    """The vault file of a descriptor record that passed every check, and the vault in it.

    The very key that this signer gave must be in it; a fingerprint is not looked at. Raises
    BsmsError or ChainError.
    """
    vault = record.vault(name, utxo_params(home.networks, session.network))
    if session.key not in [key.text for key in vault.keys]:
        raise KeyMissing("got a vault without the key that was given for it, expected exactly it")
    lines = [
        f"name = {json.dumps(name)}",
        f"network = {json.dumps(session.network)}",
        'kind = "descriptor"',
        f"descriptor = {json.dumps(vault.text)}",
    ]
    if custodians:
        lines.append(f"custodians = {json.dumps(list(custodians), ensure_ascii=False)}")
    return ("\n".join(lines) + "\n").encode(), vault


def confirmation(record: DescriptorRecord, session: Session, vault: DescriptorVault) -> str:
    """What BIP-129 wants people to compare besides keys and first address."""
    position = [key.text for key in vault.keys].index(session.key) + 1
    return (
        f"needs {vault.threshold} of {len(vault.keys)} signers; our key is number {position};"
        f" paths: {record.restrictions}"
    )


def utxo_params(networks: Mapping[str, NetworkRules], network: str) -> UtxoParams:
    """The parameters of a configured network that has descriptors. Raises BsmsError."""
    rules = networks.get(network)
    if rules is None or rules.utxo is None:
        raise BsmsError(f"got network {network!r}, expected a configured one with descriptors")
    return rules.utxo


def _is_open(home: Home, wanted: Session, state_key: bytes) -> bool:
    try:
        known = sessions.read(home.path, state_key)
        known.check_age(wanted.created_s)
    except BsmsError:
        return False
    return (known.token, known.network, known.key, known.label) == (
        wanted.token,
        wanted.network,
        wanted.key,
        wanted.label,
    )


def _as_written(key: str) -> str:
    """A key with its hardened steps marked as BIP-129 writes them."""
    origin, bracket, xpub = key.partition("]")
    return origin.replace("h", "'") + bracket + xpub
