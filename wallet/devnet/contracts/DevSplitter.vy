# pragma version ~=0.4.3
# Pays ETH from inside a contract: transfers that no top-level transaction value shows.

@external
@payable
def split(receivers: DynArray[address, 32], amount: uint256):
    # Sends `amount` wei to each receiver.
    for receiver: address in receivers:
        raw_call(receiver, b"", value=amount)


@external
@payable
def pay_then_revert(receiver: address):
    # Only reached through `pay_in_vain`; the payment shows in a trace and never happened.
    raw_call(receiver, b"", value=msg.value)
    raise "undone"


@external
@payable
def pay_in_vain(receiver: address):
    # The inner call pays and reverts, the outer transaction succeeds.
    success: bool = raw_call(
        self,
        abi_encode(receiver, method_id=method_id("pay_then_revert(address)")),
        value=msg.value,
        revert_on_failure=False,
    )
    assert not success
