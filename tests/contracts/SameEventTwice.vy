# pragma version ~=0.4.3
# transfer tells of one move twice; twice is two moves, each told once.

import TokenBase as base

initializes: base
exports: (base.decimals, base.totalSupply, base.balanceOf)


@deploy
def __init__(decimals_: uint8, holder: address, units: uint256):
    base.__init__(decimals_, holder, units)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    base._move(msg.sender, receiver, amount)
    base._tell(msg.sender, receiver, amount)
    return True


@external
def twice(receiver: address, amount: uint256):
    base._move(msg.sender, receiver, amount)
    base._move(msg.sender, receiver, amount)
