"""Guard of proofs of reserves: coins and accounts of ours are shown, and nothing can move by it.

Nothing that is signed here comes from the request. Of a UTXO vault the signer builds BIP-322's
`to_sign` itself: its first input spends a transaction that no block can hold, and its only output
is an OP_RETURN worth nothing, so no chain can take it and nobody would be paid. Of an EVM account
it builds typed data that no contract acts on. A claim of coins or amounts that do not exist makes a
proof that does not verify, and harms nobody else.
"""

import hashlib

from chains.errors import CodecError
from chains.evm.accounts import KeyAccount, address_of_key
from chains.evm.addresses import checksum
from chains.evm.reserves import AccountProof
from chains.evm.safe import SafeVault
from chains.hd import ExtendedKey
from chains.types import OutPoint
from chains.utxo import bip322
from chains.utxo.bip322 import ClaimedCoin
from chains.utxo.descriptors import RECEIVE, DescriptorVault
from chains.utxo.psbt import Sighasher
from signer.errors import ProtocolError, Refused
from signer.guards.evm_payees import BRANCH, act_intent
from signer.guards.facts import (
    GuardContext,
    NetworkRules,
    OwnKey,
    RegisteredVault,
    ReservesFact,
    SignatureForm,
    SigningJob,
    SpendFacts,
)
from signer.guards.owners import INDEX_MAX
from signer.guards.safe import pinned_safe
from signer.protocol import Purpose, ReservesClaim, SignRequest

_TAPROOT, _ECDSA = SignatureForm.SCHNORR, SignatureForm.DER_ALL


def check_reserves(request: SignRequest, context: GuardContext) -> SpendFacts:
    """What would be shown as ours, and the signatures that show it. Raises Refused."""
    entry, rules = context.vaults[request.source], context.networks[request.network]
    intent = act_intent(request, request.payload)
    if intent.source != entry.name:
        raise Refused("intent.source", f"{intent.intent_id} is of {intent.source}")
    if intent.purpose is not Purpose.RESERVES or intent.asset != rules.asset:
        raise Refused("reserves.purpose", f"got {intent.purpose} of {intent.asset}")
    try:
        claim = ReservesClaim.decode(request.payload)
    except ProtocolError as error:
        raise Refused("reserves.malformed", str(error)) from error
    if entry.own is None:
        raise Refused("request.not_our_key", f"no key of ours is in {entry.name}")
    if isinstance(entry.vault, DescriptorVault):
        jobs, notes = _coins(claim, entry, entry.vault, entry.own, rules, context)
    else:
        jobs, notes = _accounts(claim, entry, entry.own, rules)
    return SpendFacts(
        purpose=intent.purpose,
        network=request.network,
        asset=rules.asset,
        source=entry.name,
        payees=(),
        change=(),
        fee_units=0,
        size=0,
        feerate=0,
        snapshot=hashlib.sha256(request.payload).digest(),
        jobs=jobs,
        notes=(
            *notes,
            f"statement {claim.statement.hex()}",
            f"at block {claim.height} {claim.block_hash.hex()}",
        ),
        act=ReservesFact(statement=claim.statement),
    )


def _coins(
    claim: ReservesClaim,
    entry: RegisteredVault,
    vault: DescriptorVault,
    own: OwnKey,
    rules: NetworkRules,
    context: GuardContext,
) -> tuple[tuple[SigningJob, ...], tuple[str, ...]]:
    if claim.accounts:
        raise Refused("reserves.accounts", f"got accounts of {entry.name}, which has coins")
    if not vault.is_segwit:
        raise Refused("reserves.legacy", f"signatures of {vault.template} cover no amounts")
    if not 0 < len(claim.coins) <= rules.inputs_max:
        raise Refused("reserves.coins", f"got {len(claim.coins)}, expected 1-{rules.inputs_max}")
    coins = _claimed(claim, entry, vault, rules, context)
    challenge, message = vault.script_at(RECEIVE, 0), claim.message(rules.id).encode()
    psbt = bip322.to_sign(challenge, message, coins)
    try:
        bip322.check_unpayable(psbt.tx, challenge.script_pubkey, message)
    except CodecError as error:
        raise Refused("reserves.payable", str(error)) from error
    hasher, place = Sighasher(psbt), [key.key.text for key in vault.keys].index(own.xpub)
    jobs = []
    for at, one in enumerate(psbt.inputs):
        key = one.derivations[place]
        script = psbt.spent_output(at).script
        jobs.append(
            SigningJob(
                index=at,
                digest=hasher.digest(at),
                path=key.path,
                public_key=key.public_key,
                answer_key=script[2:] if vault.is_taproot else key.public_key,
                form=_TAPROOT if vault.is_taproot else _ECDSA,
            )
        )
    total = sum(coin.sats for coin in coins)
    line = f"PROVES that {len(coins)} coins of {total} base units are ours, pays nobody"
    return tuple(jobs), (line, message.decode())


def _claimed(
    claim: ReservesClaim,
    entry: RegisteredVault,
    vault: DescriptorVault,
    rules: NetworkRules,
    context: GuardContext,
) -> list[ClaimedCoin]:
    """The coins with the scripts that this signer derives. Raises Refused."""
    most = rules.utxo.money_sats_max if rules.utxo is not None else 0
    coins, seen = [], set()
    for one in claim.coins:
        outpoint = OutPoint(one.txid, one.vout)
        if outpoint in seen:
            raise Refused("reserves.coin_twice", f"got {outpoint} twice")
        seen.add(outpoint)
        if not 0 < one.sats <= most:
            raise Refused("amount.range", f"{outpoint} is said to hold {one.sats} sats")
        if one.branch not in (0, 1) or one.index > INDEX_MAX:
            raise Refused("reserves.path", f"got {one.branch}/{one.index} of {entry.name}")
        known = context.memory.outpoint_units(vault.network, str(outpoint))
        if known is not None and known != one.sats:
            raise Refused("input.amount_conflict", f"{outpoint}: got {one.sats}, saw {known}")
        script = vault.script_at(one.branch, one.index)
        coins.append(ClaimedCoin(outpoint=outpoint, sats=one.sats, script=script))
    return coins


def _accounts(
    claim: ReservesClaim, entry: RegisteredVault, own: OwnKey, rules: NetworkRules
) -> tuple[tuple[SigningJob, ...], tuple[str, ...]]:
    if claim.coins:
        raise Refused("reserves.coins", f"got coins of {entry.name}, which has accounts")
    if isinstance(entry.vault, KeyAccount):
        if not claim.accounts or len(set(claim.accounts)) != len(claim.accounts):
            raise Refused("reserves.accounts", "got no account, or one twice")
        if max(claim.accounts) > INDEX_MAX:
            raise Refused("reserves.path", f"got account {max(claim.accounts)} of {entry.name}")
        indices = claim.accounts
    elif claim.accounts:
        raise Refused("reserves.accounts", f"got accounts of {entry.name}, which is one address")
    else:
        indices = (0,)
    jobs, notes = [], []
    for at, index in enumerate(indices):
        address = entry.vault.address_at(index)
        proof = AccountProof(
            chain_id=rules.chain_id or 0,
            account=address,
            statement=claim.statement,
            height=claim.height,
            block_hash=claim.block_hash,
        )
        jobs.append(_account_job(at, index, proof, entry, own, rules))
        notes.append(f"PROVES that {checksum(address)} is ours, moves nothing")
    return tuple(jobs), tuple(notes)


def _account_job(
    at: int,
    index: int,
    proof: AccountProof,
    entry: RegisteredVault,
    own: OwnKey,
    rules: NetworkRules,
) -> SigningJob:
    """A plain account signs about itself; of a Safe, our owner signs a message of the Safe."""
    if isinstance(entry.vault, SafeVault):
        vault = pinned_safe(entry, rules)
        key = ExtendedKey.parse(own.xpub).child(BRANCH).child_key(0)
        owner = address_of_key(key)
        if owner not in vault.owners:
            raise Refused("safe.not_an_owner", f"{checksum(owner)} is no owner of {entry.name!r}")
        digest, answer_key = proof.safe_digest, owner
    else:
        key = entry.vault.public_key_at(index)
        digest, answer_key = proof.digest, proof.account
    return SigningJob(
        index=at,
        digest=digest,
        path=(*own.path, BRANCH, index),
        public_key=key,
        answer_key=answer_key,
        form=SignatureForm.RSV,
    )
