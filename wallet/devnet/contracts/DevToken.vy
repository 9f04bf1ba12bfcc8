# pragma version ~=0.4.3
# A plain ERC-20 for development chains: what deposits and withdrawals of listed tokens are tried on.

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    amount: uint256

name: public(String[32])
symbol: public(String[16])
decimals: public(immutable(uint8))
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])


@deploy
def __init__(
    name_: String[32],
    symbol_: String[16],
    decimals_: uint8,
    holders: DynArray[address, 16],
    units_each: uint256,
):
    self.name = name_
    self.symbol = symbol_
    decimals = decimals_
    for holder: address in holders:
        self.balanceOf[holder] += units_each
        self.totalSupply += units_each
        log Transfer(sender=empty(address), receiver=holder, amount=units_each)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    self._move(msg.sender, receiver, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, amount=amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    self.allowance[sender][msg.sender] -= amount
    self._move(sender, receiver, amount)
    return True


@external
def pay_many(receivers: DynArray[address, 32], amount: uint256):
    # Several Transfer logs in one transaction.
    for receiver: address in receivers:
        self._move(msg.sender, receiver, amount)


@internal
def _move(sender: address, receiver: address, amount: uint256):
    assert receiver != empty(address), "zero address"
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=sender, receiver=receiver, amount=amount)
