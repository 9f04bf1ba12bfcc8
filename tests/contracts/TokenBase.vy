# pragma version ~=0.4.3
# What every odd token shares: holders, decimals, and one honest way to move units.

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

decimals: public(uint8)
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])


@deploy
def __init__(decimals_: uint8, holder: address, units: uint256):
    self.decimals = decimals_
    self.balanceOf[holder] = units
    self.totalSupply = units
    log Transfer(sender=empty(address), receiver=holder, amount=units)


@internal
def _shift(sender: address, receiver: address, amount: uint256):
    # Moves units and tells nobody.
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount


@internal
def _tell(sender: address, receiver: address, amount: uint256):
    # Tells of a move, whether or not there was one.
    log Transfer(sender=sender, receiver=receiver, amount=amount)


@internal
def _move(sender: address, receiver: address, amount: uint256):
    self._shift(sender, receiver, amount)
    self._tell(sender, receiver, amount)
