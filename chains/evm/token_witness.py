"""Asking a node what tokens did: balances around a block, the code that answers, one payment's end.

A contract that reverts or a node that forgot old states gives no balance; that is told as None,
because one odd token must not stop a whole chain.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chains.errors import CodecError, UnexpectedAnswer
from chains.evm import abi, erc20, token_moves
from chains.evm import blocks as read
from chains.evm.node import RpcRefused
from chains.evm.token_moves import Logged
from chains.ports import Watched
from chains.types import Asset, BlockRef, TokenCode, TokenMove, TokenOutcome

Ask = Callable[..., Any]
"""A JSON-RPC question: (method, *params) to the result. Raises NodeError."""


class TokenWitness:
    """What a node shows of the listed tokens, by contract address."""

    def __init__(self, ask: Ask, tokens: Mapping[bytes, Asset]) -> None:
        self._ask = ask
        self._tokens = tokens

    def look(
        self, whole: read.Block, receipts: Sequence[read.Receipt], watched: Watched
    ) -> tuple[tuple[TokenMove, ...], tuple[TokenCode, ...]]:
        """The moves of a block, and the code of every token that touched what is watched."""
        moves: list[TokenMove] = []
        codes: list[TokenCode] = []
        for contract, asset in self._tokens.items():
            sums = token_moves.touched(whole, receipts, contract, watched.targets)
            if not sums:
                continue
            codes.append(TokenCode(asset=asset.code, fingerprint=self.code(contract, whole.ref)))
            if asset.balance_check:
                moves += [self._move(contract, target, sums[target], whole) for target in sums]
        return tuple(moves), tuple(codes)

    def outcome(
        self,
        whole: read.Block,
        receipts: Sequence[read.Receipt],
        txid: str,
        contract: bytes,
        expected: erc20.TokenTransfer,
    ) -> TokenOutcome:
        """What a transaction of the block did, beside all others. Raises UnexpectedAnswer."""
        found = [entry for entry in receipts if entry.txid == txid]
        if len(found) != 1:
            raise UnexpectedAnswer(f"got a block without {txid}, expected it there")
        parties = frozenset({expected.sender, expected.to})
        sums = token_moves.touched(whole, receipts, contract, parties)

        def gained(party: bytes) -> int | None:
            others = token_moves.without(found[0], contract, party, sums.get(party, Logged()))
            return self._move(contract, party, others, whole).unlogged

        lost, arrived = gained(expected.sender), gained(expected.to)
        return TokenOutcome(
            is_logged=token_moves.is_logged(found[0], contract, expected),
            left=None if lost is None else -lost,
            arrived=arrived,
        )

    def code(self, contract: bytes, at: BlockRef) -> str:
        """The fingerprint of the code that answered at a block."""
        where = {"blockHash": "0x" + at.hash}
        behind = []
        for slot in token_moves.PROXY_SLOTS:
            address = self._address_in(contract, slot, where)
            if address is not None:
                behind.append((address, self._code_of(address, where)))
        beacon = self._address_in(contract, token_moves.BEACON_SLOT, where)
        if beacon is not None:
            call = {"to": "0x" + beacon.hex(), "data": "0x" + token_moves.IMPLEMENTATION.hex()}
            answer = read.data_bytes(self._ask("eth_call", call, where), "answer of a beacon")
            address = _address_of(answer, "answer of a beacon")
            behind += [(beacon, self._code_of(beacon, where))]
            behind += [(address, self._code_of(address, where))]
        return token_moves.fingerprint(self._code_of(contract, where), behind)

    def _move(self, contract: bytes, target: bytes, sums: Logged, whole: read.Block) -> TokenMove:
        return TokenMove(
            asset=self._tokens[contract].code,
            target=target,
            before=self._balance(contract, target, whole.ref.parent),
            after=self._balance(contract, target, whole.ref.hash),
            logged_in=sums.into,
            logged_out=sums.out_of,
        )

    def _balance(self, contract: bytes, target: bytes, block_hash: str) -> int | None:
        call = {
            "to": "0x" + contract.hex(),
            "data": "0x" + erc20.balance_calldata(target).hex(),
        }
        try:
            answer = self._ask("eth_call", call, {"blockHash": "0x" + block_hash})
            return erc20.decode_number(read.data_bytes(answer, "balance"))
        except (RpcRefused, CodecError):
            return None

    def _code_of(self, address: bytes, where: Mapping[str, str]) -> bytes:
        return read.data_bytes(self._ask("eth_getCode", "0x" + address.hex(), where), "code")

    def _address_in(self, contract: bytes, slot: int, where: Mapping[str, str]) -> bytes | None:
        """The address that a storage slot holds, None when it is empty."""
        answer = self._ask("eth_getStorageAt", "0x" + contract.hex(), f"0x{slot:064x}", where)
        held = read.data_bytes(answer, "storage", abi.WORD)
        return held[12:] if any(held) else None


def _address_of(data: bytes, what: str) -> bytes:
    try:
        return abi.read_address(data, 0)
    except CodecError as error:
        raise UnexpectedAnswer(f"got {what} of {len(data)} bytes, expected an address") from error
