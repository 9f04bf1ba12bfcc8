# pragma version ~=0.4.3
# One unit in a hundred goes to a collector; the log tells the whole amount all the same.

import TokenBase as base

initializes: base
exports: (base.decimals, base.totalSupply, base.balanceOf)

COLLECTOR: constant(address) = 0x000000000000000000000000000000000000Fee5


@deploy
def __init__(decimals_: uint8, holder: address, units: uint256):
    base.__init__(decimals_, holder, units)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    fee: uint256 = amount // 100
    base._shift(msg.sender, receiver, amount - fee)
    base._shift(msg.sender, COLLECTOR, fee)
    base._tell(msg.sender, receiver, amount)
    return True
