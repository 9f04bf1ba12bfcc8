# pragma version ~=0.4.3
# Some addresses may neither send nor receive, as with USDC and USDT.

import TokenBase as base

initializes: base
exports: (base.decimals, base.totalSupply, base.balanceOf)

blocked: public(HashMap[address, bool])


@deploy
def __init__(decimals_: uint8, holder: address, units: uint256):
    base.__init__(decimals_, holder, units)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    assert not self.blocked[msg.sender], "Blacklistable: sender is blocked"
    assert not self.blocked[receiver], "Blacklistable: receiver is blocked"
    base._move(msg.sender, receiver, amount)
    return True


@external
def block(holder: address, blocked: bool):
    self.blocked[holder] = blocked
