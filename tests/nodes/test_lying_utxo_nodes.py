"""A real node whose answers are altered on the way: every lie is found out, by its own code."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from chains.errors import ChainError
from chains.headers import BrokenChain, LessWork, TooEarly, TooLate, WrongDifficulty, WrongStart
from chains.types import BlockRef
from chains.utxo import scripts
from chains.utxo.blocks import NoCoinbase, WrongMerkleRoot
from chains.utxo.chain import UtxoChain
from chains.utxo.node import UtxoNode
from chains.utxo.params import BUILTIN, UtxoParams
from chains.utxo.targets import WrongProofOfWork
from chains.utxo.transactions import Reader, compact_size, read
from tests.conftest import skip_or_fail
from wallet.clock import SystemClock
from wallet.deposits.gate import CreditGate
from wallet.deposits.headers import HeaderChain
from wallet.deposits.rules import DepositRules
from wallet.deposits.second_node import SecondNode
from wallet.deposits.watcher import Seen, Watcher
from wallet.devnet.blocks import scrypt_pow, sha256d
from wallet.devnet.devnet import Devnet
from wallet.milestones import pass_by
from wallet.settings import AssetSettings, ConfirmationTier
from wallet.store.database import Database
from wallet.store.schema import accounts, addresses, deposits

NODES = ("bitcoin-regtest", "litecoin-regtest", "litecoind-regtest")
UNIT = 100_000_000
BLOCKS_BACK = 40


@dataclass
class Lies:
    """Blocks by hash that the real node does not have, and which of them stand at which height."""

    blocks: dict[str, bytes] = field(default_factory=dict)
    heights: dict[int, str] = field(default_factory=dict)

    def show(self, height: int, raw: bytes, name: str = "") -> str:
        """Show a block at a height, by its own hash or under the name of another."""
        name = name or sha256d(raw[:80])[::-1].hex()
        self.blocks[name] = raw
        self.heights[height] = name
        return name


class LyingNode(UtxoNode):
    """The real node, but for the lies."""

    def __init__(self, url: str, lies: Lies) -> None:
        super().__init__(url)
        self._lies = lies

    def chain_info(self) -> dict[str, object]:
        info = super().chain_info()
        if not self._lies.heights:
            return info
        top = max(self._lies.heights)
        return {**info, "blocks": top, "headers": top, "bestblockhash": self._lies.heights[top]}

    def block_hash(self, height: int) -> str:
        return self._lies.heights.get(height) or super().block_hash(height)

    def header(self, block_hash: str) -> bytes:
        known = self._lies.blocks.get(block_hash)
        return known[:80] if known else super().header(block_hash)

    def block(self, block_hash: str) -> bytes:
        return self._lies.blocks.get(block_hash) or super().block(block_hash)


@dataclass
class Setup:
    """A watcher on a lying node, caught up with a deposit in the last block but one."""

    devnet: Devnet
    node: str
    params: UtxoParams
    database: Database
    lies: Lies
    chain: UtxoChain
    paid: bytes

    def __post_init__(self) -> None:
        self.start = self.chain.tip().height - BLOCKS_BACK
        self.rules = {self.params.native: DepositRules(asset=_asset(self.params, self.node))}
        self.watcher = self.make_watcher()

    def make_watcher(self, start_hash: str = "") -> Watcher:
        headers = HeaderChain(
            self.chain,
            self.database,
            self.params,
            SystemClock(),
            start_height=self.start,
            start_hash=start_hash,
        )
        return Watcher(
            self.chain, self.database, self.rules, self.start, SystemClock(), pass_by, headers
        )

    def follow(self) -> int:
        while (step := self.watcher.step()).seen is not Seen.SAME:
            pass
        return step.height

    def tip(self) -> tuple[BlockRef, bytes]:
        """The real best block."""
        honest = UtxoChain(self.params, UtxoNode(self.devnet.url(self.node)), feerate_min=1)
        tip = honest.tip()
        raw = honest.block_bytes(tip.hash)
        honest.close()
        return tip, raw

    def remine(self, raw: bytes, **changes: int | bytes) -> bytes:
        """The block with another header, whose work is good again."""
        header = bytearray(raw[:80])
        for name, value in changes.items():
            start, size = {"parent": (4, 32), "root": (36, 32), "time": (68, 4), "bits": (72, 4)}[
                name
            ]
            part = value if isinstance(value, bytes) else value.to_bytes(4, "little")
            header[start : start + size] = part
        work = sha256d if self.params.pow == "sha256d" else scrypt_pow
        for nonce in range(1 << 16):
            header[76:] = nonce.to_bytes(4, "little")
            if work(bytes(header))[31] < 0x7F:
                return bytes(header) + raw[80:]
        raise AssertionError("no nonce found")

    def states(self) -> list[tuple[str, str]]:
        with self.database.read() as tx:
            return [(row.status, row.sub_status) for row in tx.execute(select(deposits))]


def _asset(params: UtxoParams, node: str) -> AssetSettings:
    return AssetSettings(
        code=params.native,
        network=node,
        decimals=8,
        confirmations=(ConfirmationTier(from_units=0, confirmations=2),),
        second_node_from=UNIT,
    )


@pytest.fixture(params=NODES)
def setup(request: pytest.FixtureRequest, devnet: Devnet, tmp_path: Path) -> Iterator[Setup]:
    node = str(request.param)
    if node not in devnet.networks:
        skip_or_fail(f"no node for {node} on this machine")
    params = BUILTIN["bitcoin-regtest" if node.startswith("bitcoin") else "litecoin-regtest"]
    database = Database.open(f"sqlite:///{tmp_path / 'wallet.sqlite'}")
    database.migrate()
    # An address of its own: the chain is shared by all tests.
    paid = scripts.p2wpkh(hashlib.sha256(str(tmp_path).encode()).digest()[:20])
    with database.write() as tx:
        tx.execute(insert(accounts).values(id="user", external_id="u", created_s=0))
        tx.execute(
            insert(addresses).values(
                id="address",
                account_id="user",
                network=node,
                source="hot",
                branch=0,
                position=0,
                purpose="deposit",
                address="a",
                target=paid,
                created_s=0,
            )
        )
    lies = Lies()
    chain = UtxoChain(params, LyingNode(devnet.url(node), lies), feerate_min=1, network=node)
    made = Setup(devnet, node, params, database, lies, chain, paid)
    made.follow()
    yield made
    chain.close()
    database.close()


def _height(setup: Setup) -> int:
    return setup.chain.tip().height


def test_an_honest_node_is_followed_through_a_reorg(setup: Setup) -> None:
    setup.devnet.fund_script(setup.node, setup.paid, UNIT // 2)
    setup.devnet.mine(setup.node, 2)

    assert setup.follow() == _height(setup)
    assert ("credited", "") in setup.states()
    setup.devnet.fund_script(setup.node, setup.paid, UNIT // 4)
    setup.devnet.reorg(setup.node, 1)
    assert setup.follow() == _height(setup)


def _lie_of(setup: Setup, name: str) -> tuple[int, bytes]:
    """A next block that is wrong in one way: the real one's successor, never its copy."""
    tip, raw = setup.tip()
    parent = bytes.fromhex(tip.hash)[::-1]
    time_s = tip.time_s + 1
    match name:
        case "bits":
            return tip.height + 1, setup.remine(raw, parent=parent, time=time_s, bits=0x207FFFFE)
        case "early":
            return tip.height + 1, setup.remine(raw, parent=parent, time=1_300_000_000)
        case "late":
            ahead = SystemClock().now_s() + 10_000
            return tip.height + 1, setup.remine(raw, parent=parent, time=ahead)
        case "parent":
            return tip.height + 1, setup.remine(raw, parent=b"\x11" * 32, time=time_s)
        case _:
            return tip.height + 1, setup.remine(raw, parent=parent, time=time_s, root=b"\x22" * 32)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("bits", WrongDifficulty),
        ("early", TooEarly),
        ("late", TooLate),
        ("parent", BrokenChain),
        ("root", WrongMerkleRoot),
    ],
)
def test_a_block_that_cannot_follow_is_refused(
    setup: Setup, name: str, error: type[ChainError]
) -> None:
    setup.lies.show(*_lie_of(setup, name))

    with pytest.raises(error) as caught:
        setup.follow()
    assert caught.value.code == error.code


def _without_last_transaction(raw: bytes) -> bytes:
    reader = Reader(raw)
    reader.at = 80
    count = reader.compact()
    starts = []
    for _ in range(count):
        starts.append(reader.at)
        read(reader)
    first = 80 + len(compact_size(count))
    return raw[:80] + compact_size(count - 1) + raw[first : starts[-1]]


def _without_first_transaction(raw: bytes) -> bytes:
    reader = Reader(raw)
    reader.at = 80
    count = reader.compact()
    read(reader)
    return raw[:80] + compact_size(count - 1) + raw[reader.at :]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (_without_last_transaction, WrongMerkleRoot),
        (_without_first_transaction, NoCoinbase),
    ],
)
def test_a_transaction_left_out_is_missed(
    setup: Setup, change: Callable[[bytes], bytes], error: type[ChainError]
) -> None:
    setup.devnet.fund_script(setup.node, setup.paid, UNIT)
    setup.devnet.mine(setup.node, 1)
    tip, raw = setup.tip()
    setup.lies.show(tip.height, change(raw), tip.hash)

    with pytest.raises(error) as caught:
        setup.follow()
    assert caught.value.code == error.code
    setup.lies.heights.clear()
    setup.lies.blocks.clear()
    assert setup.follow() == tip.height


def test_a_header_without_work_is_refused(setup: Setup) -> None:
    height, raw = _lie_of(setup, "root")
    work = sha256d if setup.params.pow == "sha256d" else scrypt_pow
    header = bytearray(raw[:80])
    for nonce in range(1 << 16):
        header[76:] = nonce.to_bytes(4, "little")
        if work(bytes(header))[31] > 0x7F:
            break
    setup.lies.show(height, bytes(header) + raw[80:])

    with pytest.raises(WrongProofOfWork):
        setup.follow()


def test_a_rival_branch_without_more_work_is_not_followed(setup: Setup) -> None:
    tip, raw = setup.tip()
    rival = setup.remine(raw, time=tip.time_s + 1)
    setup.lies.show(tip.height, rival)

    with pytest.raises(LessWork):
        setup.follow()
    setup.lies.heights.clear()
    assert setup.follow() == tip.height


def test_another_first_block_than_the_pinned_one_is_refused(setup: Setup) -> None:
    setup.devnet.mine(setup.node, 1)
    setup.watcher = setup.make_watcher("ab" * 32)

    with pytest.raises(WrongStart):
        setup.follow()
    setup.watcher = setup.make_watcher(setup.chain.block_at(setup.start).hash)
    assert setup.follow() == _height(setup)


def test_a_large_deposit_is_held_until_the_second_node_shows_it_too(setup: Setup) -> None:
    setup.devnet.fund_script(setup.node, setup.paid, UNIT)
    setup.devnet.mine(setup.node, 1)
    setup.devnet.mine(setup.node, 1)
    lies = Lies()
    url = setup.devnet.url(setup.node)
    other = UtxoChain(setup.params, LyingNode(url, lies), feerate_min=1, network=setup.node)
    second = SecondNode(
        other, CreditGate(setup.chain, setup.rules), setup.database, SystemClock(), pass_by
    )
    block = setup.chain.block_at(_height(setup) - 1)
    raw = setup.chain.block_bytes(block.hash)
    lies.show(block.height, setup.remine(raw, time=block.time_s + 1))
    lies.show(block.height + 1, setup.remine(raw, time=block.time_s + 2))
    setup.follow()
    second.step()
    assert [("held", "second_node_disagrees")] == setup.states()
    lies.heights.clear()
    second.step()
    other.close()

    assert [("credited", "")] == setup.states()
