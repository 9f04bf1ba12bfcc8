"""Guarded signing of a batch, beside the bare signatures that it contains and other libraries."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from coincurve import PrivateKey
from embit import bip32
from embit.psbt import PSBT
from eth_account import Account

from chains.utxo.coins import Coin, Payout
from chains.utxo.descriptors import DescriptorVault
from chains.utxo.psbt_roles import build
from signer import secp
from signer.home import Home
from signer.keystore import PassphraseKek, decode_key
from signer.protocol import ANSWER, Payee, Result, Sealed, SignAnswer
from tests.bench.timing import BenchRow, best_ns
from tests.signer_world import (
    CONFIG,
    CUSTOMER,
    CUSTOMER_EVM,
    CUSTOMER_SCRIPT,
    NOW_S,
    PASSPHRASE,
    POLICY,
    World,
    a_request,
    an_evm_withdrawal,
    an_intent,
    change_to,
    coin,
    engine,
    sealed,
    utxo_vault,
)

INPUTS = 100
ROUNDS = 5
AIM_RATIO = 4.0
EVM_COUNT = 20


def rows() -> list[BenchRow]:
    """A 100-input request from sealed bytes to sealed answer, per input, log on disk included."""
    folder = Path(tempfile.mkdtemp(prefix="bench-signer-"))
    try:
        home = _home(folder)
        found = [*_utxo_rows(home), *_evm_rows(home)]
        home.close()
        return found
    finally:
        shutil.rmtree(folder)


def _home(folder: Path) -> Home:
    """A hot home whose windows and caps leave room for every round."""
    world = World.make(folder)
    home = world.open("hot")
    policy = POLICY.replace("600000000", "600000000000").replace("500000000", "500000000000")
    policy = policy.replace("from_units = 200000000", "from_units = 200000000000")
    config = CONFIG.replace("inputs_max = 20", "inputs_max = 500")
    config = config.replace("= 50000\n", "= 5000000\n")
    policy = policy.replace("units_max = 50000\n", "units_max = 5000000\n")
    home.configure(config.encode(), policy.encode(), NOW_S)
    return home


def _utxo_rows(home: Home) -> list[BenchRow]:
    vault = utxo_vault(home, "bitcoin-hot")
    coins = [coin(vault, 10_000_000, index, "bench") for index in range(INPUTS)]
    requests = iter([_request(vault, coins, number) for number in range(2 * ROUNDS + 2)])
    signer = engine(home)

    def guarded() -> None:
        _check(signer.sign(next(requests)))

    guarded()
    ours = best_ns(guarded, rounds=ROUNDS, units=INPUTS)
    unsynced = _without_disk(lambda: best_ns(guarded, rounds=ROUNDS, units=INPUTS))
    bare = best_ns(_bare, rounds=ROUNDS, units=INPUTS)
    other = best_ns(lambda: _embit(home, vault, coins), rounds=2, units=INPUTS)
    work = f"guarded 2-of-3 input in a batch of {INPUTS}"
    note = f"without waiting for the disk {unsynced} ns an input"
    return [
        BenchRow(
            work=work,
            ours=ours,
            peer="libsecp256k1 signature",
            theirs=bare,
            aim_ratio=AIM_RATIO,
            note=note,
        ),
        BenchRow(
            work=work,
            ours=ours,
            peer="its curve work alone: 3 keys, low-R signature, verify",
            theirs=best_ns(_curve_work, rounds=ROUNDS, units=INPUTS),
        ),
        BenchRow(work=work, ours=ours, peer="embit sign_with", theirs=other),
    ]


def _request(vault: DescriptorVault, coins: list[Coin], number: int) -> bytes:
    total = sum(one.sats for one in coins)
    fee = 400_000
    payees = (Payee(address=CUSTOMER, units=100_000_000),)
    intent = an_intent(f"bench-{number}", payees=payees, fee_units_max=fee)
    outputs = [
        Payout(script=CUSTOMER_SCRIPT, sats=100_000_000),
        change_to(vault, total - 100_000_000 - fee, 1),
    ]
    payload = build(coins=coins, outputs=outputs, vaults={vault.name: vault})
    return sealed(a_request(payload, intent))


def _without_disk(work: Callable[[], int]) -> int:
    real = os.fsync
    setattr(os, "fsync", lambda handle: None)  # noqa: B010
    try:
        return work()
    finally:
        setattr(os, "fsync", real)  # noqa: B010


def _check(data: bytes) -> None:
    answer = SignAnswer.decode(Sealed.decode(data, ANSWER).body)
    if answer.result is not Result.SIGNED:
        raise RuntimeError(f"the bench request was refused: {answer.code}")


def _bare() -> None:
    key = PrivateKey(b"\x07" * 32)
    for number in range(INPUTS):
        key.sign(hashlib.sha256(bytes([number])).digest(), hasher=None)


def _curve_work() -> None:
    """What no guard can leave out: the vault's three keys, our signature, and checking it."""
    secret = b"\x07" * 32
    public = PrivateKey(secret).public_key
    for number in range(INPUTS):
        digest = hashlib.sha256(bytes([number])).digest()
        for _ in range(3):
            public.add(digest)
        secp.verify_der(public.format(), digest, secp.sign_low_r(secret, digest))


def _embit(home: Home, vault: DescriptorVault, coins: list[Coin]) -> None:
    """embit signs the same PSBT with our account key; it checks nothing and writes nothing."""
    total = sum(one.sats for one in coins)
    change = change_to(vault, total - 400_000, 1)
    payload = build(coins=coins, outputs=[change], vaults={vault.name: vault})
    psbt = PSBT.parse(payload)
    if psbt.sign_with(_root(home)) != INPUTS:
        raise RuntimeError("embit did not sign every input")


def _root(home: Home) -> bip32.HDKey:
    file = home.path.joinpath("keys", "seed.hk1").read_bytes()
    return bip32.HDKey.from_seed(decode_key(file, PassphraseKek(PASSPHRASE)).secret)


def _evm_rows(home: Home) -> list[BenchRow]:
    requests = iter(
        [sealed(an_evm_withdrawal(home, f"evm-{n}", nonce=n)) for n in range(EVM_COUNT * ROUNDS)]
    )
    signer = engine(home)

    def guarded() -> None:
        for _ in range(EVM_COUNT):
            _check(signer.sign(next(requests)))

    ours = best_ns(guarded, rounds=ROUNDS, units=EVM_COUNT)
    peer = best_ns(_eth_account, rounds=ROUNDS, units=EVM_COUNT)
    return [
        BenchRow(
            work="guarded EIP-1559 transfer, one a request",
            ours=ours,
            peer="eth-account sign_transaction",
            theirs=peer,
        )
    ]


def _eth_account() -> None:
    account = Account.from_key(b"\x07" * 32)
    for nonce in range(EVM_COUNT):
        account.sign_transaction(
            {
                "chainId": 31337,
                "nonce": nonce,
                "maxPriorityFeePerGas": 10**9,
                "maxFeePerGas": 3 * 10**10,
                "gas": 21_000,
                "to": CUSTOMER_EVM,
                "value": 10**18,
            }
        )
