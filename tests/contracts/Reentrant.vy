# pragma version ~=0.4.3
# Calls a registered hook in the middle of a transfer, as ERC-777 does, before balances change.

import TokenBase as base

initializes: base
exports: (base.decimals, base.totalSupply, base.balanceOf)

interface Hook:
    def tokens_coming(sender: address, receiver: address, amount: uint256): nonpayable

hooks: HashMap[address, address]


@deploy
def __init__(decimals_: uint8, holder: address, units: uint256):
    base.__init__(decimals_, holder, units)


@external
def register(hook: address):
    # Whoever receives units may have a contract called first.
    self.hooks[msg.sender] = hook


@external
def register_for(holder: address, hook: address):
    # For tests: a deposit address cannot call anything itself.
    self.hooks[holder] = hook


@external
def transfer(receiver: address, amount: uint256) -> bool:
    hook: address = self.hooks[receiver]
    if hook != empty(address) and hook != msg.sender:
        extcall Hook(hook).tokens_coming(msg.sender, receiver, amount)
    base._move(msg.sender, receiver, amount)
    return True
