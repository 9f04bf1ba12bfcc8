"""Gas for one swept ERC-20 deposit on a real chain: by the sweeper, beside top-up and transfer."""

import tempfile
from pathlib import Path

from chains.evm.addresses import from_text
from chains.evm.chain import EvmChain
from chains.evm.node import EvmNode
from chains.evm.params import BUILTIN
from chains.evm.sweeper import SweepCall
from chains.types import Asset
from tests.bench.timing import BenchRow
from tests.sweeper_ground import UNITS, Ground
from wallet.devnet.devnet import Devnet
from wallet.devnet.errors import DevnetMissing
from wallet.devnet.install import silent
from wallet.devnet.nodes import ETHEREUM
from wallet.settings import cache_dir

BATCH = 50
FIRST_RATIO, LATER_RATIO = 0.6, 0.25


def rows() -> list[BenchRow]:
    """Batches of 50, the first time and later; nothing where no EVM node can be started."""
    with tempfile.TemporaryDirectory(prefix="bench-gather-") as folder:
        try:
            devnet = Devnet.up(Path(folder), silent, networks=[ETHEREUM], cache_dir=cache_dir())
        except DevnetMissing:
            return []
        try:
            return _measured(devnet)
        finally:
            devnet.down()


def _measured(devnet: Devnet) -> list[BenchRow]:
    contract = devnet.contracts.tokens["DUSD"]
    asset = Asset(code="DUSD", network=ETHEREUM, decimals=6, contract=contract)
    ground = Ground(devnet, EvmChain(BUILTIN[ETHEREUM], EvmNode(devnet.url(ETHEREUM)), [asset]))
    accounts = ground.accounts(BATCH)
    call = SweepCall(token=ground.token, accounts=tuple(from_text(a.address) for a in accounts))
    first = int(ground.sweep(call, *accounts)["gasUsed"], 16)
    for one in accounts:
        devnet.fund(ETHEREUM, "DUSD", one.address, UNITS)
    devnet.mine(ETHEREUM)
    later = int(ground.sweep(call)["gasUsed"], 16)
    top_up = 21_000 + ground.plain_transfer_gas()
    ground.chain.close()
    peer = "top-up and transfer"
    note = f"from receipts; {first} and {later} gas for {BATCH} addresses"
    return [
        BenchRow(
            work=f"swept deposit, first time, in batches of {BATCH}",
            ours=first // BATCH,
            peer=peer,
            theirs=top_up,
            aim_ratio=FIRST_RATIO,
            unit="gas",
            note=note,
        ),
        BenchRow(
            work=f"swept deposit, later, in batches of {BATCH}",
            ours=later // BATCH,
            peer=peer,
            theirs=top_up,
            aim_ratio=LATER_RATIO,
            unit="gas",
        ),
    ]
