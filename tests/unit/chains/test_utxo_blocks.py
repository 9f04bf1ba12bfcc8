"""Blocks: a real one against embit, made-up ones with every kind of lie."""

import hashlib
from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

import pytest
from embit import compact
from embit.transaction import Transaction as EmbitTransaction

from chains.errors import CodecError
from chains.types import BlockScan, Evidence, OutPoint
from chains.utxo import blocks, mweb, scripts
from chains.utxo.auxpow import AuxPowError, _slot
from chains.utxo.blake3 import blake3
from chains.utxo.blocks import (
    BlockError,
    NoCoinbase,
    WrongBlock,
    WrongHogex,
    WrongMerkleRoot,
    merkle_root,
    scan_block,
)
from chains.utxo.params import BUILTIN, UtxoParams, params_from
from chains.utxo.scripts import sha256d
from chains.utxo.targets import WrongProofOfWork, target_of
from chains.utxo.transactions import Transaction, TxInput, TxOutput, compact_size
from chains.watched import WatchedOutpoints, WatchedScripts
from tests.utxo_world import DOGECOIN, REGTEST

BITS = 0x207FFFFF
MINE = scripts.p2wpkh(b"\x07" * 20)
OTHER = scripts.p2wpkh(b"\x08" * 20)


@dataclass(slots=True)
class Watching:
    """What a test watches."""

    targets: Container[bytes] = field(default_factory=WatchedScripts)
    outpoints: Container[OutPoint] = field(default_factory=WatchedOutpoints)


def _tx(number: int, *outputs: TxOutput, spends: Sequence[OutPoint] = ()) -> Transaction:
    inputs = [TxInput(txid=one.txid, vout=one.vout, witness=(b"\x01" * 300,)) for one in spends]
    coinbase = TxInput(txid="00" * 32, vout=0xFFFFFFFF, script_sig=number.to_bytes(4, "big"))
    return Transaction(
        inputs=tuple(inputs) or (coinbase,),
        outputs=outputs or (TxOutput(sats=50, script=OTHER),),
    )


def _mined(header: bytes, good: bool = True) -> bytes:
    """The header with a nonce that meets (or misses) the regtest target."""
    for nonce in range(1000):
        raw = header[:76] + nonce.to_bytes(4, "little")
        if (sha256d(raw)[31] < 0x7F) is good:
            return raw
    raise AssertionError("no nonce found")


def _block(txs: Sequence[Transaction], *, version: int = 4, extra: bytes = b"") -> bytes:
    root = merkle_root([bytes.fromhex(tx.txid)[::-1] for tx in txs])
    header = version.to_bytes(4, "little") + b"\x11" * 32 + root
    header += (1_700_000_000).to_bytes(4, "little") + BITS.to_bytes(4, "little") + bytes(4)
    body = compact_size(len(txs)) + b"".join(tx.serialize() for tx in txs)
    return _mined(header) + extra + body


def _hash(raw: bytes) -> str:
    return sha256d(raw[:80])[::-1].hex()


def _scan(raw: bytes, watched: Watching, params: UtxoParams = REGTEST) -> BlockScan:
    return scan_block(params, raw, 7, watched, _hash(raw))


def test_mainnet_block_is_read_as_embit_does(vectors: Path) -> None:
    raw = vectors.joinpath("btc_mainnet_block_413567.raw").read_bytes()
    stream = BytesIO(raw[80:])
    txs = [EmbitTransaction.read_from(stream) for _ in range(compact.read_from(stream))]
    wanted = {txs[5].vout[0].script_pubkey.data, txs[900].vout[-1].script_pubkey.data}
    gone = OutPoint(txs[700].vin[0].txid.hex(), txs[700].vin[0].vout)
    watched = Watching(targets=WatchedScripts(wanted), outpoints=WatchedOutpoints([gone]))
    scan = scan_block(BUILTIN["bitcoin"], raw, 413567, watched, _hash(raw))
    expected = [
        (tx.txid().hex(), f"out:{vout}", output.value)
        for tx in txs
        for vout, output in enumerate(tx.vout)
        if output.script_pubkey.data in wanted
    ]

    assert "0000000000000000025aff8be8a55df8f89c77296db6198f272d6577325d4069" == scan.ref.hash
    assert expected == [(one.txid, one.position, one.units) for one in scan.inflows]
    assert (gone, txs[700].txid().hex()) in [(one.outpoint, one.txid) for one in scan.spends]
    assert all(Transaction.parse(one.raw_tx).txid == one.txid for one in scan.inflows)


def test_two_outputs_of_one_transaction_are_two_inflows() -> None:
    tx = _tx(
        1,
        TxOutput(sats=3, script=MINE),
        TxOutput(sats=9, script=OTHER),
        TxOutput(sats=4, script=MINE),
    )
    scan = _scan(_block([tx]), Watching(targets=WatchedScripts([MINE])))

    assert [("out:0", 3), ("out:2", 4)] == [(one.position, one.units) for one in scan.inflows]
    assert {("BTC", Evidence.OUTPUT, MINE)} == {
        (one.asset, one.evidence, one.target) for one in scan.inflows
    }


def test_output_spent_in_the_block_that_made_it_is_a_spend_too() -> None:
    first = _tx(1, TxOutput(sats=3, script=MINE))
    second = _tx(2, spends=[OutPoint(first.txid, 0)])
    scan = _scan(_block([_tx(0), first, second]), Watching(targets=WatchedScripts([MINE])))

    assert [OutPoint(first.txid, 0)] == [one.outpoint for one in scan.spends]
    assert second.txid == scan.spends[0].txid


@pytest.mark.parametrize("kind", [set, frozenset, WatchedOutpoints])
def test_any_container_of_outpoints_is_asked(kind: type) -> None:
    spent = OutPoint("22" * 32, 300)
    raw = _block([_tx(0), _tx(1, spends=[OutPoint("22" * 32, 1), spent])])

    assert [spent] == [one.outpoint for one in _scan(raw, Watching(outpoints=kind([spent]))).spends]


def test_counts_above_252_are_read() -> None:
    many = _tx(1, *[TxOutput(sats=at, script=MINE) for at in range(300)])
    wide = _tx(2, TxOutput(sats=1, script=b"\x6a" + bytes(300)), TxOutput(sats=2, script=MINE))
    spends = [OutPoint("33" * 32, at) for at in range(260)]
    raw = _block([many, wide, _tx(3, spends=spends), *[_tx(at) for at in range(10, 270)]])
    watched = Watching(targets=WatchedScripts([MINE]), outpoints=WatchedOutpoints(spends))
    scan = _scan(raw, watched)

    assert 301 == len(scan.inflows)
    assert spends == [one.outpoint for one in scan.spends]


def test_another_block_than_asked_for_is_refused() -> None:
    with pytest.raises(WrongBlock):
        scan_block(REGTEST, _block([_tx(0)]), 7, Watching(), "00" * 32)


def test_header_without_work_is_refused() -> None:
    raw = _block([_tx(0)])
    lazy = _mined(raw[:80], good=False) + raw[80:]
    with pytest.raises(WrongProofOfWork, match="above"):
        _scan(lazy, Watching())


def test_target_easier_than_the_chain_allows_is_refused() -> None:
    with pytest.raises(WrongProofOfWork, match="easier"):
        _scan(_block([_tx(0)]), Watching(), BUILTIN["bitcoin"])


@pytest.mark.parametrize("bits", [0x01FEDCBA | 0x800000, 0xFF123456])
def test_impossible_targets_are_refused(bits: int) -> None:
    with pytest.raises(WrongProofOfWork):
        target_of(bits)


def test_targets_as_core_reads_them() -> None:
    assert 0x12 == target_of(0x01123456)
    assert 0x12345600 == target_of(0x04123456)
    assert 0x7FFFFF << 8 * 29 == target_of(BITS)


def test_scrypt_chains_check_scrypt_work() -> None:
    raw = _block([_tx(0)])
    header = raw[:80]
    litecoin = BUILTIN["litecoin-regtest"]
    for nonce in range(1000):
        header = raw[:76] + nonce.to_bytes(4, "little")
        work = hashlib.scrypt(header, salt=header, n=1024, r=1, p=1, dklen=32)
        if work[31] < 0x7F and sha256d(header)[31] > 0x7F:
            break

    assert _scan(header + raw[80:], Watching(), litecoin).ref.hash == _hash(header)
    with pytest.raises(WrongProofOfWork):
        _scan(header + raw[80:], Watching())


def test_changed_transaction_is_refused() -> None:
    raw = bytearray(_block([_tx(0), _tx(1)]))
    raw[-6] ^= 1
    with pytest.raises(WrongMerkleRoot):
        _scan(bytes(raw), Watching())


def test_repeated_transactions_with_an_honest_root_are_refused() -> None:
    # CVE-2012-2459: the third transaction stands twice, the root is the same.
    txs = [_tx(at) for at in range(3)]
    raw = _block(txs)
    body = compact_size(4) + b"".join(tx.serialize() for tx in [*txs, txs[2]])
    with pytest.raises(WrongMerkleRoot, match="twice"):
        _scan(raw[:80] + body, Watching())


def test_repeated_pairs_with_an_honest_root_are_refused() -> None:
    # CVE-2012-2459 one level up: the last two of six stand twice.
    txs = [_tx(at) for at in range(6)]
    raw = _block(txs)
    body = compact_size(8) + b"".join(tx.serialize() for tx in [*txs, *txs[4:]])
    with pytest.raises(WrongMerkleRoot, match="twice"):
        _scan(raw[:80] + body, Watching())


def test_inner_nodes_of_the_merkle_tree_are_no_transactions() -> None:
    # CVE-2017-12842: 64 bytes that are two hashes to one reader and a transaction to another.
    small = Transaction(
        inputs=(TxInput(txid="22" * 32, vout=1, script_sig=b"\x51" * 4),),
        outputs=(TxOutput(sats=5, script=b""),),
    )
    assert 64 == len(small.serialize())
    with pytest.raises(NoCoinbase):
        _scan(_block([small, replace(small, locktime=1)]), Watching())
    two = _tx(1, spends=[OutPoint("22" * 32, 1), OutPoint("22" * 32, 2)])
    with pytest.raises(NoCoinbase):
        _scan(_block([two]), Watching())


def test_what_a_coinbase_pays_must_ripen() -> None:
    coinbase, other = _tx(0, TxOutput(sats=3, script=MINE)), _tx(1, TxOutput(sats=4, script=MINE))
    scan = _scan(_block([coinbase, other]), Watching(targets=WatchedScripts([MINE])))

    assert [(3, 100), (4, 0)] == [(one.units, one.maturity_blocks) for one in scan.inflows]


EXTENSION = b"\x01" + b"\x81\x00" + bytes(range(160)) + b"\x05\x80\x07" + b"the body"
HOGADDR = b"\x58\x20" + blake3(EXTENSION[1:-8])


def _with_extension(
    script: bytes = HOGADDR, extension: bytes = EXTENSION, *, last: bool = True
) -> bytes:
    """A Litecoin block whose HogEx pays us out of its extension block."""
    outputs = TxOutput(sats=9, script=script), TxOutput(sats=7, script=MINE)
    hogex = Transaction(inputs=(TxInput(txid="33" * 32, vout=0),), outputs=outputs)
    txs = [_tx(0), _tx(1), hogex] if last else [_tx(0), hogex, _tx(1)]
    raw, bare = _block(txs), hogex.serialize()
    flagged = bare[:4] + b"\x00\x08" + bare[4:-4] + b"\x00" + bare[-4:]
    header = raw[:76] + _scrypt_nonce(raw[:76])
    return header + raw[80:].replace(bare, flagged) + extension


def _scrypt_nonce(prefix: bytes) -> bytes:
    for nonce in range(1000):
        raw = prefix + nonce.to_bytes(4, "little")
        if hashlib.scrypt(raw, salt=raw, n=1024, r=1, p=1, dklen=32)[31] < 0x7F:
            return raw[76:]
    raise AssertionError("no nonce found")


def test_what_comes_out_of_the_extension_is_an_inflow() -> None:
    watched = Watching(targets=WatchedScripts([MINE]))
    scan = _scan(_with_extension(), watched, BUILTIN["litecoin-regtest"])

    assert [("out:1", 7, 6)] == [
        (one.position, one.units, one.maturity_blocks) for one in scan.inflows
    ]


@pytest.mark.parametrize(
    ("script", "extension"),
    [
        (MINE, EXTENSION),
        (HOGADDR[:-1], EXTENSION),
        (b"\x59" + HOGADDR[1:], EXTENSION),
        (HOGADDR, b""),
        (HOGADDR, b"\x00"),
        (HOGADDR, b"\x02" + EXTENSION[1:]),
        (HOGADDR, EXTENSION[:100]),
        (HOGADDR, b"\x01" + b"\xff" * 300),
        (HOGADDR, EXTENSION[:50] + b"\xff" + EXTENSION[51:]),
    ],
)
def test_an_extension_that_the_hogex_does_not_name_is_refused(
    script: bytes, extension: bytes
) -> None:
    with pytest.raises(mweb.WrongExtension):
        _scan(_with_extension(script, extension), Watching(), BUILTIN["litecoin-regtest"])


def test_a_hogex_before_the_end_is_refused() -> None:
    with pytest.raises(WrongHogex):
        _scan(_with_extension(last=False), Watching(), BUILTIN["litecoin-regtest"])


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (b"abc", "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
    ],
)
def test_blake3_as_published(data: bytes, digest: str) -> None:
    assert digest == blake3(data).hex()


@pytest.mark.parametrize("size", [0, 79, 80, 81, 90, 120])
def test_cut_blocks_are_refused(size: int) -> None:
    with pytest.raises(CodecError):
        _scan(_block([_tx(0)])[:size], Watching())


def test_bytes_after_the_block_are_refused() -> None:
    with pytest.raises(BlockError):
        _scan(_block([_tx(0)]) + b"\x00", Watching())


def test_huge_blocks_are_refused_before_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES_MAX", 100)
    with pytest.raises(BlockError, match="at most"):
        _scan(_block([_tx(0)]), Watching())


def test_more_money_than_there_is_is_refused() -> None:
    tx = _tx(1, TxOutput(sats=REGTEST.money_sats_max + 1, script=MINE))
    with pytest.raises(BlockError, match="more than there is"):
        _scan(_block([tx]), Watching(targets=WatchedScripts([MINE])))


def test_has_transaction() -> None:
    raw = _block([_tx(0), _tx(1)])

    assert blocks.has_transaction(REGTEST, raw, _hash(raw), _tx(1).txid)
    assert not blocks.has_transaction(REGTEST, raw, _hash(raw), _tx(2).txid)


# Merged mining, with a parent chain whose target is as easy.

MERGED = params_from({**DOGECOIN, "pow": "sha256d", "pow_limit_bits": BITS})


def _merged(
    chain_id: int = 98,
    index: int | None = None,
    *,
    commits: bool = True,
    twice: bool = False,
    coinbase_at: int = 0,
    in_parent: bool = True,
    parent_version: int = 4,
) -> bytes:
    """A block whose work is that of a parent header; arguments make the proof a wrong one."""
    raw = _block([_tx(0)], version=chain_id << 16 | 0x104)
    own, sibling, height, nonce = sha256d(raw[:80]), b"\x05" * 32, 1, 5
    at = _slot(nonce, 98, height) if index is None else index
    pair = (sibling, own) if at & 1 else (own, sibling)
    root = sha256d(b"".join(pair))[::-1] if commits else bytes(32)
    script = b"\xfa\xbemm" + root + (1 << height).to_bytes(4, "little")
    script += nonce.to_bytes(4, "little") + (b"\xfa\xbemm" if twice else b"")
    coinbase = replace(_tx(0), inputs=(replace(_tx(0).inputs[0], script_sig=script),))
    parent_root = bytes.fromhex(coinbase.txid)[::-1] if in_parent else bytes(32)
    parent = parent_version.to_bytes(4, "little") + bytes(32) + parent_root + bytes(12)
    proof = coinbase.serialize() + bytes(32) + b"\x00" + coinbase_at.to_bytes(4, "little")
    proof += b"\x01" + sibling + at.to_bytes(4, "little") + _mined(parent)
    return raw[:80] + proof + raw[80:]


def test_merged_mined_block_is_read() -> None:
    raw = _merged()

    assert _hash(raw) == _scan(raw, Watching(), MERGED).ref.hash


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (_merged(chain_id=99), "chain id"),
        (_merged(index=1 - _slot(5, 98, 1)), "own place"),
        (_merged(commits=False), "exactly once"),
        (_merged(twice=True), "exactly once"),
        (_merged(coinbase_at=1), "coinbase at 0"),
        (_merged(in_parent=False), "not in the parent"),
        (_merged(parent_version=98 << 16 | 4), "same chain"),
    ],
)
def test_merged_mining_proofs_that_prove_nothing_are_refused(raw: bytes, words: str) -> None:
    with pytest.raises(AuxPowError, match=words):
        _scan(raw, Watching(), MERGED)


def test_merged_mining_still_needs_work() -> None:
    raw = _merged()
    at = raw.index(b"\x05" * 32) + 36
    lazy = raw[:at] + _mined(raw[at : at + 80], good=False) + raw[at + 80 :]
    with pytest.raises(WrongProofOfWork):
        _scan(lazy, Watching(), MERGED)
