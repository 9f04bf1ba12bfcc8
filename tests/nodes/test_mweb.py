"""Litecoin's extension blocks on a real node: money goes in, comes out, and is found."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from chains.errors import AddressError, CodecError
from chains.types import BlockRef, BlockScan
from chains.utxo import addresses, blocks, mweb, scripts
from chains.utxo.bech32 import encode
from chains.utxo.chain import UtxoChain
from chains.utxo.mweb import PEGIN, PEGOUT_MATURITY_BLOCKS, WrongExtension
from chains.utxo.node import UtxoNode
from chains.utxo.params import BUILTIN
from chains.utxo.transactions import Transaction
from chains.watched import WatchedOutpoints, WatchedScripts
from tests.conftest import skip_or_fail
from tests.nodes.test_utxo_chains import Watching, _nothing
from wallet.devnet.devnet import Devnet

NODE = "litecoind-regtest"
PARAMS = BUILTIN["litecoin-regtest"]


@dataclass
class Purse:
    """One wallet of the node; its money goes where a test wants it."""

    devnet: Devnet
    name: str

    def ask(self, method: str, *params: object) -> Any:
        url = f"{self.devnet.url(NODE)}/wallet/{self.name}"
        body = {"id": 1, "method": method, "params": list(params)}
        answer = httpx.post(url, json=body, timeout=60, trust_env=False).json()
        assert answer["error"] is None, answer["error"]
        return answer["result"]


@pytest.fixture(scope="module")
def chain(devnet: Devnet) -> Iterator[UtxoChain]:
    if NODE not in devnet.networks:
        skip_or_fail("no litecoind on this machine")
    chain = UtxoChain(PARAMS, UtxoNode(devnet.url(NODE)), feerate_min=10_000)
    yield chain
    chain.close()


@pytest.fixture(scope="module")
def hidden(devnet: Devnet, chain: UtxoChain) -> Iterator[Purse]:
    """A wallet all of whose money lies in the extension: whatever it pays comes out of it."""
    rich, hidden = Purse(devnet, "mweb"), Purse(devnet, "hidden")
    devnet.rpc(NODE, "createwallet", "hidden")
    # From the transparent to the hidden side of the rich wallet, then on to the other one.
    rich.ask("sendtoaddress", rich.ask("getnewaddress", "", "mweb"), "5")
    devnet.mine(NODE)
    rich.ask("sendtoaddress", hidden.ask("getnewaddress", "", "mweb"), "3")
    devnet.mine(NODE)
    yield hidden
    devnet.rpc(NODE, "unloadwallet", "hidden")


def _scan(chain: UtxoChain, block: BlockRef, script: bytes) -> BlockScan:
    watched = Watching(targets=WatchedScripts([script]), outpoints=WatchedOutpoints([]))
    return chain.scan(block, watched)


def _raw(chain: UtxoChain, height: int) -> bytes:
    return chain.block_bytes(chain.block_at(height).hash)


def test_what_comes_out_is_found_like_any_output(
    devnet: Devnet, chain: UtxoChain, hidden: Purse
) -> None:
    script = scripts.p2wpkh(hashlib.sha256(b"peg-out").digest()[:20])
    hidden.ask("sendtoaddress", addresses.encode(PARAMS, script), "1.25")
    devnet.mine(NODE)
    tip = chain.tip()
    scan = _scan(chain, tip, script)
    (inflow,) = scan.inflows
    tx = Transaction.parse(inflow.raw_tx)
    number = int(inflow.position.removeprefix("out:"))

    assert scan.ref == tip
    assert (125_000_000, script) == (inflow.units, tx.outputs[number].script)
    assert inflow.txid == tx.txid
    assert number >= 1
    assert PEGOUT_MATURITY_BLOCKS == inflow.maturity_blocks
    assert mweb.HOGADDR == tx.outputs[0].script[:2]
    assert chain.sighting(inflow.txid).block == tip


def test_what_goes_in_is_seen_and_is_no_deposit(
    devnet: Devnet, chain: UtxoChain, hidden: Purse
) -> None:
    # The other wallets keep even their change hidden; this one has nothing but open money.
    devnet.rpc(NODE, "createwallet", "open")
    purse = Purse(devnet, "open")
    devnet.fund(NODE, "LTC", purse.ask("getnewaddress", "", "bech32"), 500_000_000)
    devnet.mine(NODE)
    purse.ask("sendtoaddress", hidden.ask("getnewaddress", "", "mweb"), "2")
    devnet.rpc(NODE, "unloadwallet", "open")
    devnet.mine(NODE)
    tip = chain.tip()
    whole: Any = devnet.rpc(NODE, "getblock", tip.hash, 2)
    outputs = [out["scriptPubKey"]["hex"] for tx in whole["tx"] for out in tx["vout"]]
    (into,) = [bytes.fromhex(one) for one in outputs if one.startswith(PEGIN.hex())]

    assert [one.target for one in _scan(chain, tip, into).inflows] == [into]
    with pytest.raises(AddressError) as caught:
        chain.destination(encode(PARAMS.hrp, 9, into[2:]))
    assert "address.mweb" == caught.value.code


def test_hidden_addresses_are_no_payees(chain: UtxoChain, hidden: Purse) -> None:
    with pytest.raises(AddressError) as caught:
        chain.destination(hidden.ask("getnewaddress", "", "mweb"))

    assert "address.mweb" == caught.value.code


def test_every_block_since_the_activation_carries_the_extension_it_names(
    chain: UtxoChain, hidden: Purse
) -> None:
    for height in range(431, chain.tip().height + 1):
        header, _ = blocks.read_block(PARAMS, _raw(chain, height), _nothing())

        assert header.hash == chain.block_at(height).hash


def test_another_extension_block_is_refused(
    devnet: Devnet, chain: UtxoChain, hidden: Purse
) -> None:
    raw = _raw(chain, chain.tip().height)
    before = _raw(chain, chain.tip().height - 1)
    # The Merkle root does not cover the extension; only its own hash does.
    end = _end_of_transactions(chain, raw)
    other = raw[:end] + before[_end_of_transactions(chain, before) :]

    for lie in (other, raw[:end], raw[: end + 9], raw[:end] + b"\x00"):
        with pytest.raises(WrongExtension):
            blocks.read_block(PARAMS, lie, _nothing())


def test_no_chain_without_extensions_takes_one(chain: UtxoChain, hidden: Purse) -> None:
    with pytest.raises(CodecError):
        blocks.read_block(replace(PARAMS, mweb_hrp=""), _raw(chain, chain.tip().height), _nothing())


def _end_of_transactions(chain: UtxoChain, raw: bytes) -> int:
    """Where the extension begins, by the node's own word on the last transaction."""
    header = blocks.parse_header(PARAMS, raw)
    hogex = chain._node.call("getblock", header.hash, 2)["tx"][-1]["txid"]
    whole = bytes.fromhex(chain._node.call("getrawtransaction", hogex, False, header.hash))
    return raw.index(whole) + len(whole)
