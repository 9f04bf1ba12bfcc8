"""Guard of Safe transactions: decoded here, never believed from what a screen elsewhere showed."""

import hashlib

from chains.errors import CodecError
from chains.evm.accounts import address_of_key
from chains.evm.addresses import checksum
from chains.evm.safe import SafeTx, SafeVault
from chains.evm.safe_typed_data import typed_data_of
from chains.hd import ExtendedKey
from signer.errors import Refused
from signer.guards.evm_payees import BRANCH, registered, rules_of
from signer.guards.facts import (
    GuardContext,
    NetworkRules,
    OwnKey,
    RegisteredVault,
    SignatureForm,
    SigningJob,
    SpendFacts,
)
from signer.guards.safe_deeds import inner_deed
from signer.guards.told import told
from signer.protocol import Kind, SignRequest

_OWNER_PATH = (BRANCH, 0)


def check_safe_tx(request: SignRequest, context: GuardContext) -> SpendFacts:
    """What a SafeTx really does and the signature it needs. Raises Refused."""
    rules = rules_of(request, context, Kind.SAFE_TX)
    if not request.intents:
        raise Refused("intent.count", "got no intent, expected at least one")
    purpose = request.intents[0].purpose
    entry = registered(context, request.source, request.network)
    vault = pinned_safe(entry, rules)
    tx = _decode(request.payload)
    if tx.chain_id != vault.chain_id:
        raise Refused("evm.wrong_chain", f"got chain {tx.chain_id}, expected {vault.chain_id}")
    if tx.safe != vault.address:
        raise Refused("safe.wrong_safe", f"got {checksum(tx.safe)}, expected {entry.name}")
    deed = inner_deed(tx, vault, purpose, rules)
    payees, act, notes = told(deed, entry, request, context)
    replaces = _check_nonce(tx, request.network, rules, context)
    return SpendFacts(
        purpose=purpose,
        network=request.network,
        asset=deed.calls[0].asset if deed.calls else rules.asset,
        source=entry.name,
        payees=payees,
        change=(),
        fee_units=0,
        size=0,
        feerate=0,
        snapshot=hashlib.sha256(request.payload).digest(),
        jobs=(_job(tx, vault, entry.own),),
        nonce=(checksum(tx.safe), tx.nonce),
        notes=_notes(tx, vault, notes, replaces),
        act=act,
        replaces=replaces,
    )


def pinned_safe(entry: RegisteredVault, rules: NetworkRules) -> SafeVault:
    """The registered Safe, its version, singleton and owners checked again. Raises Refused."""
    if not isinstance(entry.vault, SafeVault):
        raise Refused("safe.not_a_safe", f"{entry.name} is not a Safe")
    vault = entry.vault
    try:
        vault.check()
    except CodecError as error:
        raise Refused("safe.not_pinned", str(error)) from error
    if vault.chain_id != rules.chain_id:
        raise Refused("evm.wrong_chain", f"got chain {vault.chain_id}, expected {rules.chain_id}")
    return vault


def _decode(payload: bytes) -> SafeTx:
    try:
        tx = SafeTx.decode(payload)
        second_hash = typed_data_of(tx).signing_hash
    except CodecError as error:
        raise Refused("safe.malformed", str(error)) from error
    # Two ways to the hash that is signed: as the contract's code adds it up, and as EIP-712 says.
    if second_hash != tx.safe_tx_hash:
        raise Refused("safe.hash_mismatch", "got two hashes for one SafeTx")
    return tx


def _check_nonce(tx: SafeTx, network: str, rules: NetworkRules, context: GuardContext) -> bool:
    """Whether it replaces an earlier one. Raises Refused.

    The contract executes only one of the two, and the engine asks for an approval. A gap is allowed
    for what the other owners signed without this one.
    """
    last = context.memory.last_nonce(network, checksum(tx.safe))
    if last is None:
        return False
    if tx.nonce < last:
        raise Refused("nonce.used", f"got Safe nonce {tx.nonce}, signed up to {last}")
    if tx.nonce > last + 1 + rules.nonce_gap_max:
        raise Refused("nonce.gap", f"got Safe nonce {tx.nonce}, signed up to {last}")
    return tx.nonce == last


def _job(tx: SafeTx, vault: SafeVault, own: OwnKey | None) -> SigningJob:
    if own is None:
        raise Refused("safe.not_an_owner", f"no key of this signer is in {vault.name!r}")
    key = ExtendedKey.parse(own.xpub).child(BRANCH).child_key(0)
    owner = address_of_key(key)
    if owner not in vault.owners:
        raise Refused("safe.not_an_owner", f"{checksum(owner)} is not an owner of {vault.name!r}")
    return SigningJob(
        index=0,
        digest=tx.safe_tx_hash,
        path=own.path + _OWNER_PATH,
        public_key=key,
        answer_key=owner,
        form=SignatureForm.RSV,
    )


def _notes(
    tx: SafeTx, vault: SafeVault, told_notes: tuple[str, ...], replaces: bool
) -> tuple[str, ...]:
    lines = [
        f"Safe {checksum(vault.address)} version {vault.version}, nonce {tx.nonce}",
        f"safeTxHash 0x{tx.safe_tx_hash.hex()}",
        f"domain hash 0x{tx.domain_hash.hex()}",
        f"message hash 0x{tx.message_hash.hex()}",
        *told_notes,
    ]
    if replaces:
        lines.append(f"REPLACES what this signer signed before with nonce {tx.nonce}")
    return tuple(lines)
