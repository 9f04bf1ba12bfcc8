# pragma version ~=0.4.3
# transfer says false where others revert; nothing has moved then.

import TokenBase as base

initializes: base
exports: (base.decimals, base.totalSupply, base.balanceOf)

stopped: bool


@deploy
def __init__(decimals_: uint8, holder: address, units: uint256):
    base.__init__(decimals_, holder, units)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    if base.balanceOf[msg.sender] < amount or self.stopped:
        return False
    base._move(msg.sender, receiver, amount)
    return True


@external
def stop(stopped: bool):
    # From now on every transfer says false.
    self.stopped = stopped
