"""One odd token on a real node, and a whole wallet over it: outside, user, hot account, books."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from sqlalchemy import select

from chains.evm.addresses import checksum, from_text
from chains.evm.chain import EvmChain
from chains.evm.node import EvmNode
from chains.evm.params import BUILTIN
from chains.types import Asset
from tests.contracts.build import PROXY_SLOT, creation_code, proxy_code
from tests.payments_world import CUSTOMER, ETH, Keep, World
from tests.reconciling import reporter
from wallet.addresses.issuing import Address, Purpose
from wallet.deposits.rules import DepositRules
from wallet.deposits.tokens.drift import DriftCheck
from wallet.deposits.watcher import Seen, Watcher
from wallet.devnet.devnet import Devnet
from wallet.devnet.nodes import ETHEREUM
from wallet.events import read_events
from wallet.milestones import pass_by
from wallet.reconciliation.reconciler import odd_assets
from wallet.settings import TokenKind
from wallet.store.database import Database
from wallet.store.schema import deposits, payments
from wallet.withdrawals.records import Withdrawal

TOKEN = "DUSD"
"""The asset code that the odd token goes by; the tests' policy knows it."""

SUPPLY = 10**12
ETHER = 10**18


@dataclass
class OddWorld:
    """A wallet whose only token is an odd one."""

    devnet: Devnet
    world: World
    contract: str
    outside: str
    user: str = ""

    def __post_init__(self) -> None:
        self.user = self.world.account("alice")

    @property
    def chain(self) -> EvmChain:
        chain = self.world.chains[ETH]
        assert isinstance(chain, EvmChain)
        return chain

    def send(self, signature: str, *values: object, to: str | None = None) -> str:
        """A call of the token, or of `to`, by somebody outside; into the pool."""
        return send(self.devnet, self.outside, to or self.contract, call_data(signature, *values))

    def pay(self, address: str, units: int) -> str:
        """A token transfer from outside."""
        return self.send("transfer(address,uint256)", address, units)

    def mine(self, blocks: int = 1) -> None:
        """Blocks, scanned."""
        self.devnet.mine(ETHEREUM, blocks)
        self.scan()

    def scan(self) -> None:
        """Follow the chain to its tip."""
        while self.world.watchers[ETH].step().seen is not Seen.SAME:
            pass

    def settle(self, blocks: int = 4) -> None:
        """Pay, sign, send and mine until what can end has ended."""
        for _ in range(blocks):
            self.scan()
            self.world.payer.pay_queued(ETH)
            self.world.desk.run(ETH)
            self.devnet.mine(ETHEREUM)
        self.scan()
        self.world.desk.run(ETH)

    def gather(self, passes: int = 8) -> None:
        """Gather what lies on deposit addresses, with the top-ups that takes."""
        for _ in range(passes):
            self.scan()
            self.world.gatherer.run(ETH)
            self.world.desk.run(ETH)
            self.devnet.mine(ETHEREUM)
        self.scan()
        self.world.desk.run(ETH)

    def hot(self) -> Address:
        """The hot account, with gas."""
        hot = self.world.own_address(ETH, "ethereum-hot", Purpose.HOT)
        self.devnet.fund(ETHEREUM, "ETH", hot.address, ETHER)
        self.mine(3)
        return hot

    def deposit(self, units: int) -> Address:
        """A transfer from outside to a fresh address of the user, deep enough to count."""
        address = self.world.address(self.user, ETH)
        self.pay(address.address, units)
        self.mine(3)
        return address

    def funded(self, units: int = 1_000_000) -> Address:
        """Hot tokens of the house and gas, and as many credited to the user."""
        hot = self.hot()
        self.pay(hot.address, 2 * units)
        self.deposit(units)
        return hot

    def withdraw(self, units: int, name: str = "w-1") -> Withdrawal:
        """A withdrawal to somebody outside, worked on until it rests."""
        asked = self.world.withdraw(self.user, TOKEN, CUSTOMER, units, name)
        self.settle()
        return self.world.read(asked.id)

    def held(self, address: str) -> int:
        """What an address has of the token now."""
        return self.chain.balance_units(from_text(address), TOKEN, self.chain.tip())

    def available(self) -> int:
        """What the user may take."""
        return self.world.available(self.user, TOKEN)

    def deposits(self) -> Sequence[tuple[str, str, int]]:
        """Status, sub-status and units of the user's token deposits."""
        with self.world.database.read() as tx:
            rows = tx.execute(
                select(deposits)
                .where(deposits.c.asset == TOKEN, deposits.c.account_id == self.user)
                .order_by(deposits.c.height, deposits.c.position)
            )
            return [(row.status, row.sub_status, row.units) for row in rows]

    def payments(self, purpose: str) -> Sequence[tuple[str, str, str]]:
        """Asset, status and sub-status of the payments made for a purpose."""
        with self.world.database.read() as tx:
            rows = tx.execute(select(payments).where(payments.c.purpose == purpose))
            return [(row.asset, row.status, row.sub_status) for row in rows]

    def told(self, type: str) -> int:
        """How many events of a type there are."""
        with self.world.database.read() as tx:
            return sum(event.type == type for event in read_events(tx, 0, 1000))

    def drift(self) -> int:
        """A look at balances that no block touched."""
        return DriftCheck(self.chain, self.world.database, self.world.keep.clock).run()

    def differences(self) -> dict[str, int]:
        """What the reconciliation of books and chain leaves over, where anything."""
        odd = odd_assets(self.world.assets.values())
        rows = reporter(self.chain, self.world.database, self.world.keep.clock, odd).report().rows
        return {row.asset: row.difference for row in rows if row.difference}


@contextmanager
def odd_world(
    devnet: Devnet,
    folder: Path,
    name: str,
    *,
    kind: str = TokenKind.PLAIN,
    decimals: int = 6,
    proxied: bool = False,
) -> Iterator[OddWorld]:
    """A token of the contract `name`, all of it held outside; the chain is put back at the end."""
    snapshot = devnet.rpc(ETHEREUM, "evm_snapshot")
    accounts = devnet.rpc(ETHEREUM, "eth_accounts")
    assert isinstance(accounts, list)
    contract = deploy_token(devnet, accounts[0], name, decimals)
    if proxied:
        contract = _behind_proxy(devnet, accounts[0], contract)
    asset = Asset(code=TOKEN, network=ETH, decimals=decimals, contract=contract)
    chain = EvmChain(BUILTIN[ETHEREUM], EvmNode(devnet.url(ETHEREUM)), [asset])
    database = Database.open(f"sqlite:///{folder / 'wallet.sqlite'}")
    database.migrate()
    world = World(database, Keep(eth=chain))  # type: ignore[arg-type]
    settings = replace(
        world.assets[TOKEN],
        contract=contract,
        decimals=decimals,
        token_kind=kind,
        gather_units_min=1,
        withdrawal_units_min=1,
    )
    world.assets[TOKEN] = settings
    rules = {code: DepositRules(asset=world.assets[code]) for code in ("ETH", TOKEN)}
    start = chain.tip().height
    world.watchers[ETH] = Watcher(chain, database, rules, start, world.keep.clock, pass_by)
    yield OddWorld(devnet, world, contract, accounts[0])
    chain.close()
    database.close()
    devnet.rpc(ETHEREUM, "evm_revert", snapshot)


def deploy_token(devnet: Devnet, holder: str, name: str, decimals: int = 6) -> str:
    """A new token of which `holder` has everything; its address."""
    arguments = encode(["uint8", "address", "uint256"], [decimals, holder, SUPPLY])
    return deploy(devnet, holder, creation_code(name) + arguments)


def deploy(devnet: Devnet, sender: str, creation: bytes) -> str:
    """A new contract, mined; its address."""
    txid = send(devnet, sender, None, creation)
    devnet.mine(ETHEREUM)
    receipt = devnet.rpc(ETHEREUM, "eth_getTransactionReceipt", txid)
    assert isinstance(receipt, dict) and receipt["status"] == "0x1"
    return checksum(bytes.fromhex(receipt["contractAddress"][2:]))


def send(devnet: Devnet, sender: str, to: str | None, data: bytes) -> str:
    """A transaction of an unlocked account, into the pool."""
    request = {"from": sender, "data": "0x" + data.hex()} | ({} if to is None else {"to": to})
    return str(devnet.rpc(ETHEREUM, "eth_sendTransaction", request))


def call_data(signature: str, *values: object) -> bytes:
    """Calldata of a call with plain arguments."""
    kinds = [kind for kind in signature.partition("(")[2].rstrip(")").split(",") if kind]
    return bytes(keccak(text=signature)[:4]) + encode(kinds, list(values))


def upgrade(odd: OddWorld, implementation: str) -> None:
    """Let the proxy stand in for another contract from now on."""
    _point(odd.devnet, odd.contract, implementation)


def _behind_proxy(devnet: Devnet, holder: str, implementation: str) -> str:
    """A proxy with the implementation's own storage, as if it had been set up through it."""
    proxy = "0x" + keccak(text=f"proxy of {implementation}")[-20:].hex()
    devnet.rpc(ETHEREUM, "anvil_setCode", proxy, "0x" + proxy_code().hex())
    _point(devnet, proxy, implementation)
    for slot in range(3):
        value = devnet.rpc(ETHEREUM, "eth_getStorageAt", implementation, hex(slot), "latest")
        devnet.rpc(ETHEREUM, "anvil_setStorageAt", proxy, f"0x{slot:064x}", value)
    # Vyper keeps a mapping's entry at keccak(slot, key); balances are the third variable.
    entry = keccak((2).to_bytes(32, "big") + bytes.fromhex(holder[2:]).rjust(32, b"\x00"))
    supply = "0x" + SUPPLY.to_bytes(32, "big").hex()
    devnet.rpc(ETHEREUM, "anvil_setStorageAt", proxy, "0x" + entry.hex(), supply)
    return checksum(bytes.fromhex(proxy[2:]))


def _point(devnet: Devnet, proxy: str, implementation: str) -> None:
    word = "0x" + from_text(implementation).rjust(32, b"\x00").hex()
    devnet.rpc(ETHEREUM, "anvil_setStorageAt", proxy, "0x" + PROXY_SLOT, word)
    devnet.mine(ETHEREUM)
