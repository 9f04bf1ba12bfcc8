"""Answers of a Safe's owners put together: owners only, as many as it wants, in its order."""

from typing import Any

import pytest

from chains.evm.reserves import AccountProof
from signer.protocol import InputSignature, Kind, ReservesClaim, SignRequest
from tests.reserves_world import BLOCKS, CHAIN_IDS, ETH, PEOPLE, Published, publish, rsv
from wallet.reserves.asking import Ask
from wallet.reserves.combining import combined
from wallet.reserves.context import ReservesContext
from wallet.reserves.errors import BadProof
from wallet.reserves.verifier.checking import check_package


class Answer:
    """What a signer's answer says, as far as combining looks at it."""

    def __init__(self, signature: bytes) -> None:
        one = InputSignature(index=0, public_key=bytes(20), signature=signature)
        self.signatures = (one,)


class World:
    """The part of a context that combining needs."""

    def __init__(self, published: Published) -> None:
        self.vaults, self.chain_ids = published.vaults, CHAIN_IDS


def combine(published: Published, signatures: list[bytes]) -> dict[int, dict[str, str]]:
    at, number = BLOCKS[ETH], len(published.claims) - 1
    claim = ReservesClaim(
        statement=published.digest, height=at.height, block_hash=bytes.fromhex(at.hash)
    )
    request = SignRequest(
        request_id="r",
        created_s=0,
        expires_s=1,
        network=ETH,
        source="eth-cold",
        kind=Kind.RESERVES,
        payload=claim.encode(),
        intents=(),
    )
    ask = Ask(number=0, network=ETH, source="eth-cold", claims=(number,))
    context: Any = World(published)
    made: Any = published
    answers: Any = [Answer(one) for one in signatures]
    kept: ReservesContext = context
    return combined(kept, made, ask, request, answers)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return publish(tmp_path_factory.mktemp("published"))


def digest_of(published: Published) -> bytes:
    at, claim = BLOCKS[ETH], published.claims[-1]
    assert claim.account is not None
    return AccountProof(
        chain_id=31337,
        account=claim.account.address,
        statement=published.digest,
        height=at.height,
        block_hash=bytes.fromhex(at.hash),
    ).safe_digest


def test_any_two_owners_in_any_order_make_a_proof_that_holds(published: Published) -> None:
    digest = digest_of(published)
    for people in ((0, 1), (1, 0), (2, 1), (2, 0, 1)):
        found = combine(published, [rsv(PEOPLE[one], 0, digest) for one in people])
        proofs = published.proofs()
        proofs[-1] = found[len(proofs) - 1]
        assert check_package(published.read(proofs)).holds


def test_who_is_no_owner_makes_no_proof(published: Published) -> None:
    digest = digest_of(published)
    stranger = rsv(PEOPLE[0], 7, digest)
    with pytest.raises(BadProof):
        combine(published, [rsv(PEOPLE[0], 0, digest), stranger])
    with pytest.raises(BadProof):
        combine(published, [rsv(PEOPLE[0], 0, digest), rsv(PEOPLE[0], 0, digest)])
