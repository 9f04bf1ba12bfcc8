# pragma version ~=0.4.3
# transfer returns nothing, as USDT's on Ethereum does.

import TokenBase as base

initializes: base
exports: (base.decimals, base.totalSupply, base.balanceOf)


@deploy
def __init__(decimals_: uint8, holder: address, units: uint256):
    base.__init__(decimals_, holder, units)


@external
def transfer(receiver: address, amount: uint256):
    base._move(msg.sender, receiver, amount)
