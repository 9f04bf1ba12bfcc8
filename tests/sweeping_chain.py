"""The simulated EVM chain with the hot account's sweeper on it."""

from chains.evm.addresses import from_text
from chains.evm.params import BUILTIN
from chains.evm.sweeper import sweeper_address
from chains.simulated.evm import SimulatedEvmChain
from tests import evm_world
from tests.payments_world import DUSD, ETH, Keep

TREASURY = from_text(evm_world.HOT_KEY.address())
SWEEPER = sweeper_address(TREASURY)


def sweeping_keep() -> Keep:
    """What outlives a process, with the sweeper deployed."""
    chain = SimulatedEvmChain(params=BUILTIN[ETH], tokens=[DUSD])
    chain.history.contracts.sweepers[SWEEPER] = TREASURY
    return Keep(eth=chain)
