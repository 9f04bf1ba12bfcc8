# pragma version ~=0.4.3
# Called back during a transfer: sends the receiver units of its own first, by the same token.

interface Token:
    def transfer(receiver: address, amount: uint256) -> bool: nonpayable

extra: immutable(uint256)


@deploy
def __init__(extra_: uint256):
    extra = extra_


@external
def tokens_coming(sender: address, receiver: address, amount: uint256):
    done: bool = extcall Token(msg.sender).transfer(receiver, extra)
    assert done
