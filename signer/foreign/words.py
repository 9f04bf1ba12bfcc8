"""A foreign request in words, from its decoded bytes only; what it claims is shown as a claim."""

from collections.abc import Iterator, Mapping
from typing import Any

from chains.errors import CodecError
from chains.evm.abi import WORD
from chains.evm.addresses import checksum, from_text
from chains.evm.erc20 import decode_transfer
from chains.evm.legacy import UnsignedLegacyTx
from chains.evm.safe import SafeTx, SafeVault
from chains.evm.transactions import UnsignedTx
from chains.evm.typed_data import TypedData
from chains.hd import path_text
from chains.units import to_text
from signer.display import amount, grouped
from signer.errors import Refused
from signer.foreign.requests import Content, Foreign, PersonalMessage
from signer.guards.evm_calls import Call, decode_call
from signer.guards.facts import NetworkRules, Owner, PayeeFact, RegisteredVault
from signer.guards.safe_deeds import inner_deed
from signer.home import Home
from signer.lookalike import OwnAddresses, look_alikes
from signer.protocol import Purpose, check_words, clean

_SHOWN_ONLY = "SHOWN ONLY: signing takes a sealed request (SR1) with its intent and approvals"
_SAFE_TX_FIELDS = (
    "to", "value", "data", "operation", "safeTxGas", "baseGas", "gasPrice", "gasToken",
    "refundReceiver", "nonce",
)  # fmt: skip


def foreign_lines(foreign: Foreign, home: Home) -> list[str]:
    """One fact a line; warnings first."""
    content = foreign.content
    rules = _rules(content, home)
    lines = [_SHOWN_ONLY]
    if not isinstance(content, PersonalMessage):
        lines.append(f"chain {content.chain_id}: {rules.id if rules else 'NOT CONFIGURED HERE'}")
    match content:
        case TypedData():
            body, named = _typed_lines(content, home, rules), _addresses(content)
        case PersonalMessage():
            body, named = _message_lines(content), ()
        case _:
            body, named = _tx_lines(content, rules), _tx_addresses(content)
    if rules is not None:
        lines[1:1] = _warnings(named, rules, home)
    lines.extend(body)
    lines.append(f"signing hash {content.signing_hash.hex()}")
    lines.append(f"check words {check_words(content.signing_hash)}")
    if foreign.request is not None:
        request = foreign.request
        key = request.path.fingerprint
        claims = [f"key {path_text(request.path.steps)}" + (f" of {key.hex()}" if key else "")]
        claims += [f"account {checksum(request.address)}"] if request.address else []
        claims += [f"asked by {clean(request.origin)}"] if request.origin else []
        lines.append(f"claimed, not checked: {', '.join(claims)}")
    return lines


def _rules(content: Content, home: Home) -> NetworkRules | None:
    """The limits of the chain that the bytes name."""
    if isinstance(content, PersonalMessage):
        return None
    found = [one for one in home.networks.values() if one.chain_id == content.chain_id]
    return found[0] if found else None


def _warnings(named: tuple[bytes, ...], rules: NetworkRules, home: Home) -> list[str]:
    payees = [
        PayeeFact(intent_id="", address=checksum(each), units=0, owner=Owner.NONE) for each in named
    ]
    alarms = look_alikes(payees, rules.id, home, OwnAddresses())
    lines = []
    for alarm in alarms:
        lines.append(f"WARNING: {grouped(alarm.payee)} looks like a known address and is another:")
        lines.append(f"  known {grouped(alarm.known)}")
    return lines


def _typed_lines(content: TypedData, home: Home, rules: NetworkRules | None) -> list[str]:
    lines = [f"typed data {clean(content.primary_type)}"]
    for name, value in content.domain.items():
        lines.append(f"  domain {name} {_value(value)}")
    lines.append(f"domain hash {content.domain_hash.hex()}")
    lines.append(f"message hash {content.message_hash.hex()}")
    lines.extend(f"  {line}" for line in _tree(content.message))
    safe = _registered_safe(content, home)
    if safe is None:
        lines.append("NOT a transaction of a Safe registered here")
    elif rules is not None:
        lines.extend(_safe_lines(content, safe, rules))
    return lines


def _registered_safe(content: TypedData, home: Home) -> RegisteredVault | None:
    for entry in home.vaults.values():
        vault = entry.vault
        if isinstance(vault, SafeVault) and (vault.chain_id, vault.address) == (
            content.chain_id,
            content.verifying_contract,
        ):
            return entry
    return None


def _safe_lines(content: TypedData, entry: RegisteredVault, rules: NetworkRules) -> Iterator[str]:
    """What a Safe's owners would agree to, read as the guard of sealed requests reads it."""
    vault = entry.vault
    if not isinstance(vault, SafeVault):
        return
    yield f"Safe {entry.name} {grouped(checksum(vault.address))}, version {vault.version}"
    tx = safe_tx_of(content)
    if tx is None:
        yield "WARNING: not a SafeTx, yet in the name of this Safe: its owners never sign that here"
        return
    yield f"Safe transaction hash {tx.safe_tx_hash.hex()}, nonce {tx.nonce}"
    purpose = Purpose.GOVERNANCE if tx.to == tx.safe else Purpose.WITHDRAWAL
    try:
        deed = inner_deed(tx, vault, purpose, rules)
    except Refused as refusal:
        yield f"WOULD BE REFUSED: {refusal.code}: {clean(refusal.detail)}"
        return
    for call in deed.calls:
        yield from _call_lines(call, rules)
    yield from (clean(note) for note in deed.notes)
    if deed.governance is not None:
        yield "CHANGES THE SAFE ITSELF: takes the governance quorum"


def safe_tx_of(content: TypedData) -> SafeTx | None:
    """The SafeTx that typed data is; None unless both encodings give the same hash."""
    message = content.message
    if content.primary_type != "SafeTx" or set(message) != set(_SAFE_TX_FIELDS):
        return None
    try:
        tx = SafeTx(
            chain_id=content.chain_id,
            safe=content.verifying_contract,
            to=from_text(message["to"]),
            value_wei=int(message["value"]),
            data=bytes.fromhex(message["data"].removeprefix("0x")),
            operation=int(message["operation"]),
            safe_tx_gas=int(message["safeTxGas"]),
            base_gas=int(message["baseGas"]),
            gas_price_wei=int(message["gasPrice"]),
            gas_token=from_text(message["gasToken"]),
            refund_receiver=from_text(message["refundReceiver"]),
            nonce=int(message["nonce"]),
        )
    except (AttributeError, TypeError, ValueError):
        return None
    return tx if tx.safe_tx_hash == content.signing_hash else None


def _tx_lines(tx: UnsignedTx | UnsignedLegacyTx, rules: NetworkRules | None) -> list[str]:
    kind = "EIP-1559 transaction" if isinstance(tx, UnsignedTx) else "legacy transaction"
    lines = [f"{kind}, nonce {tx.nonce}, to {grouped(checksum(tx.to))}"]
    lines.append(f"  {tx.value_wei} wei, {len(tx.data)} bytes of calldata {tx.data.hex()}".rstrip())
    if rules is not None:
        try:
            lines.extend(_call_lines(decode_call(tx.to, tx.value_wei, tx.data, rules), rules))
        except Refused as refusal:
            lines.append(f"WOULD BE REFUSED: {refusal.code}: {clean(refusal.detail)}")
    fee_wei = tx.gas_limit * tx.max_fee_wei
    lines.append(
        f"fee at most {to_text(fee_wei, 18)} ({fee_wei} wei):"
        f" {tx.gas_limit} gas at {tx.max_fee_wei} wei"
    )
    return lines


def _call_lines(call: Call, rules: NetworkRules) -> Iterator[str]:
    yield f"pays {amount(call.units, rules, call.asset)}"
    yield f"  to {grouped(checksum(call.payee))}"
    if call.note:
        yield f"  {clean(call.note)}"


def _message_lines(message: PersonalMessage) -> list[str]:
    """The text line by line; bytes that are no text as hex."""
    lines = [f"personal message (EIP-191) of {len(message.content)} bytes"]
    if len(message.content) == WORD:
        lines.append("WARNING: 32 bytes: this may be the hash of anything")
    try:
        text = message.content.decode()
    except UnicodeDecodeError:
        return [*lines, f"  no text: {message.content.hex()}"]
    return [*lines, *(f"  | {clean(line)}" for line in text.split("\n"))]


def _tree(value: Any, name: str = "") -> Iterator[str]:
    """Every field of a message by its full name."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _tree(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        yield f"{clean(name)}: {len(value)} items"
        for place, inner in enumerate(value):
            yield from _tree(inner, f"{name}[{place}]")
    else:
        yield f"{clean(name)} {_value(value)}"


def _value(value: Any) -> str:
    """A value so that an eye can follow it and a terminal does not obey it."""
    text = str(value)
    return grouped(text) if _is_address(value) else clean(text)


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 42 and value.startswith("0x")


def _addresses(content: TypedData) -> tuple[bytes, ...]:
    """Every address in a document, the contract of its domain first."""

    def within(value: Any) -> Iterator[bytes]:
        if isinstance(value, Mapping):
            for inner in value.values():
                yield from within(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from within(inner)
        elif _is_address(value):
            yield bytes.fromhex(value[2:])

    tx = safe_tx_of(content)
    paid = _paid(tx.data) if tx is not None else ()
    return (content.verifying_contract, *within(content.message), *paid)


def _tx_addresses(tx: UnsignedTx | UnsignedLegacyTx) -> tuple[bytes, ...]:
    return (tx.to, *_paid(tx.data))


def _paid(data: bytes) -> tuple[bytes, ...]:
    """The payee of a token transfer, whoever's token it is."""
    try:
        return (decode_transfer(data)[0],)
    except CodecError:
        return ()
