# pragma version ~=0.4.3
# pragma optimize gas
# What deposit addresses run (EIP-7702): all that they hold goes to the treasury, and nowhere else.
#
# No storage, no owner, no way to change it. Only the treasury starts it, so that money never moves
# without a transaction of ours that the books know; anybody else's call is undone.

interface Token:
    def balanceOf(holder: address) -> uint256: view

TREASURY: public(immutable(address))
SWEEPER: immutable(address)


@deploy
def __init__(treasury: address):
    assert treasury != empty(address), "no treasury"
    TREASURY = treasury
    SWEEPER = self


@external
@payable
def __default__():
    # Ether arrives as on an account without code, also with the 2,300 gas of a plain transfer.
    pass


@external
def sweep_many(token: address, accounts: DynArray[address, 100]):
    # What 1 to 100 deposit addresses hold of a token, or of ether for the zero address. One that
    # fails is passed over and keeps its money; the receipt and the balances show who moved what.
    assert self == SWEEPER and msg.sender == TREASURY, "not the treasury"
    order: Bytes[36] = abi_encode(token, method_id=method_id("sweep(address)"))
    for account: address in accounts:
        done: bool = raw_call(account, order, revert_on_failure=False)


@external
def sweep(token: address):
    # Runs as the deposit address, in whose name it can do no more than pay the treasury.
    assert msg.sender == SWEEPER, "not the sweeper"
    if token == empty(address):
        raw_call(TREASURY, b"", value=self.balance)
        return
    units: uint256 = staticcall Token(token).balanceOf(self, skip_contract_check=True)
    # Whatever a token answers, or nothing: balances say what moved.
    raw_call(
        token,
        abi_encode(TREASURY, units, method_id=method_id("transfer(address,uint256)")),
    )
