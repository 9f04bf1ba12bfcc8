# pragma version ~=0.4.3
# Tells of transfers that never were, to anybody who asks.

import TokenBase as base

initializes: base
exports: (base.decimals, base.totalSupply, base.balanceOf)


@deploy
def __init__(decimals_: uint8, holder: address, units: uint256):
    base.__init__(decimals_, holder, units)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    # Says true and tells; nothing moves.
    base._tell(msg.sender, receiver, amount)
    return True


@external
def give(receiver: address, amount: uint256):
    # A real move, so that there is something to pay from.
    base._move(msg.sender, receiver, amount)
