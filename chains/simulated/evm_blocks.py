"""Blocks of a simulated EVM chain as a node prints them, with the roots that prove their contents.

Written apart from `chains.evm.proofs`, which reads them: the two must agree on every byte.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chains.evm import rlp, trie
from chains.evm.authorizations import SignedAuthorization
from chains.evm.blocks import Log, bloom_of
from chains.evm.hashing import keccak256
from chains.evm.set_code import SET_CODE_TYPE, SignedSetCodeTx
from chains.evm.transactions import SignedTx
from chains.simulated.evm_state import Effects, State
from chains.types import BlockRef

GAS_LIMIT = 30_000_000
_NO_UNCLES = keccak256(rlp.encode([]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """A transaction and what became of it; `effects` is None when it reverted."""

    signed: SignedTx
    effects: Effects | None
    gas_used: int
    price_wei: int

    @property
    def fee_wei(self) -> int:
        """All that the sender paid for it."""
        return self.gas_used * self.price_wei


@dataclass(frozen=True, slots=True, kw_only=True)
class EvmBlock:
    """A block, the state after it, and the four answers that nodes give about it."""

    ref: BlockRef
    state: State
    done: tuple[Executed, ...]
    header: dict[str, Any]
    transactions: list[dict[str, Any]]
    receipts: list[dict[str, Any]]
    traces: list[dict[str, Any]]


def seal(
    parent: BlockRef | None,
    time_s: int,
    base_fee_wei: int,
    salt: int,
    state: State,
    done: Sequence[Executed],
) -> EvmBlock:
    """The next block; `salt` keeps two blocks of the same contents apart."""
    height = 0 if parent is None else parent.height + 1
    logs = [_log(entry) for one in done for entry in _effects(one).logs]
    fields: list[tuple[str, bytes | int]] = [
        ("parentHash", bytes(32) if parent is None else bytes.fromhex(parent.hash)),
        ("sha3Uncles", _NO_UNCLES),
        ("miner", bytes(20)),
        ("stateRoot", salt.to_bytes(32, "big")),
        ("transactionsRoot", trie.ordered_root([one.signed.raw for one in done])),
        ("receiptsRoot", trie.ordered_root(_receipt_bytes(done))),
        ("logsBloom", bloom_of(logs)),
        ("difficulty", 0),
        ("number", height),
        ("gasLimit", GAS_LIMIT),
        ("gasUsed", sum(one.gas_used for one in done)),
        ("timestamp", time_s),
        ("extraData", b""),
        ("mixHash", bytes(32)),
        ("nonce", bytes(8)),
        ("baseFeePerGas", base_fee_wei),
    ]
    name = keccak256(rlp.encode([_plain(value) for _, value in fields])).hex()
    header = {field: _shown(value) for field, value in fields} | {"hash": "0x" + name}
    return EvmBlock(
        ref=BlockRef(
            height=height,
            hash=name,
            parent="00" * 32 if parent is None else parent.hash,
            time_s=time_s,
        ),
        state=state,
        done=tuple(done),
        header=header,
        transactions=[show_transaction(one.signed, name, at) for at, one in enumerate(done)],
        receipts=_receipts(done, name),
        traces=[{"txHash": one.signed.txid, "result": _trace(one)} for one in done],
    )


def read_signed(raw: bytes) -> SignedTx:
    """Signed bytes of either type that this chain takes. Raises CodecError."""
    if raw[:1] != bytes([SET_CODE_TYPE]):
        return SignedTx.decode(raw)
    signed = SignedSetCodeTx.decode(raw)
    return SignedTx(tx=signed.tx.call, sender=signed.sender, raw=raw, txid=signed.txid)


def leaves_of(signed: SignedTx) -> tuple[SignedAuthorization, ...]:
    """The authorisations that a transaction carries."""
    if signed.raw[0] != SET_CODE_TYPE:
        return ()
    return SignedSetCodeTx.decode(signed.raw).tx.authorizations


def show_transaction(signed: SignedTx, block: str | None, index: int | None) -> dict[str, Any]:
    """A transaction as nodes print it; `block` is None while it waits."""
    parity, r, s = (rlp.decode_int(item, 256) for item in _items(signed.raw)[-3:])
    tx = signed.tx
    leaves = [
        {
            "chainId": hex(one.authorization.chain_id),
            "address": _shown(one.authorization.delegate),
            "nonce": hex(one.authorization.nonce),
            "yParity": hex(one.parity),
            "r": hex(one.r),
            "s": hex(one.s),
        }
        for one in leaves_of(signed)
    ]
    return {
        **({"authorizationList": leaves} if leaves else {}),
        "type": hex(signed.raw[0]),
        "hash": signed.txid,
        "blockHash": None if block is None else "0x" + block,
        "transactionIndex": None if index is None else hex(index),
        "from": _shown(signed.sender),
        "to": _shown(tx.to),
        "value": hex(tx.value_wei),
        "chainId": hex(tx.chain_id),
        "nonce": hex(tx.nonce),
        "maxPriorityFeePerGas": hex(tx.priority_fee_wei),
        "maxFeePerGas": hex(tx.max_fee_wei),
        "gas": hex(tx.gas_limit),
        "input": _shown(tx.data),
        "accessList": [],
        "yParity": hex(parity),
        "r": hex(r),
        "s": hex(s),
    }


def _items(raw: bytes) -> list[rlp.Item]:
    """The fields of a signed transaction."""
    items = rlp.decode(raw[1:])
    return items if isinstance(items, list) else []


def _effects(one: Executed) -> Effects:
    return one.effects or Effects()


def _log(entry: Any) -> Log:
    return Log(contract=entry.contract, topics=entry.topics, data=entry.data)


def _receipt_bytes(done: Sequence[Executed]) -> list[bytes]:
    encoded, total = [], 0
    for one in done:
        total += one.gas_used
        logs = [_log(entry) for entry in _effects(one).logs]
        body = [
            rlp.encode_int(int(one.effects is not None)),
            rlp.encode_int(total),
            bloom_of(logs),
            [[log.contract, list(log.topics), log.data] for log in logs],
        ]
        encoded.append(one.signed.raw[:1] + rlp.encode(body))
    return encoded


def _receipts(done: Sequence[Executed], block: str) -> list[dict[str, Any]]:
    shown, total = [], 0
    for at, one in enumerate(done):
        total += one.gas_used
        shown.append(
            {
                "type": hex(one.signed.raw[0]),
                "transactionHash": one.signed.txid,
                "transactionIndex": hex(at),
                "blockHash": "0x" + block,
                "status": hex(int(one.effects is not None)),
                "gasUsed": hex(one.gas_used),
                "cumulativeGasUsed": hex(total),
                "effectiveGasPrice": hex(one.price_wei),
                "logs": [
                    {
                        "address": _shown(log.contract),
                        "topics": [_shown(topic) for topic in log.topics],
                        "data": _shown(log.data),
                    }
                    for log in _effects(one).logs
                ],
            }
        )
    return shown


def _trace(one: Executed) -> dict[str, Any]:
    tx = one.signed.tx
    calls = [
        {"type": "CALL", "from": _shown(m.sender), "to": _shown(m.to), "value": hex(m.units)}
        for m in _effects(one).moves
    ]
    frame: dict[str, Any] = {
        "type": "CALL",
        "from": _shown(one.signed.sender),
        "to": _shown(tx.to),
        "value": hex(tx.value_wei),
        "calls": calls,
    }
    return frame if one.effects is not None else {**frame, "error": "execution reverted"}


def _plain(value: bytes | int) -> bytes:
    return rlp.encode_int(value) if isinstance(value, int) else value


def _shown(value: bytes | int) -> str:
    return hex(value) if isinstance(value, int) else "0x" + value.hex()
