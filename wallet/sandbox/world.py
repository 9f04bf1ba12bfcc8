"""The sandbox's chains: three simulated networks, and all that a person may make happen on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import Any

from chains.evm import addresses as evm_addresses
from chains.evm.addresses import checksum
from chains.evm.params import BUILTIN as EVM_BUILTIN
from chains.evm.safe import SafeVault
from chains.simulated.evm_history import EvmHistory
from chains.simulated.evm_node import Finality, SimulatedEvmNode
from chains.simulated.line import Fault, Lie, Line
from chains.simulated.utxo_history import UtxoHistory
from chains.simulated.utxo_node import SimulatedUtxoNode
from chains.types import Asset
from chains.utxo import addresses as utxo_addresses
from chains.utxo.params import BUILTIN as UTXO_BUILTIN
from wallet.devnet.devnet import NodeStatus
from wallet.devnet.evm import Contracts
from wallet.sandbox.errors import Impossible, UnknownNetwork

ETHEREUM = "ethereum-31337"
_UTXO = {"bitcoin-regtest": "BTC", "litecoin-regtest": "LTC"}
_TOKENS = {"DUSD": 6, "DGLD": 18}
_FIRST_BLOCKS = 5
_FEERATES = {"bitcoin-regtest": 5_000, "litecoin-regtest": 50_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One simulated chain and its node."""

    id: str
    history: UtxoHistory | EvmHistory
    line: Line
    node: SimulatedUtxoNode | SimulatedEvmNode


class SandboxWorld:
    """All chains of a sandbox. One question or wish at a time, whoever asks."""

    def __init__(self, seed: int, now_s: Callable[[], int]) -> None:
        """The same seed and the same wishes in the same order give the same transactions."""
        self._lock = RLock()
        self._safes: dict[bytes, SafeVault] = {}
        self._urls: Mapping[str, str] = {}
        self.contracts = Contracts(
            tokens={code: checksum(_contract(code)) for code in _TOKENS},
            safe_singleton=checksum(b"\x51" * 20),
        )
        self.networks = {name: _utxo_network(name, seed, now_s) for name in _UTXO}
        self.networks[ETHEREUM] = self._evm_network(seed, now_s)
        self.assets = dict(_UTXO.items()) | {ETHEREUM: "ETH"}

    def answer(self, network: str, method: str, params: Sequence[Any]) -> Any:
        """What a network's node answers. Raises NodeUnavailable, Refused or UnknownNetwork."""
        with self._lock:
            return self._network(network).node.answer(method, *params)

    # --- what a deployment stands on --------------------------------------------------------------

    def listen_at(self, urls: Mapping[str, str]) -> None:
        """Where the nodes can be asked."""
        self._urls = urls

    def status(self) -> Sequence[NodeStatus]:
        """The nodes, as development chains show theirs."""
        return [
            NodeStatus(
                network=name,
                software="simulated",
                url=self._urls[name],
                pid=0,
                height=network.history.blocks[-1].ref.height,
            )
            for name, network in self.networks.items()
        ]

    def deploy_sweeper(self, treasury: str) -> str:  # noqa: ARG002
        """None: simulated contracts are tokens and Safes alone, so gas is topped up."""
        return ""

    def deploy_safe(self, owners: Sequence[str], threshold: int) -> str:  # noqa: ARG002
        """The address that the cold Safe will have; `register_safe` puts it there."""
        return checksum(b"\x5a" * 20)

    def register_safe(self, safe: SafeVault) -> None:
        """Put a Safe on the chain, as its vault file says."""
        with self._lock:
            self._safes[safe.address] = safe

    # --- wishes -----------------------------------------------------------------------------------

    def deposit(self, asset: str, address: str, amounts: Sequence[int]) -> str:
        """One transaction from outside with these base units to an address; its txid.

        Raises UnknownNetwork or an AddressError.
        """
        network = self.network_of(asset)
        with self._lock:
            history = self._network(network).history
            if isinstance(history, UtxoHistory):
                script = utxo_addresses.parse(history.params, address).target
                return history.pay([(script, units) for units in amounts])
            target = evm_addresses.from_text(address)
            return history.pay([(target, asset, units) for units in amounts])

    def mine(self, network: str | None, count: int) -> dict[str, int]:
        """Blocks on one chain or on all; the new heights."""
        chosen = list(self.networks) if network is None else [network]
        with self._lock:
            return {name: self._network(name).history.mine(count).height for name in chosen}

    def reorg(self, network: str, depth: int, fate: str) -> int:
        """Replace the last blocks; their transactions are kept, dropped or conflicting.

        The new height. Raises Impossible when there are not so many blocks.
        """
        with self._lock:
            history = self._network(network).history
            if depth >= len(history.blocks):
                raise Impossible(f"got a depth of {depth}, expected less than the chain is high")
            history.reorg(depth, keep=fate != "dropped", conflicting=fate == "conflicting")
            return history.blocks[-1].ref.height

    def price(self, network: str, units: int, floor: int) -> None:
        """What space costs: sats per 1000 vbytes and what blocks ask at least, or wei per gas."""
        with self._lock:
            history = self._network(network).history
            if isinstance(history, UtxoHistory):
                history.feerate, history.floor = units, floor
            else:
                history.base_fee_wei = units

    def evict(self, network: str, txid: str) -> None:
        """Make the nodes forget a waiting transaction. Raises Impossible when none waits."""
        with self._lock:
            history = self._network(network).history
            if txid not in history.mempool:
                raise Impossible("got a transaction that does not wait in the mempool")
            history.evict(txid)

    def disturb(self, network: str, fault: str, count: int) -> None:
        """Make something go wrong: a broadcast's fault, or "down", "up", "lag" or a lie."""
        with self._lock:
            line = self._network(network).line
            if fault == "down":
                line.is_down = True
            elif fault == "up":
                line.mend()
            elif fault == "lag":
                line.lag = count
            elif fault in list(Lie):
                line.lie = Lie(fault)
            else:
                line.faults.extend([Fault(fault)] * count)

    def network_of(self, asset: str) -> str:
        """The network of an asset. Raises UnknownNetwork."""
        found = {code: name for name, code in _UTXO.items()}
        found |= dict.fromkeys(("ETH", *_TOKENS), ETHEREUM)
        if asset not in found:
            raise UnknownNetwork(f"got asset {asset[:20]!r}, expected one of {sorted(found)}")
        return found[asset]

    def _network(self, name: str) -> Network:
        if name not in self.networks:
            known = ", ".join(self.networks)
            raise UnknownNetwork(f"got network {name[:40]!r}, expected one of: {known}")
        return self.networks[name]

    def _evm_network(self, seed: int, now_s: Callable[[], int]) -> Network:
        params = EVM_BUILTIN[ETHEREUM]
        history = EvmHistory(
            network=ETHEREUM,
            chain_id=params.chain_id,
            native=params.native,
            tokens=[
                Asset(code=code, network=ETHEREUM, decimals=n, contract=self.contracts.tokens[code])
                for code, n in _TOKENS.items()
            ],
            safes=self._safes,
            base_fee_wei=10**9,
            tip_wei=10**9,
            salt=seed,
            now_s=now_s,
        )
        history.mine(_FIRST_BLOCKS)
        line = Line()
        node = SimulatedEvmNode(history, line, Finality())
        return Network(id=ETHEREUM, history=history, line=line, node=node)


def _utxo_network(name: str, seed: int, now_s: Callable[[], int]) -> Network:
    history = UtxoHistory(
        params=UTXO_BUILTIN[name], feerate=_FEERATES[name], salt=seed, now_s=now_s
    )
    history.mine(_FIRST_BLOCKS)
    line = Line()
    return Network(id=name, history=history, line=line, node=SimulatedUtxoNode(history, line))


def _contract(code: str) -> bytes:
    return b"\xd0" + code.encode().rjust(19, b"\x01")
