# pragma version ~=0.4.3
# Tells of transfers in the words of others: the standard's name of the event, nothing indexed.

import TokenBase as base

initializes: base
exports: (base.decimals, base.totalSupply, base.balanceOf)

TRANSFER: constant(bytes32) = keccak256("Transfer(address,address,uint256)")


@deploy
def __init__(decimals_: uint8, holder: address, units: uint256):
    base.__init__(decimals_, holder, units)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    base._shift(msg.sender, receiver, amount)
    raw_log([TRANSFER], abi_encode(msg.sender, receiver, amount))
    return True


@external
def give(receiver: address, amount: uint256):
    # A move told as it should be.
    base._move(msg.sender, receiver, amount)
