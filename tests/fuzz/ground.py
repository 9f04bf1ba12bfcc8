"""What the guards stand on while they are fuzzed: a vault, rules, and an empty memory."""

from dataclasses import dataclass, field, replace

from chains.utxo.coins import Coin, Payout
from chains.utxo.descriptors import DescriptorVault, Template, multisig_descriptor
from chains.utxo.params import BUILTIN
from chains.utxo.psbt_roles import build
from signer.config import load_config
from signer.derive import KeyChain
from signer.guards.facts import GuardContext, OwnKey, RegisteredVault, Role, SignedPayment
from signer.protocol import SignRequest
from tests.signer_world import (
    BTC,
    CONFIG,
    CUSTOMER_SCRIPT,
    MULTISIG_BTC,
    NOW_S,
    POLICY,
    a_request,
    an_approval,
    an_intent,
    change_to,
    coin,
    origin,
)

KEYS = tuple(
    origin(KeyChain(bytes([number]) * 32), MULTISIG_BTC, BUILTIN[BTC].xpub_version)
    for number in (1, 2, 3)
)
VAULT = DescriptorVault.parse(
    "bitcoin-hot", BUILTIN[BTC], multisig_descriptor(Template.WSH_MULTI, 2, list(KEYS))
)
NETWORKS = load_config(CONFIG.encode(), POLICY.encode()).networks


@dataclass(frozen=True)
class NoMemory:
    """A signer that has seen nothing yet."""

    _nothing: dict[str, int] = field(default_factory=dict)

    def outpoint_units(self, network: str, outpoint: str) -> int | None:
        return self._nothing.get(outpoint)

    def last_nonce(self, network: str, address: str) -> int | None:
        return self._nothing.get(address)

    def signed_payment(self, network: str, address: str, nonce: int) -> SignedPayment | None:
        return None

    def change_index_max(self, vault: str) -> int | None:
        return self._nothing.get(vault)


CONTEXT = GuardContext(
    now_s=NOW_S,
    vaults={
        VAULT.name: RegisteredVault(
            name=VAULT.name,
            network=BTC,
            role=Role.HOT,
            vault=VAULT,
            own=OwnKey(path=MULTISIG_BTC, xpub=KEYS[0].key.text),
        )
    },
    networks=NETWORKS,
    memory=NoMemory(),
)
INTENT = an_intent()
REQUEST = replace(a_request(b"", INTENT), approvals=(an_approval("alice", INTENT),))


def psbt(version: int = 0, coins: int = 1) -> bytes:
    """A good payment of 1 BTC."""
    spent: list[Coin] = [coin(VAULT, 150_000_000 // coins, index) for index in range(coins)]
    left = sum(one.sats for one in spent) - 100_000_000 - 5_000
    outputs = [Payout(script=CUSTOMER_SCRIPT, sats=100_000_000), change_to(VAULT, left)]
    return build(coins=spent, outputs=outputs, vaults={VAULT.name: VAULT}, psbt_version=version)


def request(payload: bytes) -> SignRequest:
    """The request that carries it."""
    return replace(REQUEST, payload=payload)


def descriptor_file() -> bytes:
    """The vault as a file."""
    return (
        f'name = "bitcoin-hot"\nnetwork = "{BTC}"\nkind = "descriptor"\n'
        f'descriptor = "{VAULT.text}"\n'
    ).encode()
