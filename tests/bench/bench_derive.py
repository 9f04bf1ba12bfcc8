"""The next deposit address from an account's extended public key."""

import hashlib
import hmac
import os
import tempfile

import coincurve
from embit import bip32, script
from embit.networks import NETWORKS

from chains.hd import ExtendedKey
from chains.utxo.descriptors import RECEIVE, DescriptorVault, Template
from chains.utxo.params import BUILTIN
from tests.bench.timing import BenchRow, best_ns
from tests.utxo_world import vault

COUNT = 500
ROUNDS = 40
AIM_NS = 70_000


def rows() -> list[BenchRow]:
    """Ours beside bitcoinlib, embit and one tweak with its hashes in libsecp256k1."""
    params = BUILTIN["bitcoin"]
    single = vault(Template.WPKH, params=params)
    ours = best_ns(lambda: _ours(single), rounds=ROUNDS, units=COUNT)
    key = single.branches[RECEIVE][0]
    peers = {
        "bitcoinlib": best_ns(lambda: _bitcoinlib(key, COUNT // 50), rounds=2, units=COUNT // 50),
        "embit": best_ns(lambda: _embit(key, COUNT // 5), rounds=3, units=COUNT // 5),
        "libsecp256k1 tweak + hash": best_ns(lambda: _bare(key), rounds=ROUNDS, units=COUNT),
    }
    found = [
        BenchRow(work="next address, wpkh", ours=ours, peer=peer, theirs=ns, aim=AIM_NS)
        for peer, ns in peers.items()
    ]
    shared = vault(Template.WSH_MULTI, params=params)
    found.append(
        BenchRow(
            work="next address, 2-of-3 wsh(sortedmulti)",
            ours=best_ns(lambda: _ours(shared), rounds=ROUNDS, units=COUNT),
            peer="three bare tweaks",
            theirs=3 * peers["libsecp256k1 tweak + hash"],
        )
    )
    return found


def _ours(owner: DescriptorVault) -> None:
    params = BUILTIN["bitcoin"]
    for index in range(COUNT):
        owner.address_at(params, RECEIVE, index)


def _embit(key: ExtendedKey, count: int) -> None:
    parent = bip32.HDKey.from_string(key.text)
    network = NETWORKS["main"]
    for index in range(count):
        script.p2wpkh(parent.child(index).key).address(network)


def _bitcoinlib(key: ExtendedKey, count: int) -> None:
    os.environ.setdefault("BCL_DATA_DIR", tempfile.mkdtemp(prefix="bench-bitcoinlib-"))
    from bitcoinlib.keys import HDKey

    parent = HDKey(key.text, network="bitcoin", witness_type="segwit")
    for index in range(count):
        parent.child_public(index).address()


def _bare(key: ExtendedKey) -> None:
    parent, chain_code, public_key = key.point, key.chain_code, key.public_key
    for index in range(COUNT):
        digest = hmac.digest(chain_code, public_key + index.to_bytes(4, "big"), hashlib.sha512)
        child: coincurve.PublicKey = parent.add(digest[:32])
        hashlib.new("ripemd160", hashlib.sha256(child.format()).digest()).digest()
