"""The faucet's key and how it builds payments on UTXO chains. Worthless coins only.

The key is published here on purpose: whoever mines on a development chain mines to it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from coincurve import PrivateKey
from embit import base58, bech32
from embit.script import Script, Witness
from embit.transaction import Transaction, TransactionInput, TransactionOutput

from wallet.devnet.coins import Coin
from wallet.devnet.errors import DevnetError

_KEY = PrivateKey(hashlib.sha256(b"glaytos devnet faucet: worth nothing").digest())
_PUBLIC_KEY = _KEY.public_key.format()
_KEY_HASH = hashlib.new("ripemd160", hashlib.sha256(_PUBLIC_KEY).digest()).digest()

FAUCET_SCRIPT = b"\x00\x14" + _KEY_HASH
"""P2WPKH of the faucet, the same on every chain."""

FEERATE_SATS = 200
"""Sats a vbyte: above the relay floor of every node here, and nobody counts."""

_P2PKH_VERSIONS = (0x6F,)
_P2SH_VERSIONS = (0xC4, 0x3A)
"""Both P2SH versions of Litecoin's test networks, and Bitcoin's."""

_SIGHASH_ALL = 1
_REPLACEABLE = 0xFFFFFFFD
"""BIP-125: a payment that a reorganisation shall lose must be replaceable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """An output to make, in sats."""

    script: bytes
    sats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A signed transaction of the faucet; `change` is its last output."""

    raw: bytes
    txid: str
    change: Coin


def faucet_address(prefix: str) -> str:
    """The faucet's address with a node's own bech32 prefix."""
    return str(bech32.encode(prefix, 0, _KEY_HASH))


def script_of(address: str) -> bytes:
    """The script of an address of any test network, whatever its bech32 prefix.

    Raises DevnetError if it is none.
    """
    if "1" in address and address.lower().partition("1")[0] in ("bcrt", "rltc", "rb", "tb", "tltc"):
        version, program = bech32.decode(address.lower().rpartition("1")[0], address)
        if version is not None:
            return bytes([0x50 + version if version else 0, len(program)]) + bytes(program)
    else:
        try:
            payload = bytes(base58.decode_check(address))
        except ValueError:
            payload = b""
        if len(payload) == 21 and payload[0] in _P2PKH_VERSIONS:
            return b"\x76\xa9\x14" + payload[1:] + b"\x88\xac"
        if len(payload) == 21 and payload[0] in _P2SH_VERSIONS:
            return b"\xa9\x14" + payload[1:] + b"\x87"
    raise DevnetError(f"got address {address[:100]!r}, expected one of a test network")


def fee_sats(inputs: int, payouts: Sequence[Payout]) -> int:
    """The fee of a payment with one change output (P2WPKH inputs are 68 vbytes)."""
    size = 11 + 68 * inputs + 31 + sum(9 + len(payout.script) for payout in payouts)
    return size * FEERATE_SATS


def build_payment(coins: Sequence[Coin], payouts: Sequence[Payout], fee: int) -> Payment:
    """Spend `coins` to `payouts` and the rest back to the faucet, signed. `fee` in sats."""
    change = sum(coin.sats for coin in coins) - sum(payout.sats for payout in payouts) - fee
    outputs = [*payouts, Payout(script=FAUCET_SCRIPT, sats=change)]
    tx = Transaction(
        version=2,
        vin=[
            TransactionInput(bytes.fromhex(coin.txid), coin.vout, sequence=_REPLACEABLE)
            for coin in coins
        ],
        vout=[TransactionOutput(payout.sats, Script(payout.script)) for payout in outputs],
        locktime=0,
    )
    code = Script(b"\x76\xa9\x14" + _KEY_HASH + b"\x88\xac")
    for index, coin in enumerate(coins):
        digest = tx.sighash_segwit(index, code, coin.sats)
        signature = _KEY.sign(digest, hasher=None) + bytes([_SIGHASH_ALL])
        tx.vin[index].witness = Witness([signature, _PUBLIC_KEY])
    txid = tx.txid().hex()
    left = Coin(txid=txid, vout=len(payouts), sats=change, coinbase=False)
    return Payment(raw=tx.serialize(), txid=txid, change=left)
