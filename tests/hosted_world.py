"""Hosted keys for tests: fixed secrets, and payments as a service would prepare them."""

import base64
from collections.abc import Callable, Sequence
from urllib.parse import parse_qs, urlsplit

from chains.evm.addresses import from_text
from chains.evm.erc20 import transfer_calldata
from chains.evm.transactions import UnsignedTx
from chains.types import OutPoint
from chains.utxo import addresses
from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.params import BUILTIN
from chains.utxo.psbt_roles import build
from chains.utxo.sources import SingleKey
from chains.utxo.transactions import Transaction, TxInput, TxOutput
from signer import secp
from signer.hosted import HostedKey, HostedNetwork, Token, hosted_network
from wallet.hosted_keys.totp import STEP_S, code_at

BTC = "bitcoin-regtest"
LTC = "litecoin-regtest"
ETH = "ethereum-31337"
SECRET = bytes(range(1, 33))
PUBLIC_KEY = secp.public_key(SECRET)
OTHER_SECRET = bytes(range(2, 34))
PASSWORD = b"correct horse battery"
KID = "3f6d1a52-7a0b-4a54-9d2e-0d6f2f6a9c11"
PAYEE = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
EVM_PAYEE = "0x3535353535353535353535353535353535353535"
DUSD = Token(code="DUSD", contract="0x5FbDB2315678afecb367f032d93F642f64180aa3", decimals=6)


def a_key(network: str = BTC, version: int = 1) -> HostedKey:
    return HostedKey(kid=KID, network=network, public_key=PUBLIC_KEY, version=version)


def evm_network() -> HostedNetwork:
    return hosted_network(ETH, {"DUSD": DUSD})


def script_of(address: str, network: str = BTC) -> bytes:
    return addresses.parse(BUILTIN[network], address).target


def funding(script: bytes, *amounts: int) -> Transaction:
    """A transaction that pays these amounts to a script."""
    return Transaction(
        inputs=(TxInput(txid="11" * 32, vout=0),),
        outputs=tuple(TxOutput(sats=sats, script=script) for sats in amounts),
    )


def coin(public_key: bytes = PUBLIC_KEY, *amounts: int, vout: int = 0) -> Coin:
    paid = funding(SingleKey(public_key).script_pubkey, *amounts)
    return Coin(
        outpoint=OutPoint(paid.txid, vout),
        sats=amounts[vout],
        place=OwnPlace(source="key", branch=0, index=0),
        raw_tx=paid.serialize(),
    )


def psbt(
    coins: Sequence[Coin], outputs: Sequence[tuple[bytes, int]], public_key: bytes = PUBLIC_KEY
) -> bytes:
    return build(
        coins=coins,
        outputs=[Payout(script=script, sats=sats) for script, sats in outputs],
        vaults={"key": SingleKey(public_key)},
    )


def evm_payment(
    *,
    to: str = EVM_PAYEE,
    value_wei: int = 0,
    data: bytes = b"",
    chain_id: int = 31337,
    gas_limit: int = 21_000,
    max_fee_wei: int = 2 * 10**9,
) -> bytes:
    return UnsignedTx(
        chain_id=chain_id,
        nonce=7,
        priority_fee_wei=1,
        max_fee_wei=max_fee_wei,
        gas_limit=gas_limit,
        to=from_text(to),
        value_wei=value_wei,
        data=data,
    ).encode()


def token_payment(units: int, to: str = EVM_PAYEE, contract: str = DUSD.contract) -> bytes:
    data = transfer_calldata(from_text(to), units)
    return evm_payment(to=contract, data=data, gas_limit=60_000)


class Hands:
    """A person in a test: says yes, types the right code, and remembers what was shown."""

    def __init__(self, now_s: Callable[[], int], password: bytes = PASSWORD) -> None:
        self.now_s = now_s
        self.typed = password
        self.next_password = password
        self.says_yes = True
        self.totp_secret = b""
        self.shown: list[str] = []
        self.asked: list[str] = []

    def password(self) -> bytes:
        self.asked.append("password")
        return self.typed

    def new_password(self) -> bytes:
        self.typed = self.next_password
        return self.next_password

    def code(self) -> str:
        self.asked.append("code")
        return code_at(self.totp_secret, self.now_s() // STEP_S)

    def enrol(self, link: str) -> str:
        text = parse_qs(urlsplit(link).query)["secret"][0]
        self.totp_secret = base64.b32decode(text + "=" * (-len(text) % 8))
        return self.code()

    def agrees(self, lines: Sequence[str], question: str) -> bool:
        self.asked.append("agrees")
        self.shown.extend([*lines, question])
        return self.says_yes
