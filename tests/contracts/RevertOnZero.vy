# pragma version ~=0.4.3
# A transfer of nothing is refused.

import TokenBase as base

initializes: base
exports: (base.decimals, base.totalSupply, base.balanceOf)


@deploy
def __init__(decimals_: uint8, holder: address, units: uint256):
    base.__init__(decimals_, holder, units)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    assert amount > 0, "zero amount"
    base._move(msg.sender, receiver, amount)
    return True
