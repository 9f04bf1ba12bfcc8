"""The faucet's coins on a UTXO chain and the payments it made, kept in one small file."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Coin:
    """An output the faucet can spend; `spent_by` names the payment that used it."""

    txid: str
    vout: int
    sats: int
    coinbase: bool
    spent_by: str = ""


class CoinFile:
    """Coins in the order they were earned. A coin once spent is never offered again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._coins: list[Coin] = []
        if path.is_file():
            rows = json.loads(path.read_text(encoding="utf-8"))
            self._coins = [Coin(**row) for row in rows]

    def add(self, *coins: Coin) -> None:
        """Remember new coins."""
        self._coins.extend(coins)

    def unspent(self) -> tuple[Coin, ...]:
        """Coins no payment has used, oldest first; some may have been lost in a reorganisation."""
        return tuple(coin for coin in self._coins if not coin.spent_by)

    def spend(self, coins: tuple[Coin, ...], txid: str) -> None:
        """Mark coins as used by a payment."""
        used = {(coin.txid, coin.vout) for coin in coins}
        self._coins = [
            replace(coin, spent_by=txid) if (coin.txid, coin.vout) in used else coin
            for coin in self._coins
        ]

    def used_by(self, txid: str) -> tuple[Coin, ...]:
        """The coins a payment of the faucet used; empty for anybody else's transaction."""
        return tuple(coin for coin in self._coins if coin.spent_by == txid)

    def save(self) -> None:
        """Write the file in one piece."""
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps([asdict(coin) for coin in self._coins]), encoding="utf-8")
        partial.replace(self._path)
