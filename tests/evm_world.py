"""Keys, vaults and signer limits of a small EVM deployment, as signer tests need them.

Private keys are made here with embit and eth-account, apart from our own derivation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from embit import bip32
from embit.networks import NETWORKS
from eth_account import Account

from chains.evm import erc20
from chains.evm.accounts import FixedAddress, KeyAccount
from chains.evm.addresses import checksum
from chains.evm.safe import SafeTx, SafeVault
from chains.evm.transactions import UnsignedTx
from chains.hd import parse_path
from signer.guards.facts import (
    GuardContext,
    NetworkRules,
    OwnKey,
    RegisteredVault,
    Role,
    SignedPayment,
    TokenRule,
)
from signer.protocol import Intent, Kind, OwnOutput, Payee, Purpose, SignRequest

NETWORK = "ethereum-31337"
CHAIN_ID = 31337
NOW_S = 1_800_000_000
GWEI = 10**9
ETHER = 10**18
SAFE = b"\x5a" * 20
SINGLETON = b"\x51" * 20
DUSD = bytes.fromhex("d05d" + "00" * 17 + "01")
CUSTOMER = bytes.fromhex("c0ffee" + "00" * 16 + "01")


@dataclass(frozen=True)
class TestKey:
    """An account's private half, and what vault files say of it."""

    __test__ = False

    seed: bytes
    path: str

    @property
    def _master(self) -> bip32.HDKey:
        return bip32.HDKey.from_seed(self.seed, version=NETWORKS["main"]["xprv"])

    @property
    def xpub(self) -> str:
        return str(self._master.derive(f"m/{self.path}").to_public().to_base58())

    @property
    def origin(self) -> str:
        return f"[{self._master.my_fingerprint.hex()}/{self.path}]{self.xpub}"

    @property
    def own(self) -> OwnKey:
        return OwnKey(path=parse_path(self.path), xpub=self.xpub)

    def secret(self, index: int = 0) -> bytes:
        return bytes(self._master.derive(f"m/{self.path}/0/{index}").key.secret)

    def address(self, index: int = 0) -> str:
        return str(Account.from_key(self.secret(index)).address)


HOT_KEY = TestKey(b"\x01" * 32, "44h/60h/0h")
DEPOSIT_KEY = TestKey(b"\x02" * 32, "44h/60h/1h")
PEOPLE = tuple(TestKey(bytes([number]) * 32, "44h/60h/0h") for number in (11, 12, 13))

HOT_VAULT = FixedAddress.load(
    {
        "name": "ethereum-hot",
        "network": NETWORK,
        "kind": "address",
        "key": HOT_KEY.origin,
        "address": HOT_KEY.address(),
    }
)
DEPOSIT_VAULT = KeyAccount.load(
    {"name": "ethereum-deposit", "network": NETWORK, "kind": "keys", "key": DEPOSIT_KEY.origin}
)
SAFE_VAULT = SafeVault.load(
    {
        "name": "ethereum-cold",
        "network": NETWORK,
        "kind": "safe",
        "address": checksum(SAFE),
        "chain_id": CHAIN_ID,
        "version": "1.4.1",
        "owners": [person.address() for person in PEOPLE],
        "threshold": 2,
        "singleton": checksum(SINGLETON),
        "keys": [person.origin for person in PEOPLE],
    }
)

HOT = RegisteredVault(
    name="ethereum-hot", network=NETWORK, role=Role.HOT, vault=HOT_VAULT, own=HOT_KEY.own
)
DEPOSIT = RegisteredVault(
    name="ethereum-deposit",
    network=NETWORK,
    role=Role.DEPOSIT,
    vault=DEPOSIT_VAULT,
    own=DEPOSIT_KEY.own,
)
COLD = RegisteredVault(
    name="ethereum-cold", network=NETWORK, role=Role.COLD, vault=SAFE_VAULT, own=PEOPLE[0].own
)

RULES = NetworkRules(
    id=NETWORK,
    asset="ETH",
    decimals=18,
    chain_id=CHAIN_ID,
    fee_units_max=ETHER // 10,
    fee_ppm_max=50_000,
    feerate_max=200 * GWEI,
    gas_limit_max=500_000,
    nonce_gap_max=2,
    tokens={
        "DUSD": TokenRule(code="DUSD", contract=checksum(DUSD), decimals=6, symbol="DUSD"),
    },
)


@dataclass(frozen=True)
class FixedMemory:
    """A signer's memory that is only told."""

    nonces: Mapping[tuple[str, str], int] = field(default_factory=dict)
    payments: Mapping[tuple[str, str, int], SignedPayment] = field(default_factory=dict)

    def outpoint_units(self, network: str, outpoint: str) -> int | None:
        return None

    def last_nonce(self, network: str, address: str) -> int | None:
        return self.nonces.get((network, address))

    def signed_payment(self, network: str, address: str, nonce: int) -> SignedPayment | None:
        return self.payments.get((network, address, nonce))

    def change_index_max(self, vault: str) -> int | None:
        return None


def a_context(
    *vaults: RegisteredVault,
    rules: NetworkRules = RULES,
    nonces: Mapping[tuple[str, str], int] | None = None,
    payments: Mapping[tuple[str, str, int], SignedPayment] | None = None,
) -> GuardContext:
    """A signer that registered these vaults, or all three."""
    return GuardContext(
        now_s=NOW_S,
        vaults={vault.name: vault for vault in vaults or (HOT, DEPOSIT, COLD)},
        networks={rules.id: rules},
        memory=FixedMemory(nonces or {}, payments or {}),
    )


def a_tx(**changes: object) -> UnsignedTx:
    """A payment of one ether from hot to a customer, unless changed."""
    fields: dict[str, object] = {
        "chain_id": CHAIN_ID,
        "nonce": 5,
        "priority_fee_wei": GWEI,
        "max_fee_wei": 30 * GWEI,
        "gas_limit": 21_000,
        "to": CUSTOMER,
        "value_wei": ETHER,
    }
    return UnsignedTx(**{**fields, **changes})  # type: ignore[arg-type]


def a_token_tx(payee: bytes, units: int, **changes: object) -> UnsignedTx:
    """A transfer of DUSD."""
    call = {"to": DUSD, "value_wei": 0, "data": erc20.transfer_calldata(payee, units)}
    return a_tx(**{"gas_limit": 80_000, **call, **changes})


def a_safe_tx(**changes: object) -> SafeTx:
    """A refill of one ether from the Safe to hot, unless changed."""
    fields: dict[str, object] = {
        "chain_id": CHAIN_ID,
        "safe": SAFE,
        "to": HOT_VAULT.address,
        "value_wei": ETHER,
        "nonce": 3,
    }
    return SafeTx(**{**fields, **changes})  # type: ignore[arg-type]


def an_intent(
    payee: bytes = CUSTOMER, units: int = ETHER, asset: str = "ETH", **changes: object
) -> Intent:
    """A withdrawal from hot, unless changed."""
    fields: dict[str, object] = {
        "intent_id": "i-1",
        "purpose": Purpose.WITHDRAWAL,
        "network": NETWORK,
        "asset": asset,
        "source": "ethereum-hot",
        "payees": (Payee(address=checksum(payee), units=units),),
        "fee_units_max": ETHER // 20,
        "requester": "api",
        "created_s": NOW_S - 10,
        "expires_s": NOW_S + 600,
    }
    return Intent(**{**fields, **changes})  # type: ignore[arg-type]


HOT_SENDER = OwnOutput(address=HOT_KEY.address(), source="ethereum-hot", branch=0, index=0)


def deposit_origin(index: int) -> OwnOutput:
    """The origin of a deposit address, as a sender or as a payee."""
    return OwnOutput(
        address=DEPOSIT_KEY.address(index), source="ethereum-deposit", branch=0, index=index
    )


def a_request(payload: bytes, *intents: Intent, **changes: object) -> SignRequest:
    """A request to the hot signer for one EVM transaction, unless changed."""
    fields: dict[str, object] = {
        "request_id": "r-1",
        "created_s": NOW_S - 5,
        "expires_s": NOW_S + 300,
        "network": NETWORK,
        "source": "ethereum-hot",
        "kind": Kind.EVM_TX,
        "payload": payload,
        "intents": intents or (an_intent(),),
        "sender": HOT_SENDER,
    }
    return SignRequest(**{**fields, **changes})  # type: ignore[arg-type]
