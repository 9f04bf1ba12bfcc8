# pragma version ~=0.4.3
# Somebody may stop all transfers.

import TokenBase as base

initializes: base
exports: (base.decimals, base.totalSupply, base.balanceOf)

paused: public(bool)


@deploy
def __init__(decimals_: uint8, holder: address, units: uint256):
    base.__init__(decimals_, holder, units)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    assert not self.paused, "Pausable: paused"
    base._move(msg.sender, receiver, amount)
    return True


@external
def pause(paused: bool):
    self.paused = paused
