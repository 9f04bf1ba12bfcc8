"""Two cold signers, truly approved payments, and an attacker who holds everything online.

The attacker has the coordinator key, the hot signers' keys, the API's and the database's content,
and so knows every vault and every approval ever made. They do not have a staff member's key, nor a
cold signer's disk. The people at the cold signers say yes to everything.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from chains.evm.accounts import address_of_key
from chains.evm.addresses import checksum
from chains.evm.safe import SafeTx, SafeVault
from chains.hd import KeyOrigin
from chains.utxo import addresses
from chains.utxo.coins import Coin, Payout
from chains.utxo.descriptors import DescriptorVault, Template, multisig_descriptor
from chains.utxo.params import BUILTIN
from chains.utxo.psbt_roles import build
from chains.vaults import load_vault
from signer.config import parse_toml
from signer.derive import KeyChain
from signer.founding import create
from signer.guards.facts import Role
from signer.home import Home
from signer.keystore import PassphraseKek
from signer.protocol import (
    REQUEST,
    Approval,
    Intent,
    Kind,
    Payee,
    Purpose,
    Sealed,
    SignRequest,
    digest,
    identity_sign,
)
from tests.signer_world import (
    BTC,
    COLD_BTC,
    CONFIG,
    COORDINATOR,
    CUSTOMER_EVM,
    CUSTOMER_SCRIPT,
    ETH,
    EVM_HOT,
    MULTISIG_BTC,
    NOW_S,
    PASSPHRASE,
    SINGLETON,
    account,
    an_approval,
    change_to,
    coin,
    drip,
    origin,
    safe_text,
)

SIGNERS = ("cold-1", "cold-2")
THIEF_SCRIPT = b"\x00\x14" + b"\x66" * 20
THIEF = addresses.encode(BUILTIN[BTC], THIEF_SCRIPT)
THIEF_EVM = b"\x66" * 20
CUSTOMER = addresses.encode(BUILTIN[BTC], CUSTOMER_SCRIPT)
STOLEN = {name: KeyChain(hashlib.sha256(name.encode()).digest()) for name in ("a", "b", "c")}
"""Every key of the hot vaults."""

THIRD = KeyChain(hashlib.sha256(b"third keyholder").digest())

POLICY = f"""
version = 1
name = "cold"

[[fees]]
network = "{BTC}"
units_max = 50000
ppm_max = 100000
rate_max = 50000

[[fees]]
network = "{ETH}"
units_max = "20000000000000000"
ppm_max = 100000
rate_max = "200000000000"

[[payments]]
network = "{BTC}"
asset = "BTC"
purposes = ["withdrawal", "refill"]
order_units_max = 500000000
tx_units_max = 500000000
windows = [{{ seconds = 86400, units_max = 500000000 }}]
tiers = [{{ from_units = 0, approvals = 2 }}]

[[payments]]
network = "{ETH}"
asset = "ETH"
purposes = ["withdrawal", "refill"]
order_units_max = "5000000000000000000"
tx_units_max = "5000000000000000000"
tiers = [{{ from_units = 0, approvals = 2 }}]
"""

_Item = TypeVar("_Item")


class Dice:
    """Choices that follow from a seed."""

    def __init__(self, seed: int) -> None:
        self._seed, self._throws = seed, 0

    def below(self, limit: int) -> int:
        self._throws += 1
        drawn = hashlib.sha256(f"{self._seed}/{self._throws}".encode()).digest()
        return int.from_bytes(drawn, "big") % limit

    def one(self, items: Sequence[_Item]) -> _Item:
        return items[self.below(len(items))]


@dataclass(frozen=True, slots=True)
class Prize:
    """The cold vaults, and the hot ones that the attacker empties anyway."""

    cold: DescriptorVault
    hot: DescriptorVault
    safe: SafeVault
    hot_account: str


def make_signers(root: Path) -> tuple[dict[str, Home], Prize]:
    """Two of three keyholders with the same vaults, limits and roster, unlocked."""
    kek = PassphraseKek(PASSPHRASE)
    homes = {}
    for name in SIGNERS:
        create(root / name, name, kek, drip(name), NOW_S)
        homes[name] = Home(root / name)
        homes[name].unlock(kek)
    hot_keys = [origin(chain, EVM_HOT, 0x0488B21E) for chain in STOLEN.values()]
    hot_address = _address(hot_keys[0])
    owners = [account(home, ETH, EVM_HOT) for home in homes.values()]
    owners.append(origin(THIRD, EVM_HOT, 0x0488B21E))
    cold_keys = [account(home, BTC, COLD_BTC) for home in homes.values()]
    cold_keys.append(origin(THIRD, COLD_BTC, BUILTIN[BTC].xpub_version))
    stolen = [origin(chain, MULTISIG_BTC, BUILTIN[BTC].xpub_version) for chain in STOLEN.values()]
    head = f'network = "{ETH}"\n'
    hot_file = (
        f'name = "ethereum-hot"\n{head}kind = "address"\nkey = "{hot_keys[0].text}"\n'
        f'address = "{hot_address}"\n'
    )
    files = (
        (_descriptor("bitcoin-cold", cold_keys), Role.COLD),
        (_descriptor("bitcoin-hot", stolen), Role.HOT),
        (hot_file, Role.HOT),
        (_safe_file(owners), Role.COLD),
    )
    for home in homes.values():
        home.configure(CONFIG.encode(), POLICY.encode(), NOW_S)
        for text, role in files:
            home.register(text.encode(), role, NOW_S)
    loaded = [load_vault(parse_toml(text.encode(), "vault file")) for text, _ in files]
    cold, hot, _, safe = loaded
    assert isinstance(cold, DescriptorVault)
    assert isinstance(hot, DescriptorVault)
    assert isinstance(safe, SafeVault)
    return homes, Prize(cold, hot, safe, hot_address)


def _address(key: KeyOrigin) -> str:
    return checksum(address_of_key(key.key.child(0).child_key(0)))


def _descriptor(name: str, keys: Sequence[KeyOrigin]) -> str:
    text = multisig_descriptor(Template.WSH_MULTI, 2, list(keys))
    return f'name = "{name}"\nnetwork = "{BTC}"\nkind = "descriptor"\ndescriptor = "{text}"\n'


def _safe_file(owners: Sequence[KeyOrigin]) -> str:
    listed = ", ".join(f'"{_address(key)}"' for key in owners)
    keys = ", ".join(f'"{key.text}"' for key in owners)
    return (
        f'name = "ethereum-cold"\nnetwork = "{ETH}"\nkind = "safe"\naddress = "{safe_text()}"\n'
        f'chain_id = 31337\nversion = "1.4.1"\nsingleton = "{SINGLETON}"\nthreshold = 2\n'
        f"owners = [{listed}]\nkeys = [{keys}]\n"
    )


APPROVED_BTC = Intent(
    intent_id="approved",
    purpose=Purpose.WITHDRAWAL,
    network=BTC,
    asset="BTC",
    source="bitcoin-cold",
    payees=(Payee(address=CUSTOMER, units=1_000_000),),
    fee_units_max=20_000,
    requester="service",
    created_s=NOW_S,
    expires_s=NOW_S + 3600,
)
APPROVED_ETH = replace(
    APPROVED_BTC,
    network=ETH,
    asset="ETH",
    source="ethereum-cold",
    payees=(Payee(address=CUSTOMER_EVM, units=2 * 10**18),),
)


def approvals_of(intent: Intent) -> tuple[Approval, ...]:
    """What two members of staff truly signed."""
    return tuple(an_approval(name, intent) for name in ("alice", "bob"))


@dataclass(slots=True)
class Draft:
    """A request that the attacker is about to send; every part can still be turned.

    The payload is built at the end, from `coins` and `outputs` or from `safe_tx`; `edits` then
    change its bytes, and `spoil` the bytes of the whole body.
    """

    request: SignRequest
    coins: list[Coin] = field(default_factory=list)
    outputs: list[Payout] = field(default_factory=list)
    safe_tx: SafeTx | None = None
    psbt_version: int = 0
    edits: list[Callable[[bytes], bytes]] = field(default_factory=list)
    spoil: Callable[[bytes], bytes] | None = None
    seal_by: bytes = COORDINATOR

    @property
    def intent(self) -> Intent:
        return self.request.intents[0]

    def change(self, **changes: object) -> None:
        self.request = replace(self.request, **changes)  # type: ignore[arg-type]

    def change_intent(self, **changes: object) -> None:
        first = replace(self.intent, **changes)  # type: ignore[arg-type]
        self.change(intents=(first, *self.request.intents[1:]))


@dataclass(slots=True)
class Attacker:
    """Draws attacks from dice; every turn is one thing done to an honest request.

    Staff truly approved `approved` and nothing else; or, where `often`, one such payment for each
    attempt, so that no attack stops at "signed before". `genuine` are all they approved.
    """

    prize: Prize
    dice: Dice
    approved: Intent
    turns: "Sequence[Turn]"
    often: bool = False
    made: int = 0
    genuine: dict[bytes, Intent] = field(default_factory=dict)

    def attempt(self) -> tuple[SignRequest, bytes]:
        """The next request, and as it is sent."""
        self.made += 1
        draft = self._honest()
        for _ in range(self.dice.below(4)):
            self.dice.one(self.turns)(self, draft)
        payload = self._payload(draft)
        for edit in draft.edits:
            payload = edit(payload)
        draft.change(payload=payload)
        body = draft.request.encode()
        if draft.spoil is not None:
            body = draft.spoil(body)
        sig = identity_sign(draft.seal_by, digest(REQUEST, body))
        return draft.request, Sealed(REQUEST, body, sig).encode()

    def _honest(self) -> Draft:
        """What was approved, over coins or at a nonce that the attacker chooses."""
        intent = self.approved
        if self.often:
            intent = replace(intent, intent_id=f"approved-{self.made}")
        self.genuine[intent.digest] = intent
        on_bitcoin = intent.network == BTC
        request = SignRequest(
            request_id=f"attempt-{self.made}",
            created_s=NOW_S,
            expires_s=NOW_S + 600,
            network=intent.network,
            source=intent.source,
            kind=Kind.PSBT if on_bitcoin else Kind.SAFE_TX,
            payload=b"",
            intents=(intent,),
            approvals=approvals_of(intent),
        )
        if on_bitcoin:
            fee = self.dice.one((1_000, 5_000, 9_000))
            back = change_to(self.prize.cold, 100_000_000 - fee, 1 + self.dice.below(5))
            return Draft(
                request=request,
                coins=[self.coin_of(self.made)],
                outputs=[Payout(script=CUSTOMER_SCRIPT, sats=intent.total_units), back],
                psbt_version=self.dice.one((0, 2)),
            )
        return Draft(request=request, safe_tx=self.safe_payment())

    def coin_of(self, number: int) -> Coin:
        """The coin of that attempt."""
        return coin(self.prize.cold, self.approved.total_units + 100_000_000, salt=str(number))

    def safe_payment(self) -> SafeTx:
        return SafeTx(
            chain_id=31337,
            safe=self.prize.safe.address,
            to=bytes.fromhex(CUSTOMER_EVM[2:]),
            value_wei=2 * 10**18,
            nonce=self.made // 20,
        )

    def _payload(self, draft: Draft) -> bytes:
        if draft.safe_tx is not None:
            return draft.safe_tx.encode()
        vaults = {vault.name: vault for vault in (self.prize.cold, self.prize.hot)}
        return build(
            coins=draft.coins,
            outputs=draft.outputs,
            vaults=vaults,
            psbt_version=draft.psbt_version,
        )


Turn = Callable[[Attacker, Draft], None]
