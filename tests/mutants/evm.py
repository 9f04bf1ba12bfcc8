"""Mutants of EVM transactions and Safe transactions, the replicas of large thefts among them."""

from collections.abc import Callable
from dataclasses import replace

from chains.evm import erc20
from chains.evm.safe import SafeTx
from chains.evm.transactions import UnsignedTx
from signer.guards.evm_calls import DENIED_SELECTORS
from signer.protocol import Kind, Payee, Purpose, SignRequest
from tests.mutants.bench import (
    DUSD,
    ETHER,
    GWEI,
    Bench,
    Change,
    Mutant,
    carried_refill,
    ether_payment,
    ether_tx,
    owners_signed,
    payment,
    safe_refill,
    safe_tx,
    token_payment,
)
from tests.signer_world import CUSTOMER_EVM

CUSTOMER = bytes.fromhex(CUSTOMER_EVM[2:])
THIEF = b"\x66" * 20
LOOK_ALIKE = CUSTOMER[:2] + b"\x66" * 16 + CUSTOMER[-2:]
NEW_SINGLETON = b"\x96" * 20

SELF_CALLS = {
    "addOwnerWithThreshold": "0d582f13",
    "removeOwner": "f8dc5dd9",
    "swapOwner": "e318b52b",
    "changeThreshold": "694e80c3",
    "enableModule": "610b5925",
    "disableModule": "e009cfde",
    "setGuard": "e19a9dd9",
    "setModuleGuard": "e068df37",
    "setFallbackHandler": "f08a0323",
}
"""Calls by which a Safe changes itself."""


def tx(**changes: object) -> Change:
    """Change fields of the transaction."""

    def change(_bench: Bench, request: SignRequest) -> SignRequest:
        decoded = UnsignedTx.decode(request.payload)
        return replace(request, payload=replace(decoded, **changes).encode())  # type: ignore[arg-type]

    return change


def safe(make: Callable[[SafeTx], SafeTx]) -> Change:
    """Change the Safe transaction."""
    return lambda bench, request: replace(request, payload=make(safe_tx(bench)).encode())


def carried(make: Callable[[SafeTx], SafeTx], owners: int = 2) -> Change:
    """Change the Safe transaction that the hot account carries; its owners sign the changed one."""

    def change(bench: Bench, request: SignRequest) -> SignRequest:
        inner = make(safe_tx(bench))
        call = inner.execution_calldata(owners_signed(inner, owners))
        return tx(data=call)(bench, request)

    return change


def raw(data: bytes) -> Change:
    """Other bytes in place of the transaction."""
    return lambda bench, request: replace(request, payload=data)


def intent(**changes: object) -> Change:
    """Change what the request says was asked for."""
    return lambda bench, request: replace(
        request,
        intents=(replace(request.intents[0], **changes),),  # type: ignore[arg-type]
    )


def token_call(selector: bytes) -> Change:
    return tx(data=selector + erc20.transfer_calldata(THIEF, 5_000_000)[4:])


def token_refill(bench: Bench, request: SignRequest) -> SignRequest:
    """Well formed and to ourselves, but of an asset whose policy names withdrawals only."""
    hot = bench.hot.vaults["ethereum-hot"].vault
    inner = replace(
        safe_tx(bench), to=DUSD, value_wei=0, data=erc20.transfer_calldata(hot.address, 5)
    )
    payees = (Payee(address=hot.address_text(0), units=5),)
    changed = intent(asset="DUSD", payees=payees)(bench, request)
    return replace(changed, payload=inner.encode())


def small_ether_payment(bench: Bench, request: SignRequest) -> SignRequest:
    """0.001 ETH paid at a fee of up to 0.00063 ETH."""
    payees = (Payee(address=CUSTOMER_EVM, units=ETHER // 1000),)
    return tx(value_wei=ETHER // 1000)(bench, intent(payees=payees)(bench, request))


def earlier_payment(bench: Bench, request: SignRequest) -> SignRequest:
    return ether_payment(bench, "earlier")


EVM_MUTANTS = (
    Mutant(
        name="a transaction for another chain",
        proves=("19", "20"),
        base=ether_payment,
        change=tx(chain_id=1),
        code="evm.wrong_chain",
    ),
    Mutant(
        name="a payment whose intent approves bytes too",
        proves=("16",),
        base=payment,
        change=intent(call=b"\x01"),
        code="intent.call",
    ),
    Mutant(
        name="another payee than approved",
        proves=("16",),
        base=ether_payment,
        change=tx(to=THIEF),
        code="payees.mismatch",
    ),
    Mutant(
        name="a look-alike of the payee, as in address poisoning",
        proves=("22",),
        base=ether_payment,
        change=tx(to=LOOK_ALIKE),
        code="payees.mismatch",
    ),
    Mutant(
        name="one wei more than approved",
        proves=("16",),
        base=ether_payment,
        change=tx(value_wei=ETHER + 1),
        code="payees.mismatch",
    ),
    Mutant(
        name="one payment for two approved payees",
        proves=("16",),
        base=ether_payment,
        change=intent(payees=tuple(Payee(address=CUSTOMER_EVM, units=ETHER // 2) for _ in "ab")),
        code="intent.count",
    ),
    Mutant(
        name="a payment to nobody",
        proves=("11",),
        base=ether_payment,
        change=tx(to=bytes(20)),
        code="evm.zero_payee",
    ),
    Mutant(
        name="a payment to a token's contract",
        proves=("11",),
        base=ether_payment,
        change=tx(to=DUSD),
        code="evm.token_contract_payee",
    ),
    Mutant(
        name="calldata beside a plain payment",
        proves=("11", "16"),
        base=ether_payment,
        change=tx(data=b"\x12\x34\x56\x78"),
        code="evm.unknown_selector",
    ),
    Mutant(
        name="a hash in place of a transaction",
        proves=("10",),
        base=ether_payment,
        change=raw(b"\x66" * 32),
        code="evm.unknown_type",
    ),
    *(
        Mutant(name=name, proves=("10", "25"), base=ether_payment, change=raw(data), code=code)
        for name, data, code in (
            ("a blob transaction", b"\x03\xc0", "evm.blob"),
            ("a set-code transaction (EIP-7702)", b"\x04\xc0", "evm.set_code"),
            ("a bare EIP-7702 authorisation", b"\x05\xc0", "evm.unknown_type"),
            ("typed data (EIP-712)", b"\x19\x01" + bytes(64), "evm.unknown_type"),
            ("a legacy transaction", b"\xc0", "evm.legacy"),
            ("bytes behind the transaction", ether_tx().encode() + b"\x00", "evm.malformed"),
        )
    ),
    *(
        Mutant(
            name=f"a token call that gives control away: {code.partition('.')[2]}",
            proves=("11", "16"),
            base=token_payment,
            change=token_call(selector),
            code=code,
        )
        for selector, (code, _) in DENIED_SELECTORS.items()
    ),
    Mutant(
        name="a token call that nobody knows",
        proves=("11", "16"),
        base=token_payment,
        change=token_call(bytes.fromhex("40c10f19")),
        code="evm.unknown_selector",
    ),
    Mutant(
        name="a token of the same name at another contract",
        proves=("16", "18"),
        base=token_payment,
        change=tx(to=THIEF),
        code="evm.unlisted_token",
    ),
    Mutant(
        name="ether beside a token payment",
        proves=("11",),
        base=token_payment,
        change=tx(value_wei=1),
        code="evm.value_with_token",
    ),
    Mutant(
        name="bytes behind a token call",
        proves=("11",),
        base=token_payment,
        change=tx(data=erc20.transfer_calldata(CUSTOMER, 5_000_000) + b"\x00"),
        code="evm.calldata",
    ),
    Mutant(
        name="another asset than approved",
        proves=("16",),
        base=token_payment,
        change=intent(asset="ETH"),
        code="intent.asset",
    ),
    Mutant(
        name="more gas than the limit",
        proves=("21",),
        base=ether_payment,
        change=tx(gas_limit=500_001, max_fee_wei=GWEI),
        code="fee.gas_limit",
    ),
    Mutant(
        name="a fee per gas above the cap",
        proves=("21",),
        base=ether_payment,
        change=tx(max_fee_wei=200 * GWEI + 1),
        code="fee.rate",
    ),
    Mutant(
        name="gas times price above the cap",
        proves=("21",),
        base=ether_payment,
        change=tx(gas_limit=400_000, max_fee_wei=100 * GWEI),
        code="fee.absolute",
    ),
    Mutant(
        name="a fee above the approved one, on the chain",
        proves=("21",),
        base=ether_payment,
        change=intent(fee_units_max=1),
        code="fee.intent",
    ),
    Mutant(
        name="a fee out of proportion to the payment, on the chain",
        proves=("21",),
        base=ether_payment,
        change=small_ether_payment,
        code="fee.share",
    ),
    Mutant(
        name="a refill called for from the hot account",
        proves=("16",),
        base=ether_payment,
        change=intent(purpose=Purpose.REFILL),
        code="purpose.wrong_source",
    ),
    Mutant(
        name="a nonce used before by this account, for another payment",
        proves=("13", "17"),
        base=token_payment,
        first=(earlier_payment,),
        code="nonce.used",
    ),
    Mutant(
        name="a nonce used before by this account, at the same fee",
        proves=("13", "17"),
        base=ether_payment,
        first=(earlier_payment,),
        code="nonce.replacement_fee",
    ),
    Mutant(
        name="a nonce far ahead, to be kept for later",
        proves=("17",),
        base=ether_payment,
        first=(earlier_payment,),
        change=tx(nonce=14),
        code="nonce.gap",
    ),
    Mutant(
        name="a sender that the origin does not derive",
        proves=("6", "16"),
        base=ether_payment,
        change=lambda bench, request: replace(
            request,
            sender=replace(request.sender, address=CUSTOMER_EVM) if request.sender else None,
        ),
        code="sender.mismatch",
    ),
    # the Safe: what people sign is decoded here, never believed from another screen
    Mutant(
        name="the Bybit theft: a delegatecall that replaces the Safe's code",
        proves=("15",),
        base=safe_refill,
        change=safe(
            lambda tx: replace(
                tx,
                to=NEW_SINGLETON,
                value_wei=0,
                operation=1,
                data=erc20.transfer_calldata(NEW_SINGLETON, 0),
            )
        ),
        code="safe.delegatecall",
    ),
    Mutant(
        name="the Bybit theft, carried by the hot account",
        proves=("15",),
        base=carried_refill,
        change=carried(lambda tx: replace(tx, operation=1)),
        code="safe.delegatecall",
    ),
    Mutant(
        name="the WazirX theft: an upgrade behind a token payment",
        proves=("15", "16"),
        base=safe_refill,
        change=safe(
            lambda tx: replace(
                tx, to=DUSD, value_wei=0, data=bytes.fromhex("3659cfe6") + bytes(12) + THIEF
            )
        ),
        code="evm.unknown_selector",
    ),
    Mutant(
        name="the Radiant theft: transferOwnership behind a routine payment",
        proves=("16",),
        base=safe_refill,
        change=safe(
            lambda tx: replace(
                tx, to=THIEF, value_wei=0, data=bytes.fromhex("f2fde38b") + bytes(12) + THIEF
            )
        ),
        code="evm.unknown_selector",
    ),
    Mutant(
        name="a Safe payment to another payee",
        proves=("16",),
        base=safe_refill,
        change=safe(lambda tx: replace(tx, to=THIEF)),
        code="payees.mismatch",
    ),
    *(
        Mutant(
            name=f"the Safe made to change itself: {call}",
            proves=("15", "18"),
            base=safe_refill,
            change=safe(
                lambda tx, selector=selector: replace(  # type: ignore[misc]
                    tx, to=tx.safe, value_wei=0, data=bytes.fromhex(selector) + bytes(64)
                )
            ),
            code="safe.self_call",
        )
        for call, selector in SELF_CALLS.items()
    ),
    Mutant(
        name="gas repaid to a relayer",
        proves=("15", "21"),
        base=safe_refill,
        change=safe(lambda tx: replace(tx, gas_price_wei=1)),
        code="safe.gas",
    ),
    Mutant(
        name="a refund to a stranger",
        proves=("15", "21"),
        base=safe_refill,
        change=safe(lambda tx: replace(tx, refund_receiver=THIEF)),
        code="safe.refund",
    ),
    Mutant(
        name="a Safe transaction for another chain",
        proves=("19",),
        base=safe_refill,
        change=safe(lambda tx: replace(tx, chain_id=1)),
        code="evm.wrong_chain",
    ),
    Mutant(
        name="a Safe transaction of another Safe",
        proves=("18", "19"),
        base=safe_refill,
        change=safe(lambda tx: replace(tx, safe=THIEF)),
        code="safe.wrong_safe",
    ),
    Mutant(
        name="a Safe that nobody registered, carried",
        proves=("18",),
        base=carried_refill,
        change=tx(to=THIEF),
        code="safe.unregistered",
    ),
    Mutant(
        name="ether sent beside a carried call",
        proves=("11",),
        base=carried_refill,
        change=tx(value_wei=1),
        code="safe.value",
    ),
    Mutant(
        name="fewer signatures than the Safe needs",
        proves=("16",),
        base=carried_refill,
        change=carried(lambda tx: tx, owners=1),
        code="safe.signatures",
    ),
    Mutant(
        name="a carried call of another shape",
        proves=("25",),
        base=carried_refill,
        change=tx(data=bytes.fromhex("6a761202")),
        code="safe.malformed",
    ),
    Mutant(
        name="bytes behind a Safe transaction",
        proves=("25",),
        base=safe_refill,
        change=lambda bench, request: replace(request, payload=request.payload + bytes(32)),
        code="safe.malformed",
    ),
    Mutant(
        name="a Safe's hash in place of its transaction",
        proves=("10",),
        base=safe_refill,
        change=lambda bench, request: replace(request, payload=safe_tx(bench).safe_tx_hash),
        code="safe.malformed",
    ),
    Mutant(
        name="a purpose that no rule of the policy names",
        proves=("17",),
        base=safe_refill,
        change=token_refill,
        code="policy.default.no_rule",
    ),
    Mutant(
        name="a Safe transaction in place of a PSBT",
        proves=("10", "20"),
        base=payment,
        change=lambda bench, request: replace(request, kind=Kind.SAFE_TX),
        code="request.kind",
    ),
)
