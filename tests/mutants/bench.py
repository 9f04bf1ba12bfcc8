"""Two signers on a bench, the accepted requests that mutants are made of, and what a mutant is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from chains.evm import erc20
from chains.evm.addresses import checksum, from_text
from chains.evm.safe import SafeTx
from chains.evm.safe_signatures import pack_signatures
from chains.evm.sweeper import sweeper_address
from chains.evm.transactions import UnsignedTx
from chains.utxo import addresses
from chains.utxo.coins import Coin, Payout
from chains.utxo.params import BUILTIN
from chains.utxo.psbt_roles import build
from signer.engine import Review
from signer.home import Home
from signer.protocol import (
    REQUEST,
    Intent,
    Kind,
    OwnOutput,
    Payee,
    Purpose,
    Sealed,
    SignRequest,
    digest,
    identity_sign,
)
from signer.secp import sign_rsv
from tests.signer_world import (
    BTC,
    COORDINATOR,
    CUSTOMER,
    CUSTOMER_EVM,
    ETH,
    EVM_HOT,
    LTC,
    NOW_S,
    POLICY,
    SOFT,
    World,
    an_approval,
    an_intent,
    change_to,
    coin,
    sealed,
    utxo_vault,
)
from tests.signer_world import CONFIG as PLAIN_CONFIG

DUSD = bytes.fromhex("d05d" + "00" * 17 + "01")
SWEEPER = sweeper_address(from_text("0x3e3372eCc278Da47Ff458eC5A4Ff8190644C6d50"))
"""Of the world's hot account, whose keys are the same in every run; `prepare` holds it to that."""
ETHER = 10**18
GWEI = 10**9
FREEING_WEI_MAX = 21_000 * 50 * GWEI
"""The most that the bench's policy lets a freed nonce cost."""

NEEDS_TWO = 200_000_000
"""Sats from which the bench's policy wants two approvals."""

CONFIG = PLAIN_CONFIG.replace(
    "nonce_gap_max = 5\n",
    f"""nonce_gap_max = 5
sweeper = "{checksum(SWEEPER)}"
batch_gas_limit_max = 1000000
tokens = [{{ code = "DUSD", contract = "{checksum(DUSD)}", decimals = 6, symbol = "DUSD" }}]
""",
)

POLICY_HERE = (
    POLICY.replace(
        '["withdrawal", "gather", "sweep"]', '["withdrawal", "gather", "sweep", "refill"]'
    )
    + f"""
[[payments]]
network = "{ETH}"
asset = "DUSD"
purposes = ["withdrawal", "gather"]
order_units_max = 1000000000
tx_units_max = 1000000000
tiers = [{{ from_units = 0, approvals = 0 }}]

[[payments]]
network = "{ETH}"
asset = "ETH"
purposes = ["unstick"]
order_units_max = "{FREEING_WEI_MAX}"
tx_units_max = "{FREEING_WEI_MAX}"
tiers = [{{ from_units = 0, approvals = 0 }}]
"""
)


def prepare(world: World) -> None:
    """Give both signers the limits that the accepted requests need, and the sweeper of hot."""
    for name in ("hot", "cold"):
        home = world.open(name)
        assert sweeper_of(home) == SWEEPER
        home.configure(CONFIG.encode(), POLICY_HERE.encode(), NOW_S)
        home.close()


def sweeper_of(home: Home) -> bytes:
    """The sweeper whose code pays the hot account alone."""
    return sweeper_address(home.vaults["ethereum-hot"].vault.address)


@dataclass(frozen=True, slots=True)
class Bench:
    """The hot and the cold signer, open and unlocked."""

    hot: Home
    cold: Home

    def home_of(self, request: SignRequest) -> Home:
        """The signer that a request is for: the one with a key in the paying vault."""
        return self.cold if request.source.endswith("-cold") else self.hot

    def spend(
        self,
        source: str,
        coins: Sequence[Coin],
        outputs: Sequence[Payout],
        psbt_version: int = 0,
    ) -> bytes:
        """A PSBT as the online side would build it, right or wrong."""
        names = ("bitcoin-hot", "bitcoin-cold", "litecoin-hot")
        vaults = {name: utxo_vault(self.hot, name) for name in (*names, source)}
        return build(coins=coins, outputs=outputs, vaults=vaults, psbt_version=psbt_version)


Base = Callable[[Bench, str], SignRequest]
"""Makes an accepted request; the text tells one from another."""


def payment(bench: Bench, name: str) -> SignRequest:
    """A withdrawal of 1 BTC from the hot vault, with change and 5,000 sats of fee."""
    return _psbt_request(bench, an_intent(name))


def payment_v2(bench: Bench, name: str) -> SignRequest:
    """The same as a PSBT of version 2."""
    return _psbt_request(bench, an_intent(name), psbt_version=2)


def approved_payment(bench: Bench, name: str) -> SignRequest:
    """A withdrawal of 2 BTC, which needs the approvals of two people and has them."""
    intent = an_intent(name, payees=(Payee(address=CUSTOMER, units=NEEDS_TWO),))
    return with_approvals(_psbt_request(bench, intent), "alice", "bob")


def litecoin_payment(bench: Bench, name: str) -> SignRequest:
    """A withdrawal of 1 LTC."""
    address = addresses.encode(BUILTIN[LTC], addresses.parse(BUILTIN[BTC], CUSTOMER).target)
    payees = (Payee(address=address, units=100_000_000),)
    return _psbt_request(
        bench, an_intent(name, network=LTC, asset="LTC", source="litecoin-hot", payees=payees)
    )


def sweep(bench: Bench, name: str) -> SignRequest:
    """1 BTC from the hot vault to a receive address of the cold vault."""
    return _own_move(bench, name, Purpose.SWEEP, "bitcoin-hot", "bitcoin-cold")


def refill(bench: Bench, name: str) -> SignRequest:
    """1 BTC from the cold vault to a receive address of the hot vault."""
    return _own_move(bench, name, Purpose.REFILL, "bitcoin-cold", "bitcoin-hot")


def _own_move(bench: Bench, name: str, purpose: Purpose, source: str, target: str) -> SignRequest:
    script = utxo_vault(bench.hot, target).script_pubkey_at(0, 5)
    address = addresses.encode(BUILTIN[BTC], script)
    payees = (Payee(address=address, units=100_000_000),)
    intent = an_intent(name, purpose=purpose, source=source, payees=payees)
    own = OwnOutput(address=address, source=target, branch=0, index=5)
    return replace(_psbt_request(bench, intent), own=(own,))


def _psbt_request(bench: Bench, intent: Intent, psbt_version: int = 0) -> SignRequest:
    vault = utxo_vault(bench.hot, intent.source)
    params = BUILTIN[intent.network]
    total = intent.total_units + 50_000_000
    outputs = [
        Payout(script=addresses.parse(params, payee.address).target, sats=payee.units)
        for payee in intent.payees
    ]
    outputs.append(change_to(vault, total - intent.total_units - 5_000))
    coins = [coin(vault, total, salt=intent.intent_id)]
    return _request(bench.spend(intent.source, coins, outputs, psbt_version), intent, Kind.PSBT)


def ether_payment(bench: Bench, name: str) -> SignRequest:
    """A withdrawal of 1 ETH from the hot account."""
    return _evm_request(bench, name, ether_tx(), "ETH", ETHER)


def token_payment(bench: Bench, name: str) -> SignRequest:
    """A withdrawal of 5 DUSD from the hot account."""
    data = erc20.transfer_calldata(bytes.fromhex(CUSTOMER_EVM[2:]), 5_000_000)
    tx = replace(ether_tx(), to=DUSD, value_wei=0, data=data, gas_limit=80_000)
    return _evm_request(bench, name, tx, "DUSD", 5_000_000)


def ether_tx() -> UnsignedTx:
    """The transaction of `ether_payment`."""
    return UnsignedTx(
        chain_id=31337,
        nonce=7,
        priority_fee_wei=GWEI,
        max_fee_wei=30 * GWEI,
        gas_limit=21_000,
        to=bytes.fromhex(CUSTOMER_EVM[2:]),
        value_wei=ETHER,
        data=b"",
    )


def _evm_request(bench: Bench, name: str, tx: UnsignedTx, asset: str, units: int) -> SignRequest:
    intent = an_intent(
        name,
        network=ETH,
        asset=asset,
        source="ethereum-hot",
        payees=(Payee(address=CUSTOMER_EVM, units=units),),
        fee_units_max=10**16,
    )
    return replace(_request(tx.encode(), intent, Kind.EVM_TX), sender=_hot_sender(bench))


def _hot_sender(bench: Bench) -> OwnOutput:
    address = bench.hot.vaults["ethereum-hot"].vault.address_text(0)
    return OwnOutput(address=address, source="ethereum-hot", branch=0, index=0)


def safe_refill(bench: Bench, name: str) -> SignRequest:
    """1 ETH from the Safe to the hot account, for one owner to sign."""
    return _request(safe_tx(bench).encode(), _refill_intent(bench, name), Kind.SAFE_TX)


def carried_refill(bench: Bench, name: str) -> SignRequest:
    """The hot account carries the owners' signatures of such a refill to the chain."""
    inner = safe_tx(bench)
    call = inner.execution_calldata(owners_signed(inner))
    tx = replace(ether_tx(), to=inner.safe, value_wei=0, data=call, gas_limit=150_000)
    request = _request(tx.encode(), _refill_intent(bench, name), Kind.EVM_TX)
    sender = _hot_sender(bench)
    return replace(request, source="ethereum-hot", sender=sender, safe_nonce=inner.nonce)


def owners_signed(inner: SafeTx, owners: int = 2) -> bytes:
    """Packed signatures of some of the Safe's owners over exactly this transaction."""
    digest = inner.safe_tx_hash
    secrets = [chain.secret((*EVM_HOT, 0, 0)) for chain in SOFT.values()]
    return pack_signatures(digest, [sign_rsv(secret, digest) for secret in secrets[:owners]])


def safe_tx(bench: Bench) -> SafeTx:
    """The transaction of `safe_refill`."""
    safe, hot = (bench.hot.vaults[f"ethereum-{name}"].vault for name in ("cold", "hot"))
    return SafeTx(chain_id=31337, safe=safe.address, to=hot.address, value_wei=ETHER, nonce=3)


def _refill_intent(bench: Bench, name: str) -> Intent:
    hot = bench.hot.vaults["ethereum-hot"].vault.address_text(0)
    return an_intent(
        name,
        purpose=Purpose.REFILL,
        network=ETH,
        asset="ETH",
        source="ethereum-cold",
        payees=(Payee(address=hot, units=ETHER),),
        fee_units_max=10**16,
    )


def _request(payload: bytes, intent: Intent, kind: Kind) -> SignRequest:
    return SignRequest(
        request_id=f"request of {intent.intent_id}",
        created_s=NOW_S,
        expires_s=NOW_S + 600,
        network=intent.network,
        source=intent.source,
        kind=kind,
        payload=payload,
        intents=(intent,),
    )


def with_approvals(request: SignRequest, *names: str) -> SignRequest:
    """Approved by these people, each truly, for each of its intents."""
    approvals = tuple(an_approval(name, intent) for name in names for intent in request.intents)
    return replace(request, approvals=approvals)


Change = Callable[[Bench, SignRequest], SignRequest]


def unchanged(_bench: Bench, request: SignRequest) -> SignRequest:
    """For mutants whose attack is elsewhere."""
    return request


def by_coordinator(request: SignRequest) -> bytes:
    """The envelope as the coordinator seals it: the attacker holds its key."""
    return sealed(request, COORDINATOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One attack on one accepted request.

    `proves` names checks "a" to "j" and attacks "1" to "25". `change` makes the mutant from the
    accepted request, `seal` its envelope. `first` are accepted requests signed before it, `stage`
    prepares the signer, and `during` happens while the person reads. `faults` break a function of
    the product, as a bug or a flipped bit would.
    """

    name: str
    proves: tuple[str, ...]
    base: Base
    code: str
    change: Change = unchanged
    seal: Callable[[SignRequest], bytes] = by_coordinator
    first: tuple[Change, ...] = ()
    stage: Callable[[Bench, SignRequest], None] | None = None
    during: Callable[[Review], None] | None = None
    faults: tuple[tuple[str, Callable[..., object]], ...] = ()


def resealed(body: bytes) -> bytes:
    """Any bytes as the body of an envelope that the coordinator sealed."""
    return Sealed(REQUEST, body, identity_sign(COORDINATOR, digest(REQUEST, body))).encode()
