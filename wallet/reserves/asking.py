"""What each vault's signers are asked to show: one claim of coins, or many accounts, at once."""

from collections import defaultdict
from dataclasses import dataclass

from chains.evm.accounts import KeyAccount
from signer.protocol import (
    Approval,
    Intent,
    Kind,
    Purpose,
    ReservesClaim,
    ReservesCoin,
    SignRequest,
)
from wallet.reserves.context import ReservesContext
from wallet.reserves.publication import Publication

REQUESTER = "reserves"
"""Who asks, in the intents."""

HOT_LIFE_S = 900
OFFLINE_LIFE_S = 12 * 3600
"""How long a request may be answered: at once, or after a walk to the safe."""

INTENT_LIFE_S = 7 * 24 * 3600
"""How long people's approvals hold; nothing can be paid by them."""

ACCOUNTS_MAX = 400
"""Accounts of one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is asked of the signers of one vault: to show these claims, by their numbers."""

    number: int
    network: str
    source: str
    claims: tuple[int, ...]


def asks_of(publication: Publication) -> list[Ask]:
    """Every claim once; coins each by themselves, accounts of a vault together."""
    groups: list[tuple[str, str, tuple[int, ...]]] = []
    accounts: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, claim in enumerate(publication.claims):
        if claim.account is None:
            groups.append((claim.network, claim.source, (number,)))
        else:
            accounts[(claim.network, claim.source)].append(number)
    for (network, source), numbers in accounts.items():
        starts = range(0, len(numbers), ACCOUNTS_MAX)
        groups += [(network, source, tuple(numbers[at : at + ACCOUNTS_MAX])) for at in starts]
    return [
        Ask(number=number, network=network, source=source, claims=claims)
        for number, (network, source, claims) in enumerate(groups)
    ]


def claim_of(context: ReservesContext, publication: Publication, ask: Ask) -> ReservesClaim:
    """The payload: what to show, and for which statement at which block."""
    at = publication.statement.networks[ask.network]
    claims = [publication.claims[number] for number in ask.claims]
    many = isinstance(context.vaults[ask.source], KeyAccount)
    return ReservesClaim(
        statement=publication.digest,
        height=at.height,
        block_hash=at.block_hash,
        coins=tuple(
            ReservesCoin(
                txid=one.txid, vout=one.vout, sats=one.units, branch=one.branch, index=one.index
            )
            for claim in claims
            for one in claim.coins
        ),
        accounts=tuple(claim.account.index for claim in claims if claim.account and many),
    )


def new_intent(context: ReservesContext, publication: Publication, ask: Ask) -> Intent:
    """What people approve: exactly this claim of this vault, and nothing paid."""
    now_s = context.clock.now_s()
    return Intent(
        intent_id=context.new_id(),
        purpose=Purpose.RESERVES,
        network=ask.network,
        asset=context.native_asset(ask.network),
        source=ask.source,
        payees=(),
        fee_units_max=0,
        requester=REQUESTER,
        created_s=now_s,
        expires_s=now_s + INTENT_LIFE_S,
        call=claim_of(context, publication, ask).encode(),
    )


def new_request(
    context: ReservesContext, ask: Ask, intent: Intent, approvals: tuple[Approval, ...]
) -> SignRequest:
    """A request to all signers of the vault."""
    now_s, signers = context.clock.now_s(), context.signers_of(ask.source)
    is_hot = all(one.id in context.doors for one in signers)
    return SignRequest(
        request_id=context.new_id(),
        created_s=now_s,
        expires_s=min(now_s + (HOT_LIFE_S if is_hot else OFFLINE_LIFE_S), intent.expires_s),
        network=ask.network,
        source=ask.source,
        kind=Kind.RESERVES,
        payload=intent.call,
        intents=(intent,),
        approvals=approvals,
        signers=tuple(one.id for one in signers),
    )
