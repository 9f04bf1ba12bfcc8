"""A hot account, its sweeper and deposit accounts on a real chain, for tests and the bench."""

from dataclasses import dataclass, field
from typing import Any

from eth_account import Account

from chains.evm.addresses import checksum, from_text
from chains.evm.authorizations import Authorization
from chains.evm.chain import EvmChain
from chains.evm.erc20 import transfer_calldata
from chains.evm.set_code import UnsignedSetCodeTx
from chains.evm.sweeper import SweepCall
from chains.evm.transactions import UnsignedTx
from wallet.devnet.devnet import Devnet
from wallet.devnet.nodes import ETHEREUM

ONE = 10**18
UNITS = 5_000_000


@dataclass
class Ground:
    """A hot account, its sweeper, and deposit accounts that run it."""

    devnet: Devnet
    chain: EvmChain
    hot: Any = field(default_factory=Account.create)

    def __post_init__(self) -> None:
        self.token = from_text(self.devnet.contracts.tokens["DUSD"])
        self.treasury = from_text(self.hot.address)
        self.sweeper = from_text(self.devnet.deploy_sweeper(self.hot.address))
        self.fund("ETH", self.treasury, 100 * ONE)
        self.fund("DUSD", self.treasury, 1)

    def fund(self, asset: str, target: bytes, units: int) -> None:
        self.devnet.fund(ETHEREUM, asset, checksum(target), units)
        self.devnet.mine(ETHEREUM)

    def accounts(self, count: int, units: int = UNITS) -> list[Any]:
        """Fresh deposit accounts that hold tokens and no gas."""
        made = [Account.create() for _ in range(count)]
        for one in made:
            self.devnet.fund(ETHEREUM, "DUSD", one.address, units)
        self.devnet.mine(ETHEREUM)
        return made

    def held(self, target: bytes, asset: str = "DUSD") -> int:
        return self.chain.balance_units(target, asset, self.chain.tip())

    def sweep(self, call: SweepCall, *new: Any) -> Any:
        """The receipt of a batch by the hot account; `new` accounts give their leave in it."""
        plain = UnsignedTx(
            chain_id=31337,
            nonce=self.chain.nonce(self.treasury),
            priority_fee_wei=1,
            max_fee_wei=self.chain.fees().max_fee_wei,
            gas_limit=8_000_000,
            to=self.sweeper,
            value_wei=0,
            data=call.encode(),
        )
        tx: Any = plain
        if new:
            leave = Authorization(chain_id=31337, delegate=self.sweeper, nonce=0)
            signed = [
                leave.with_signature(
                    bytes(Account.unsafe_sign_hash(leave.signing_hash, one.key).signature)
                )
                for one in new
            ]
            tx = UnsignedSetCodeTx(call=plain, authorizations=tuple(signed))
        made = Account.unsafe_sign_hash(tx.signing_hash, self.hot.key)
        return self.sent(tx.with_signature(bytes(made.signature)).raw)

    def sent(self, raw: bytes) -> Any:
        txid = self.devnet.rpc(ETHEREUM, "eth_sendRawTransaction", "0x" + raw.hex())
        return self._receipt(str(txid))

    def asked(self, sender: str, to: bytes, data: bytes, value: int = 0) -> Any:
        """The receipt of a call by anybody."""
        self.devnet.rpc(ETHEREUM, "anvil_impersonateAccount", sender)
        self.devnet.rpc(ETHEREUM, "anvil_setBalance", sender, hex(10 * ONE))
        request = {
            "from": sender,
            "to": checksum(to),
            "data": "0x" + data.hex(),
            "value": hex(value),
            "gas": hex(1_000_000),
        }
        txid = self.devnet.rpc(ETHEREUM, "eth_sendTransaction", request)
        # Else the node would list it among its own accounts, which the faucet pays from.
        self.devnet.rpc(ETHEREUM, "anvil_stopImpersonatingAccount", sender)
        return self._receipt(str(txid))

    def _receipt(self, txid: str) -> Any:
        """The next block has it."""
        self.devnet.mine(ETHEREUM)
        return self.devnet.rpc(ETHEREUM, "eth_getTransactionReceipt", txid)

    def plain_transfer_gas(self) -> int:
        """What one transfer to the treasury takes, by its receipt."""
        (one,) = self.accounts(1)
        target = from_text(one.address)
        self.fund("ETH", target, ONE)
        tx = UnsignedTx(
            chain_id=31337,
            nonce=0,
            priority_fee_wei=1,
            max_fee_wei=self.chain.fees().max_fee_wei,
            gas_limit=100_000,
            to=self.token,
            value_wei=0,
            data=transfer_calldata(self.treasury, UNITS),
        )
        made = Account.unsafe_sign_hash(tx.signing_hash, one.key)
        receipt = self.sent(tx.with_signature(bytes(made.signature)).raw)
        return int(receipt["gasUsed"], 16)
