"""Signers' answers put together into the proofs that a package carries."""

from collections.abc import Sequence

from chains.errors import ChainError, CodecError
from chains.evm.reserves import AccountProof
from chains.evm.safe import SafeVault
from chains.evm.safe_signatures import pack_signatures
from chains.evm.transactions import recover
from chains.types import OutPoint
from chains.utxo import bip322
from chains.utxo.bip322 import ClaimedCoin
from chains.utxo.descriptors import RECEIVE, DescriptorVault
from signer.protocol import ReservesClaim, SignAnswer, SignRequest
from wallet.reserves.asking import Ask
from wallet.reserves.claims import HeldAccount
from wallet.reserves.context import ReservesContext
from wallet.reserves.errors import BadProof
from wallet.reserves.publication import Publication


def combined(
    context: ReservesContext,
    publication: Publication,
    ask: Ask,
    request: SignRequest,
    answers: Sequence[SignAnswer],
) -> dict[int, dict[str, str]]:
    """Claim number to proof, of one ask. Raises BadProof when answers do not fit."""
    vault, claim = context.vaults[ask.source], ReservesClaim.decode(request.payload)
    try:
        if isinstance(vault, DescriptorVault):
            return {ask.claims[0]: {"bip322": _coins(vault, claim, ask.network, answers)}}
        proofs = {}
        for place, (number, account) in enumerate(_accounts(publication, ask)):
            told = AccountProof(
                chain_id=context.chain_ids[ask.network] or 0,
                account=account.address,
                statement=claim.statement,
                height=claim.height,
                block_hash=claim.block_hash,
            )
            if isinstance(vault, SafeVault):
                proofs[number] = {"safe": _safe(vault, told, answers).hex()}
            else:
                proofs[number] = {"account": _account(told, place, answers).hex()}
    except ChainError as error:
        raise BadProof(f"got answers of {ask.source} that make no proof: {error}") from error
    return proofs


def _accounts(publication: Publication, ask: Ask) -> list[tuple[int, HeldAccount]]:
    found = [(number, publication.claims[number].account) for number in ask.claims]
    return [(number, account) for number, account in found if account is not None]


def _coins(
    vault: DescriptorVault, claim: ReservesClaim, network: str, answers: Sequence[SignAnswer]
) -> str:
    coins = [
        ClaimedCoin(
            outpoint=OutPoint(one.txid, one.vout),
            sats=one.sats,
            script=vault.script_at(one.branch, one.index),
        )
        for one in claim.coins
    ]
    psbt = bip322.to_sign(vault.script_at(RECEIVE, 0), claim.message(network).encode(), coins)
    return bip322.proof_of(psbt, [one for answer in answers for one in answer.signatures])


def _safe(vault: SafeVault, told: AccountProof, answers: Sequence[SignAnswer]) -> bytes:
    signed = [answer.signatures[0].signature for answer in answers if answer.signatures]
    for signature in signed:
        owner = recover(told.safe_digest, signature)
        if owner not in vault.owners:
            raise CodecError(f"got a signature of {owner.hex()}, expected an owner's")
    return pack_signatures(told.safe_digest, signed[: vault.threshold])


def _account(told: AccountProof, place: int, answers: Sequence[SignAnswer]) -> bytes:
    for one in answers[0].signatures:
        if one.index == place and recover(told.digest, one.signature) == told.account:
            return one.signature
    raise CodecError(f"got no signature by {told.account.hex()}")
