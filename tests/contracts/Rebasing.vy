# pragma version ~=0.4.3
# Balances are shares of a pool that grows and shrinks without any event.

GRAIN: constant(uint256) = 10**6

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

decimals: public(uint8)
shares: HashMap[address, uint256]
factor: uint256  # millionths of a unit that one share is worth


@deploy
def __init__(decimals_: uint8, holder: address, units: uint256):
    self.decimals = decimals_
    self.factor = GRAIN
    self.shares[holder] = units
    log Transfer(sender=empty(address), receiver=holder, amount=units)


@external
@view
def balanceOf(holder: address) -> uint256:
    return self.shares[holder] * self.factor // GRAIN


@external
def transfer(receiver: address, amount: uint256) -> bool:
    shares: uint256 = amount * GRAIN // self.factor
    self.shares[msg.sender] -= shares
    self.shares[receiver] += shares
    log Transfer(sender=msg.sender, receiver=receiver, amount=amount)
    return True


@external
def rebase(factor: uint256):
    # Every balance becomes another one, and no event tells.
    self.factor = factor
