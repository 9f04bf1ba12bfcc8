"""A SafeTx as EIP-712 typed data: a second way to its hash, and the only typed data we sign."""

from chains.errors import CodecError
from chains.evm.addresses import checksum, from_text
from chains.evm.safe import SafeTx
from chains.evm.typed_data import DOMAIN, TypedData, Types

SAFE_TYPES: Types = {
    DOMAIN: (("chainId", "uint256"), ("verifyingContract", "address")),
    "SafeTx": (
        ("to", "address"),
        ("value", "uint256"),
        ("data", "bytes"),
        ("operation", "uint8"),
        ("safeTxGas", "uint256"),
        ("baseGas", "uint256"),
        ("gasPrice", "uint256"),
        ("gasToken", "address"),
        ("refundReceiver", "address"),
        ("nonce", "uint256"),
    ),
}
"""The types exactly as the contract spells them."""


class NotSafeTx(CodecError):
    """Typed data of other types: a permit, an order, a login. None of it is ever signed."""

    code = "typed_data.not_safe_tx"


def typed_data_of(tx: SafeTx) -> TypedData:
    """A SafeTx as typed data. Raises CodecError."""
    return TypedData(
        types=SAFE_TYPES,
        primary_type="SafeTx",
        domain={"chainId": tx.chain_id, "verifyingContract": checksum(tx.safe)},
        message={
            "to": checksum(tx.to),
            "value": tx.value_wei,
            "data": "0x" + tx.data.hex(),
            "operation": tx.operation,
            "safeTxGas": tx.safe_tx_gas,
            "baseGas": tx.base_gas,
            "gasPrice": tx.gas_price_wei,
            "gasToken": checksum(tx.gas_token),
            "refundReceiver": checksum(tx.refund_receiver),
            "nonce": tx.nonce,
        },
    )


def safe_tx_of(typed: TypedData) -> SafeTx:
    """The SafeTx that typed data is. Raises NotSafeTx for every other type set."""
    if typed.types != SAFE_TYPES or typed.primary_type != "SafeTx":
        raise NotSafeTx(f"got typed data {typed.primary_type[:64]!r}, expected exactly a SafeTx")
    message = typed.message
    return SafeTx(
        chain_id=typed.chain_id,
        safe=typed.verifying_contract,
        to=from_text(message["to"]),
        value_wei=int(message["value"]),
        data=bytes.fromhex(message["data"][2:]),
        operation=int(message["operation"]),
        safe_tx_gas=int(message["safeTxGas"]),
        base_gas=int(message["baseGas"]),
        gas_price_wei=int(message["gasPrice"]),
        gas_token=from_text(message["gasToken"]),
        refund_receiver=from_text(message["refundReceiver"]),
        nonce=int(message["nonce"]),
    )
