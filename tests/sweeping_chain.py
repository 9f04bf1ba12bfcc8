"""The fake EVM chain with EIP-7702 and our sweeper: batches move what they can."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chains.evm.addresses import from_text
from chains.evm.authorizations import SignedAuthorization
from chains.evm.set_code import SET_CODE_TYPE, SignedSetCodeTx
from chains.evm.sweeper import (
    ETHER,
    SWEEP_MANY,
    SweepCall,
    delegation_code,
    runtime_code,
    sweeper_address,
)
from chains.evm.transactions import SignedTx
from chains.types import Asset, AssetMove, BroadcastAnswer
from tests import evm_world
from tests.fakes import FakeEvmChain, _Block, _Gift, _State
from tests.payments_world import ETH, Keep

TREASURY = from_text(evm_world.HOT_KEY.address())
SWEEPER = sweeper_address(TREASURY)


@dataclass(kw_only=True)
class SweepingChain(FakeEvmChain):
    """`refusing` accounts' tokens do not move; of others' a token may keep `token_fee` units."""

    refusing: set[bytes] = field(default_factory=set)
    token_fee: int = 0
    deployed: bool = True
    leaves: dict[str, tuple[SignedAuthorization, ...]] = field(default_factory=dict)
    moves: dict[str, list[AssetMove]] = field(default_factory=dict)
    _scratch: list[AssetMove] = field(default_factory=list)

    def code_at(self, target: bytes) -> bytes:
        self._check_up()
        if target == SWEEPER:
            return runtime_code(TREASURY) if self.deployed else b""
        delegate = self.blocks[-1].state.codes.get(target)
        return b"" if delegate is None else delegation_code(delegate)

    def token_moves(self, txid: str) -> Sequence[AssetMove]:
        self._check_up()
        return tuple(self.moves[txid])

    def gas_used(self, txid: str) -> int | None:
        for block in self.blocks:
            for item in block.items:
                if item.txid == txid and isinstance(item, SignedTx):
                    return block.receipts[txid][1] // item.tx.max_fee_wei
        return None

    def _take(self, raw: bytes) -> BroadcastAnswer:
        if raw[0] != SET_CODE_TYPE:
            return super()._take(raw)
        signed = SignedSetCodeTx.decode(raw)
        self.leaves[signed.txid] = signed.tx.authorizations
        call = SignedTx(tx=signed.tx.call, sender=signed.sender, raw=raw, txid=signed.txid)
        return self._admit(call)

    def _execute(self, block: _Block, item: "SignedTx | _Gift") -> None:
        self._scratch = []
        for leave in self.leaves.get(item.txid, ()):
            given, nonces = leave.authorization, block.state.nonces
            if given.nonce == nonces.get(leave.authority, 0):
                nonces[leave.authority] = given.nonce + 1
                block.state.codes[leave.authority] = given.delegate
        super()._execute(block, item)
        self.moves[item.txid] = self._scratch

    def _do(
        self, state: _State, sender: bytes, to: bytes, value_wei: int, data: bytes
    ) -> tuple[str, bytes, int] | None:
        if to != SWEEPER or data[:4] != SWEEP_MANY:
            return super()._do(state, sender, to, value_wei, data)
        if sender != TREASURY or SWEEPER in self.reverting:
            return None
        call = SweepCall.decode(data)
        code = self.native if call.token == ETHER else self.tokens[call.token].code
        moved = 0
        for account in call.accounts:
            if state.codes.get(account) == SWEEPER and account not in self.refusing:
                moved += self._empty(state, account, code)
        return code, TREASURY, moved

    def _empty(self, state: _State, account: bytes, code: str) -> int:
        units = state.held(account, code)
        kept = self.token_fee if code != self.native and units else 0
        state.add(account, code, -units)
        state.add(TREASURY, code, units - kept)
        if code != self.native:
            move = AssetMove(asset=code, sender=account, to=TREASURY, units=units - kept)
            self._scratch.append(move)
        return units - kept


def sweeping_keep() -> Keep:
    """What outlives a process, with the sweeper on the chain."""
    chain = SweepingChain(
        network=ETH,
        chain_id=evm_world.CHAIN_ID,
        native="ETH",
        tokens={evm_world.DUSD: Asset(code="DUSD", network=ETH, decimals=6)},
        safes={evm_world.SAFE: evm_world.SAFE_VAULT},
    )
    return Keep(eth=chain)
