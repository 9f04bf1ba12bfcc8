"""One UTXO development chain: its faucet, its miner, and reorganisations on demand."""

import os
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from embit import compact
from embit.transaction import Transaction

from wallet.clock import Clock
from wallet.devnet.blocks import (
    Hash,
    Template,
    block_hash,
    build_block,
    scrypt_pow,
    sha256d,
)
from wallet.devnet.coins import Coin, CoinFile
from wallet.devnet.errors import DevnetError, NodeRefused
from wallet.devnet.faucet import (
    FAUCET_SCRIPT,
    Payment,
    Payout,
    build_payment,
    faucet_address,
    fee_sats,
)
from wallet.devnet.locks import exclusive
from wallet.devnet.nodes import Software
from wallet.devnet.rpc import Rpc

_MATURITY = 100
"""Blocks on top of a coinbase before it can be spent (bcoin would allow it earlier)."""

_START_HEIGHT = 450
"""SegWit is active from 432 on regtest; the first coinbases are mature long before."""

_MWEB_HEIGHT = 432

_SIGHT_S = 120
"""bcoin and lcoin answer before they look at a transaction; a second is usual on a busy machine."""

_POLL_S = 0.01
_CHANGE_SATS_MIN = 10_000


class UtxoDevChain:
    """Faucet and miner of one node. `data` holds its coin file."""

    def __init__(self, software: Software, rpc: Rpc, data: Path, clock: Clock) -> None:
        self._software = software
        self._rpc = rpc
        self._clock = clock
        self._coin_path = data.joinpath("coins.json")
        self._lock_path = data.joinpath("coins.lock")

    def prepare(self) -> None:
        """Mine until SegWit is active (MWEB too on litecoind) and the faucet is rich."""
        with exclusive(self._lock_path):
            if self._software is Software.LITECOIND:
                self._prepare_mweb()
            else:
                self._extend(0, _START_HEIGHT, self._clock.now_s() - _START_HEIGHT, ())

    def mine(self, blocks: int) -> tuple[str, ...]:
        """Let the node mine what is in its pool; hashes of the new blocks."""
        with exclusive(self._lock_path):
            return self._generate(blocks)

    def pay(self, payouts: Sequence[Payout]) -> str:
        """Pay several outputs in one transaction, into the pool; its txid.

        Raises DevnetError when the faucet has too few confirmed coins.
        """
        with exclusive(self._lock_path):
            coins = CoinFile(self._coin_path)
            chosen, fee = self._choose(coins, payouts)
            payment = build_payment(chosen, payouts, fee)
            self._send(payment.raw, payment.txid)
            coins.spend(chosen, payment.txid)
            coins.add(payment.change)
            coins.save()
            return payment.txid

    def reorg(self, depth: int, drop: Sequence[str]) -> tuple[str, ...]:
        """Replace the last `depth` blocks by `depth + 1` others; hashes of the new blocks.

        `drop` names payments of the faucet that a rival payment replaces for ever. Everything else
        from the old blocks returns to the node's pool.
        """
        with exclusive(self._lock_path):
            rivals = [self._rival(txid) for txid in drop]
            fork = self._height() - depth
            if self._software is Software.LITECOIND:
                # After MWEB activation only the node itself can build a block (HogEx), so the
                # rivals go through its pool, as replacements with a higher fee (BIP-125).
                self._rpc.call("invalidateblock", self._hash_at(fork + 1))
                for rival in rivals:
                    self._rpc.call("sendrawtransaction", rival.raw.hex())
                hashes = self._generate(depth + 1)
            else:
                time_s, returning = self._clock.now_s(), self._payments_above(fork)
                hashes = self._extend(fork, depth + 1, time_s, [rival.raw for rival in rivals])
                self._offer(returning, rivals)
            coins = CoinFile(self._coin_path)
            coins.add(*(rival.change for rival in rivals))
            coins.save()
            return hashes

    def _extend(
        self, fork: int, blocks: int, time_s: int, transactions: Sequence[bytes]
    ) -> tuple[str, ...]:
        """Submit hand-built blocks on the block at height `fork`, the first with `transactions`."""
        parent = self._hash_at(fork)
        header = self._rpc.call("getblockheader", parent)
        time_s = max(time_s, int(header["mediantime"]) + 1)
        hashes: list[str] = []
        coins = CoinFile(self._coin_path)
        for height in range(fork + 1, fork + 1 + blocks):
            template = Template(
                parent=parent,
                height=height,
                time_s=time_s + height - fork,
                reward_script=FAUCET_SCRIPT,
            )
            block = build_block(template, transactions, self._proof_of_work(), os.urandom(8))
            answer = self._rpc.call("submitblock", block.hex())
            if answer not in (None, "inconclusive"):
                raise NodeRefused(f"submitblock: got {answer!r}, expected the block to be taken")
            coins.add(_coinbase_coin(block))
            parent, transactions = block_hash(block), ()
            hashes.append(parent)
        if self._rpc.call("getbestblockhash") != parent:
            raise DevnetError("got another best block, expected the one just built to win")
        coins.save()
        return tuple(hashes)

    def _generate(self, blocks: int) -> tuple[str, ...]:
        prefix = "rltc" if self._software is Software.LITECOIND else "rb"
        hashes = self._rpc.call("generatetoaddress", blocks, faucet_address(prefix))
        if len(hashes) != blocks:
            raise DevnetError(f"got {len(hashes)} blocks, expected {blocks}")
        coins = CoinFile(self._coin_path)
        for found in hashes:
            raw = bytes.fromhex(self._rpc.call("getblock", found, False))
            coins.add(_coinbase_coin(raw))
        coins.save()
        return tuple(hashes)

    def _prepare_mweb(self) -> None:
        """The block that activates MWEB must hold a payment into it, which a wallet has to make."""
        self._rpc.call("createwallet", "mweb")
        purse = self._rpc.call("getnewaddress", "", "bech32")
        confidential = self._rpc.call("getnewaddress", "", "mweb")
        self._rpc.call("generatetoaddress", 1, purse)
        self._generate(_MWEB_HEIGHT - 2)
        self._rpc.call("sendtoaddress", confidential, "1")
        self._generate(_START_HEIGHT - _MWEB_HEIGHT + 1)

    def _choose(self, coins: CoinFile, payouts: Sequence[Payout]) -> tuple[tuple[Coin, ...], int]:
        """Oldest usable coins that cover the payouts, and the fee in sats."""
        wanted = sum(payout.sats for payout in payouts)
        chosen: list[Coin] = []
        for coin in coins.unspent():
            if not self._is_usable(coin):
                continue
            chosen.append(coin)
            fee = fee_sats(len(chosen), payouts)
            if sum(each.sats for each in chosen) >= wanted + fee + _CHANGE_SATS_MIN:
                return tuple(chosen), fee
        raise DevnetError(
            f"got {sum(coin.sats for coin in chosen)} usable sats, expected {wanted} and a fee: "
            "mine some blocks or ask for less"
        )

    def _is_usable(self, coin: Coin) -> bool:
        seen = self._rpc.call("gettxout", coin.txid, coin.vout, True)
        # Unconfirmed change is left alone, so that losing one payment never loses the next.
        wanted = _MATURITY if coin.coinbase else 1
        return seen is not None and int(seen["confirmations"]) >= wanted

    def _rival(self, txid: str) -> Payment:
        """A payment of the same coins back to the faucet, at three times the usual fee."""
        used = CoinFile(self._coin_path).used_by(txid)
        if not used:
            raise DevnetError(f"got txid {txid}, expected a payment of the faucet")
        return build_payment(used, (), 3 * fee_sats(len(used) + 10, ()))

    def _payments_above(self, fork: int) -> list[bytes]:
        """All transactions but coinbases of the blocks above a height, oldest first."""
        found: list[bytes] = []
        for height in range(fork + 1, self._height() + 1):
            block = bytes.fromhex(self._rpc.call("getblock", self._hash_at(height), False))
            found += [tx.serialize() for tx in _transactions(block)[1:]]
        return found

    def _offer(self, transactions: Sequence[bytes], rivals: Sequence[Payment]) -> None:
        """Put transactions back into the pool: bcoin and lcoin forget them if it was empty.

        What spends the same as a rival, or an output of such a transaction, is dead.
        """
        taken = {spent for rival in rivals for spent in _outpoints(rival.raw)}
        for raw in transactions:
            tx = Transaction.parse(raw)
            txid = tx.txid().hex()
            if taken.isdisjoint(_outpoints(raw)):
                self._send(raw, txid)
            else:
                taken |= {(txid, vout) for vout in range(len(tx.vout))}

    def _send(self, raw: bytes, txid: str) -> None:
        """Give a transaction to the node, and wait until it shows it, waiting or mined."""
        self._rpc.call("sendrawtransaction", raw.hex())
        deadline = time.monotonic() + _SIGHT_S
        while not self._shows(txid):
            if time.monotonic() > deadline:
                raise DevnetError(f"the node took {txid} but did not show it in {_SIGHT_S} s")
            time.sleep(_POLL_S)

    def _shows(self, txid: str) -> bool:
        try:
            self._rpc.call("getrawtransaction", txid)
        except NodeRefused:
            return False
        return True

    def _proof_of_work(self) -> Hash:
        return sha256d if self._software is Software.BCOIN else scrypt_pow

    def _height(self) -> int:
        return int(self._rpc.call("getblockcount"))

    def _hash_at(self, height: int) -> str:
        return str(self._rpc.call("getblockhash", height))


def _coinbase_coin(block: bytes) -> Coin:
    """The reward of a block that was mined to the faucet."""
    coinbase = _transactions(block, 1)[0]
    txid = coinbase.txid().hex()
    return Coin(txid=txid, vout=0, sats=coinbase.vout[0].value, coinbase=True)


def _outpoints(raw: bytes) -> set[tuple[str, int]]:
    """What a transaction spends."""
    return {(spent.txid.hex(), spent.vout) for spent in Transaction.parse(raw).vin}


def _transactions(block: bytes, count_max: int | None = None) -> list[Transaction]:
    """The first transactions of a raw block, or all of them."""
    stream = BytesIO(block[80:])
    count = compact.read_from(stream)
    wanted = count if count_max is None else min(count, count_max)
    return [Transaction.read_from(stream) for _ in range(wanted)]
