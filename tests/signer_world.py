"""Two signer homes, their vaults, coordinator and approvers, and requests to try on them."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chains.evm.accounts import address_of_key
from chains.evm.addresses import checksum
from chains.evm.transactions import UnsignedTx
from chains.hd import HARDENED, KeyOrigin, path_text
from chains.types import OutPoint
from chains.utxo import addresses
from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.descriptors import (
    DescriptorVault,
    Template,
    multisig_descriptor,
    with_checksum,
)
from chains.utxo.params import BUILTIN
from chains.utxo.psbt_roles import build
from chains.utxo.transactions import Transaction, TxInput, TxOutput
from signer.derive import KeyChain
from signer.engine import Engine, Review
from signer.errors import SignerError
from signer.founding import create
from signer.guards.facts import Role
from signer.home import Home
from signer.keystore import PassphraseKek
from signer.protocol import (
    APPROVAL,
    REQUEST,
    Approval,
    Intent,
    Kind,
    OwnOutput,
    Payee,
    Purpose,
    Sealed,
    SignAnswer,
    SignRequest,
    digest,
    identity_sign,
    public_key_of,
)

NOW_S = 1_700_000_000
BTC = "bitcoin-regtest"
LTC = "litecoin-regtest"
ETH = "ethereum-31337"
SINGLETON = "0x41675C099F32341bf84BFc5382aF534df5C7461a"
SAFE = "0x00000000000000000000000000000000005AfE01"
CUSTOMER_SCRIPT = b"\x00\x14" + bytes(range(20))
CUSTOMER = addresses.encode(BUILTIN[BTC], CUSTOMER_SCRIPT)
CUSTOMER_EVM = checksum(bytes.fromhex("c0ffee254729296a45a3885639ac7e10f9d54979"))
COORDINATOR = hashlib.sha256(b"coordinator").digest()
STAFF = {name: hashlib.sha256(name.encode()).digest() for name in ("alice", "bob", "carol")}
PASSPHRASE = b"correct horse battery staple"

MULTISIG_BTC = (48 + HARDENED, 1 + HARDENED, 0 + HARDENED, 2 + HARDENED)
MULTISIG_LTC = (48 + HARDENED, 1 + HARDENED, 1 + HARDENED, 2 + HARDENED)
COLD_BTC = (48 + HARDENED, 1 + HARDENED, 2 + HARDENED, 2 + HARDENED)
EVM_HOT = (44 + HARDENED, 60 + HARDENED, 0 + HARDENED)
EVM_DEPOSIT = (44 + HARDENED, 60 + HARDENED, 1 + HARDENED)

CONFIG = f"""
coordinators = ["{public_key_of(COORDINATOR).hex()}"]
clock_skew_s = 300
request_lifetime_s_max = 86400

[[networks]]
id = "{BTC}"
asset = "BTC"
fee_units_max = 50000
fee_ppm_max = 100000
feerate_max = 50000
inputs_max = 20
outputs_max = 20
change_gap_max = 200

[[networks]]
id = "{LTC}"
asset = "LTC"
fee_units_max = 500000
fee_ppm_max = 100000
feerate_max = 500000

[[networks]]
id = "{ETH}"
asset = "ETH"
chain_id = 31337
fee_units_max = "20000000000000000"
fee_ppm_max = 100000
feerate_max = "200000000000"
gas_limit_max = 500000
nonce_gap_max = 5

""" + "\n".join(
    f'[[approvers]]\nid = "{name}"\nrole = "treasurer"\nkey = "{public_key_of(seed).hex()}"\n'
    for name, seed in STAFF.items()
)

POLICY = f"""
version = 1
name = "test"
unattended = true

[[fees]]
network = "{BTC}"
units_max = 50000
ppm_max = 100000
rate_max = 50000

[[fees]]
network = "{LTC}"
units_max = 500000
ppm_max = 100000
rate_max = 500000

[[fees]]
network = "{ETH}"
units_max = "20000000000000000"
ppm_max = 100000
rate_max = "200000000000"

[[payments]]
network = "{BTC}"
asset = "BTC"
purposes = ["withdrawal", "sweep", "refill"]
order_units_max = 500000000
tx_units_max = 600000000
windows = [{{ seconds = 3600, units_max = 600000000 }}]
tiers = [{{ from_units = 0, approvals = 0 }}, {{ from_units = 200000000, approvals = 2 }}]

[[payments]]
network = "{LTC}"
asset = "LTC"
purposes = ["withdrawal"]
order_units_max = 500000000
tx_units_max = 600000000
tiers = [{{ from_units = 0, approvals = 0 }}]

[[payments]]
network = "{ETH}"
asset = "ETH"
purposes = ["withdrawal", "gather", "sweep"]
order_units_max = "5000000000000000000"
tx_units_max = "5000000000000000000"
tiers = [{{ from_units = 0, approvals = 0 }}]

""" + "".join(
    f'\n[[reserves]]\nnetwork = "{network}"\nsource = "{source}"\napprovals = {approvals}\n'
    for network, source, approvals in (
        (BTC, "bitcoin-hot", 0),
        (BTC, "bitcoin-cold", 2),
        (ETH, "ethereum-hot", 0),
        (ETH, "ethereum-deposit", 0),
        (ETH, "ethereum-cold", 0),
    )
)


def drip(name: str) -> Callable[[int], bytes]:
    """A random source that repeats itself between runs but never within one."""
    state = {"draws": 0}

    def draw(size: int) -> bytes:
        state["draws"] += 1
        return hashlib.shake_256(f"{name}/{state['draws']}".encode()).digest(size)

    return draw


def origin(chain: KeyChain, path: tuple[int, ...], version: int) -> KeyOrigin:
    return KeyOrigin.parse(
        f"[{chain.fingerprint}/{'/'.join(f'{s - HARDENED}h' for s in path)}]"
        f"{chain.node(path).xpub(version)}"
    )


SOFT = {name: KeyChain(hashlib.sha256(name.encode()).digest()) for name in ("second", "third")}
"""Keys of people who are not under test."""


def account(home: Home, network: str, path: tuple[int, ...]) -> KeyOrigin:
    issued = home.account(network, path, NOW_S)
    steps = "/".join(f"{step - HARDENED}h" for step in path)
    return KeyOrigin.parse(f"[{home.state.fingerprint}/{steps}]{issued.xpub}")


def multisig(home: Home, name: str, network: str, path: tuple[int, ...]) -> str:
    version = BUILTIN[network].xpub_version
    keys = [account(home, network, path)]
    keys += [origin(chain, path, version) for chain in SOFT.values()]
    text = multisig_descriptor(Template.WSH_MULTI, 2, keys)
    return f'name = "{name}"\nnetwork = "{network}"\nkind = "descriptor"\ndescriptor = "{text}"\n'


def evm_files(hot: Home, cold: Home) -> dict[str, str]:
    """Vault files of the EVM vaults: hot address, deposit account, and the Safe."""
    hot_key, deposit_key = account(hot, ETH, EVM_HOT), account(hot, ETH, EVM_DEPOSIT)
    owners = [account(cold, ETH, EVM_HOT)]
    owners += [origin(chain, EVM_HOT, 0x0488B21E) for chain in SOFT.values()]
    addresses_of = [
        checksum(address_of_key(key.key.child(0).child_key(0))) for key in (hot_key, *owners)
    ]
    listed = ", ".join(f'"{address}"' for address in addresses_of[1:])
    head = f'network = "{ETH}"\n'
    return {
        "ethereum-hot": f'name = "ethereum-hot"\n{head}kind = "address"\n'
        f'key = "{hot_key.text}"\naddress = "{addresses_of[0]}"\n',
        "ethereum-deposit": f'name = "ethereum-deposit"\n{head}kind = "keys"\n'
        f'key = "{deposit_key.text}"\n',
        "ethereum-cold": f'name = "ethereum-cold"\n{head}kind = "safe"\naddress = "{safe_text()}"\n'
        f'chain_id = 31337\nversion = "1.4.1"\nsingleton = "{SINGLETON}"\nthreshold = 2\n'
        f'owners = [{listed}]\nkeys = ["{owners[0].text}"]\n',
    }


def safe_text() -> str:
    return checksum(bytes.fromhex(SAFE[2:]))


@dataclass(slots=True)
class World:
    """Two homes in a folder, made once and copied for each test."""

    root: Path
    kek: PassphraseKek = field(default_factory=lambda: PassphraseKek(PASSPHRASE))

    @classmethod
    def make(cls, root: Path) -> "World":
        world = cls(root)
        for name in ("hot", "cold"):
            create(root / name, name, world.kek, drip(name), NOW_S)
        hot, cold = world.open("hot"), world.open("cold")
        files = {
            "bitcoin-hot": (multisig(hot, "bitcoin-hot", BTC, MULTISIG_BTC), Role.HOT),
            "litecoin-hot": (multisig(hot, "litecoin-hot", LTC, MULTISIG_LTC), Role.HOT),
            "bitcoin-cold": (multisig(cold, "bitcoin-cold", BTC, COLD_BTC), Role.COLD),
        }
        evm = evm_files(hot, cold)
        for name, role in (("hot", Role.HOT), ("deposit", Role.DEPOSIT), ("cold", Role.COLD)):
            files[f"ethereum-{name}"] = (evm[f"ethereum-{name}"], role)
        for home in (hot, cold):
            home.configure(CONFIG.encode(), POLICY.encode(), NOW_S)
            for text, role in files.values():
                home.register(text.encode(), role, NOW_S)
            home.close()
        return world

    def copy(self, root: Path) -> "World":
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return World(root, self.kek)

    def open(self, name: str, unlock: bool = True) -> Home:
        home = Home(self.root / name)
        try:
            if unlock:
                home.unlock(self.kek)
        except SignerError:
            home.close()
            raise
        return home


def yes(review: Review) -> bool:
    return True


def engine(home: Home, now_s: int = NOW_S, confirm: Callable[[Review], bool] = yes) -> Engine:
    def no_unlock() -> Any:
        raise AssertionError("unlock was asked for an unlocked home")

    return Engine(home, lambda: now_s, confirm, no_unlock)


def utxo_vault(home: Home, name: str) -> DescriptorVault:
    vault = home.vaults[name].vault
    assert isinstance(vault, DescriptorVault)
    return vault


def coin(
    vault: DescriptorVault, sats: int, index: int = 3, salt: str = "", branch: int = 0
) -> Coin:
    """An output of a vault, with the transaction that made it."""
    txid = hashlib.sha256(f"{salt}{index}{sats}{branch}".encode()).hexdigest()
    previous = Transaction(
        inputs=(TxInput(txid=txid, vout=0, script_sig=b"\x51"),),
        outputs=(
            TxOutput(sats=7, script=CUSTOMER_SCRIPT),
            TxOutput(sats=sats, script=vault.script_pubkey_at(branch, index)),
        ),
    )
    return Coin(
        outpoint=OutPoint(previous.txid, 1),
        sats=sats,
        place=OwnPlace(source=vault.name, branch=branch, index=index),
        raw_tx=previous.serialize(),
    )


def in_another_account(home: Home, text: bytes) -> bytes:
    """A vault file of the BTC hot vault's keys with another account of ours in it."""
    mine = home.vaults["bitcoin-hot"].own
    assert mine is not None
    path = (*mine.path[:2], 7 + HARDENED, mine.path[3])
    fresh = home.account(BTC, path, NOW_S)
    where = f"{home.state.fingerprint}{path_text(mine.path)[1:]}]{mine.xpub}"
    there = f"{home.state.fingerprint}{path_text(path)[1:]}]{fresh.xpub}"
    assert where in text.decode()
    head, _, rest = text.decode().replace(where, there).partition('descriptor = "')
    body, _, tail = rest.partition('"')
    return f'{head}descriptor = "{with_checksum(body.partition("#")[0])}"{tail}'.encode()


def change_to(vault: DescriptorVault, sats: int, index: int = 1, branch: int = 1) -> Payout:
    return Payout(
        script=vault.script_pubkey_at(branch, index),
        sats=sats,
        place=OwnPlace(source=vault.name, branch=branch, index=index),
    )


def an_intent(name: str = "w1", **changes: Any) -> Intent:
    intent = Intent(
        intent_id=name,
        purpose=Purpose.WITHDRAWAL,
        network=BTC,
        asset="BTC",
        source="bitcoin-hot",
        payees=(Payee(address=CUSTOMER, units=100_000_000),),
        fee_units_max=50_000,
        requester="service",
        created_s=NOW_S,
        expires_s=NOW_S + 3600,
    )
    return replace(intent, **changes)


def a_psbt(
    home: Home, intent: Intent | None = None, coins: Sequence[Coin] = (), **kw: Any
) -> bytes:
    """A withdrawal from bitcoin-hot: one coin of 1.5, change, 5,000 sats of fee."""
    vault = utxo_vault(home, "bitcoin-hot")
    intent = intent or an_intent()
    coins = coins or (coin(vault, intent.total_units + 50_000_000, salt=intent.intent_id),)
    paid = [
        Payout(script=addresses.parse(BUILTIN[BTC], payee.address).target, sats=payee.units)
        for payee in intent.payees
    ]
    total = sum(one.sats for one in coins)
    change = change_to(vault, total - intent.total_units - kw.pop("fee_sats", 5_000))
    return build(coins=coins, outputs=[*paid, change], vaults={vault.name: vault}, **kw)


def a_request(payload: bytes, *intents: Intent, **changes: Any) -> SignRequest:
    request = SignRequest(
        request_id=f"r-{intents[0].intent_id}" if intents else "r",
        created_s=NOW_S,
        expires_s=NOW_S + 600,
        network=BTC,
        source="bitcoin-hot",
        kind=Kind.PSBT,
        payload=payload,
        intents=intents,
    )
    return replace(request, **changes)


def a_withdrawal(home: Home, name: str = "w1", **changes: Any) -> SignRequest:
    intent = an_intent(name)
    return a_request(a_psbt(home, intent), intent, **changes)


def an_evm_withdrawal(home: Home, name: str = "e1", nonce: int = 0, **changes: Any) -> SignRequest:
    units = 10**18
    intent = an_intent(
        name,
        network=ETH,
        asset="ETH",
        source="ethereum-hot",
        payees=(Payee(address=CUSTOMER_EVM, units=units),),
        fee_units_max=10**16,
    )
    tx = UnsignedTx(
        chain_id=31337,
        nonce=nonce,
        priority_fee_wei=10**9,
        max_fee_wei=3 * 10**10,
        gas_limit=21_000,
        to=bytes.fromhex(CUSTOMER_EVM[2:]),
        value_wei=units,
        data=b"",
    )
    hot = home.vaults["ethereum-hot"].vault
    sender = OwnOutput(address=hot.address_text(0), source="ethereum-hot", branch=0, index=0)
    fields: dict[str, Any] = {
        "network": ETH,
        "source": "ethereum-hot",
        "kind": Kind.EVM_TX,
        "sender": sender,
    }
    return a_request(tx.encode(), intent, **{**fields, **changes})


def an_approval(
    name: str, intent: Intent, time_s: int = NOW_S, seed: bytes | None = None
) -> Approval:
    body = Approval.body_of(name, intent.digest, time_s)
    return Approval(body=body, sig=identity_sign(seed or STAFF[name], digest(APPROVAL, body)))


def sealed(request: SignRequest, seed: bytes = COORDINATOR) -> bytes:
    body = request.encode()
    return Sealed(REQUEST, body, identity_sign(seed, digest(REQUEST, body))).encode()


def answer_of(data: bytes, home: Home) -> SignAnswer:
    """The answer in an envelope, its identity signature checked."""
    envelope = Sealed.decode(data, "SA1")
    envelope.verify(home.state.identity)
    return SignAnswer.decode(envelope.body)
