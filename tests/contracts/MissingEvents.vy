# pragma version ~=0.4.3
# transfer moves units and tells nobody.

import TokenBase as base

initializes: base
exports: (base.decimals, base.totalSupply, base.balanceOf)


@deploy
def __init__(decimals_: uint8, holder: address, units: uint256):
    base.__init__(decimals_, holder, units)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    base._shift(msg.sender, receiver, amount)
    return True
