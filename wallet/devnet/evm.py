"""The EVM development chain: rich accounts, two tokens, a splitter and the Safe contracts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import is_address, to_checksum_address
from eth_utils.crypto import keccak

from chains.evm.addresses import checksum, from_text
from chains.evm.sweeper import deployment_calldata, runtime_code, sweeper_address
from wallet.devnet.contracts.build import artifact_path
from wallet.devnet.errors import DevnetError
from wallet.devnet.rpc import Rpc

_TOKENS = (("DUSD", "Development Dollar", 6), ("DGLD", "Development Gold", 18))
_TOKENS_EACH = 10**9
"""Whole tokens each faucet account starts with."""

_SAFE_DEPLOYER = "0x914d7Fec6aaC8cd542e72Bca78B30650d45643d7"
"""The Safe singleton factory; contracts made through it have the same address on every chain."""

_CREATE2_PROXY = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
"""anvil carries this proxy from the start; its code is the Safe singleton factory's too."""

_SAFE_ARTIFACTS = (
    ("singleton", "Safe.sol/Safe.json", "0x41675C099F32341bf84BFc5382aF534df5C7461a"),
    (
        "factory",
        "proxies/SafeProxyFactory.sol/SafeProxyFactory.json",
        "0x4e1DCf7AD4e460CfD30791CCC4F9c8a4f820ec67",
    ),
    (
        "fallback",
        "handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler.json",
        "0xfd0732Dc9E303f09fCEf3a7388Ad10A83459Ec99",
    ),
    (
        "multisend",
        "libraries/MultiSendCallOnly.sol/MultiSendCallOnly.json",
        "0x9641d764fc13c8B624c04430C7356C1C7C8102e2",
    ),
)
"""Safe 1.4.1: file in the npm package and canonical address, the same as on public chains."""

_NO_ADDRESS = "0x" + "00" * 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """EIP-55 addresses of what is deployed; `tokens` by asset code."""

    tokens: dict[str, str] = field(default_factory=dict)
    splitter: str = ""
    safe_singleton: str = ""
    safe_factory: str = ""
    safe_fallback: str = ""


class EvmDevChain:
    """Faucet and miner of one anvil, whose accounts are unlocked."""

    def __init__(self, rpc: Rpc, contracts: Contracts) -> None:
        self._rpc = rpc
        self.contracts = contracts

    def prepare(self, modules: Path) -> None:
        """Deploy tokens, splitter and Safe. Raises DevnetError if an address is unexpected."""
        accounts = self._accounts()
        deployer, holders = accounts[0], accounts[1:]
        tokens = {}
        for code, name, decimals in _TOKENS:
            units = _TOKENS_EACH * 10**decimals
            arguments = encode(
                ["string", "string", "uint8", "address[]", "uint256"],
                [name, code, decimals, holders, units],
            )
            tokens[code] = self._deploy(deployer, _bytecode("DevToken") + arguments)
        splitter = self._deploy(deployer, _bytecode("DevSplitter"))
        safe = self._deploy_safe_contracts(deployer, modules)
        self.contracts = Contracts(
            tokens=tokens,
            splitter=splitter,
            safe_singleton=safe["singleton"],
            safe_factory=safe["factory"],
            safe_fallback=safe["fallback"],
        )

    def mine(self, blocks: int) -> tuple[str, ...]:
        """Mine what is in the pool, then empty blocks; hashes of the new blocks."""
        before = self._height()
        self._rpc.call("anvil_mine", hex(blocks))
        return tuple(self._block_hash(height) for height in range(before + 1, self._height() + 1))

    def pay(self, asset: str, address: str, units: int) -> str:
        """Send ETH or a token, into the pool; the transaction hash."""
        if not is_address(address):
            raise DevnetError(f"got address {address[:100]!r}, expected 0x and 40 hex digits")
        if asset == "ETH":
            return self._send(self._idle_account(), address, units)
        if asset not in self.contracts.tokens:
            known = ", ".join(("ETH", *self.contracts.tokens))
            raise DevnetError(f"got asset {asset!r}, expected one of {known}")
        data = _call("transfer(address,uint256)", ["address", "uint256"], [address, units])
        return self._send(self._idle_account(), self.contracts.tokens[asset], 0, data)

    def pay_from_contract(self, addresses: Sequence[str], units: int) -> str:
        """Send `units` wei to each address from inside a contract; the transaction hash."""
        data = _call("split(address[],uint256)", ["address[]", "uint256"], [list(addresses), units])
        value = units * len(addresses)
        return self._send(self._idle_account(), self.contracts.splitter, value, data)

    def pay_in_vain(self, address: str, units: int) -> str:
        """A transaction that succeeds though its payment inside was undone; its hash."""
        data = _call("pay_in_vain(address)", ["address"], [address])
        return self._send(self._idle_account(), self.contracts.splitter, units, data)

    def reorg(self, depth: int, drop: Sequence[str]) -> tuple[str, ...]:
        """Replace the last `depth` blocks and mine one more; hashes of the new blocks.

        Transactions in `drop` are gone, all others are mined again in the block they were in.
        """
        top = self._height()
        first = top - depth + 1
        kept: list[list[object]] = []
        for height in range(first, top + 1):
            block = self._rpc.call("eth_getBlockByNumber", hex(height), False)
            for txid in block["transactions"]:
                if txid not in drop:
                    raw = self._rpc.call("eth_getRawTransactionByHash", txid)
                    kept.append([raw, height - first])
        self._rpc.call("anvil_reorg", depth, kept)
        self._rpc.call("anvil_mine", "0x1")
        return tuple(self._block_hash(height) for height in range(first, top + 2))

    def deploy_safe(self, owners: Sequence[str], threshold: int, salt: int) -> str:
        """A Safe 1.4.1 proxy of these owners; mines a block. Its EIP-55 address."""
        setup = _call(
            "setup(address[],uint256,address,bytes,address,address,uint256,address)",
            [
                "address[]",
                "uint256",
                "address",
                "bytes",
                "address",
                "address",
                "uint256",
                "address",
            ],
            [
                list(owners),
                threshold,
                _NO_ADDRESS,
                b"",
                self.contracts.safe_fallback,
                _NO_ADDRESS,
                0,
                _NO_ADDRESS,
            ],
        )
        create = _call(
            "createProxyWithNonce(address,bytes,uint256)",
            ["address", "bytes", "uint256"],
            [self.contracts.safe_singleton, setup, salt],
        )
        txid = self._send(self._accounts()[0], self.contracts.safe_factory, 0, create)
        receipt = self._mined_receipt(txid)
        topic = "0x" + keccak(text="ProxyCreation(address,address)").hex()
        for log in receipt["logs"]:
            if log["topics"][0] == topic:
                return str(to_checksum_address("0x" + log["topics"][1][-40:]))
        raise DevnetError("got no ProxyCreation event, expected one")

    def deploy_sweeper(self, treasury: str) -> str:
        """The sweeper of a treasury, where its code has it to be; mines a block. Its address."""
        target = from_text(treasury)
        address = str(checksum(sweeper_address(target)))
        if self._rpc.call("eth_getCode", address, "latest") == "0x":
            data = deployment_calldata(target)
            self._mined_receipt(self._send(self._accounts()[0], _CREATE2_PROXY, 0, data))
        shown = self._rpc.call("eth_getCode", address, "latest")
        if shown != "0x" + runtime_code(target).hex():
            raise DevnetError(f"got other code at {address}, expected the sweeper of {treasury}")
        return address

    def _deploy_safe_contracts(self, deployer: str, modules: Path) -> dict[str, str]:
        code = self._rpc.call("eth_getCode", _CREATE2_PROXY, "latest")
        self._rpc.call("anvil_setCode", _SAFE_DEPLOYER, code)
        root = modules.joinpath("@safe-global/safe-contracts/build/artifacts/contracts")
        addresses = {}
        for name, file, canonical in _SAFE_ARTIFACTS:
            artifact = json.loads(root.joinpath(file).read_text(encoding="utf-8"))
            creation = bytes.fromhex(artifact["bytecode"][2:])
            self._mined_receipt(self._send(deployer, _SAFE_DEPLOYER, 0, bytes(32) + creation))
            if self._rpc.call("eth_getCode", canonical, "latest") == "0x":
                raise DevnetError(f"got no code at {canonical}, expected Safe's {name} there")
            addresses[name] = canonical
        return addresses

    def _deploy(self, sender: str, creation: bytes) -> str:
        receipt = self._mined_receipt(self._send(sender, None, 0, creation))
        return str(to_checksum_address(receipt["contractAddress"]))

    def _send(self, sender: str, to: str | None, value: int, data: bytes = b"") -> str:
        request = {"from": sender, "value": hex(value), "data": "0x" + data.hex()}
        if to is not None:
            request["to"] = to
        return str(self._rpc.call("eth_sendTransaction", request))

    def _mined_receipt(self, txid: str) -> Any:
        self._rpc.call("anvil_mine", "0x1")
        receipt = self._rpc.call("eth_getTransactionReceipt", txid)
        if receipt is None or receipt["status"] != "0x1":
            raise DevnetError(f"got receipt {receipt!r}, expected success of {txid}"[:600])
        return receipt

    def _idle_account(self) -> str:
        """The account that paid least often: losing one payment then rarely blocks another."""

        def paid(account: str) -> int:
            return int(self._rpc.call("eth_getTransactionCount", account, "pending"), 16)

        return min(self._accounts()[1:], key=paid)

    def _accounts(self) -> list[str]:
        return [str(account) for account in self._rpc.call("eth_accounts")]

    def _height(self) -> int:
        return int(self._rpc.call("eth_blockNumber"), 16)

    def _block_hash(self, height: int) -> str:
        return str(self._rpc.call("eth_getBlockByNumber", hex(height), False)["hash"])


def _bytecode(name: str) -> bytes:
    artifact = json.loads(artifact_path(name).read_text(encoding="utf-8"))
    return bytes.fromhex(artifact["bytecode"][2:])


def _call(signature: str, types: Sequence[str], values: Sequence[object]) -> bytes:
    """Calldata of a function call."""
    return bytes(keccak(text=signature)[:4]) + bytes(encode(list(types), list(values)))
