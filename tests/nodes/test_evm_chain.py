"""The EVM adapter on a real node: scanning, balances, broadcast, sightings, reorgs, Safe."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import pytest
from eth_abi.abi import encode
from eth_account import Account

from chains.errors import (
    BroadcastUnknown,
    NodeUnavailable,
    TokenContractPayee,
    UnexpectedAnswer,
)
from chains.evm.addresses import checksum, from_text
from chains.evm.authorizations import Authorization
from chains.evm.chain import EvmChain
from chains.evm.erc20 import transfer_calldata
from chains.evm.legacy import UnsignedLegacyTx
from chains.evm.multisend import MultiSendItem, multisend_calldata
from chains.evm.node import EvmNode, RpcRefused
from chains.evm.params import BUILTIN, params_from
from chains.evm.safe import SafeTx, SafeVault
from chains.evm.safe_contracts import RELEASES
from chains.evm.safe_governance import SENTINEL, GovernanceCall, SelfCall
from chains.evm.safe_signatures import pack_signatures
from chains.evm.safe_state import check_safe, read_safe
from chains.evm.safe_typed_data import typed_data_of
from chains.evm.scan import EvidenceMode
from chains.evm.transactions import SignedTx, UnsignedTx
from chains.types import (
    Asset,
    BroadcastOutcome,
    Evidence,
    Inflow,
    OutPoint,
    TxState,
)
from wallet.devnet.devnet import Devnet
from wallet.devnet.nodes import ETHEREUM

ETHER = 10**18
GWEI = 10**9


@dataclass(frozen=True)
class Watching:
    """A fixed set of addresses."""

    targets: frozenset[bytes]
    outpoints: frozenset[OutPoint] = field(default_factory=frozenset)


def tokens(devnet: Devnet) -> tuple[Asset, ...]:
    decimals = {"DUSD": 6, "DGLD": 18}
    return tuple(
        Asset(code=code, network=ETHEREUM, decimals=decimals[code], contract=contract)
        for code, contract in devnet.contracts.tokens.items()
    )


@pytest.fixture
def chain(devnet: Devnet) -> Iterator[EvmChain]:
    adapter = EvmChain(BUILTIN[ETHEREUM], EvmNode(devnet.url(ETHEREUM)), tokens(devnet))
    yield adapter
    adapter.close()


def a_person() -> tuple[bytes, str]:
    """A fresh key and its address."""
    account = Account.create()
    return bytes(account.key), str(account.address)


def scan_top(chain: EvmChain, *watched: str) -> tuple[Inflow, ...]:
    targets = frozenset(from_text(address) for address in watched)
    found = chain.scan(chain.tip(), Watching(targets))
    assert () == found.spends
    return found.inflows


def signed_by(key: bytes, tx: UnsignedTx) -> SignedTx:
    return tx.with_signature(bytes(Account.unsafe_sign_hash(tx.signing_hash, key).signature))


def payment(chain: EvmChain, sender: str, to: str, value_wei: int, **changes: object) -> UnsignedTx:
    fees = chain.fees()
    fields: dict[str, object] = {
        "chain_id": 31337,
        "nonce": chain.nonce(from_text(sender)),
        "priority_fee_wei": fees.priority_fee_wei,
        "max_fee_wei": fees.max_fee_wei,
        "gas_limit": 21_000,
        "to": from_text(to),
        "value_wei": value_wei,
    }
    return UnsignedTx(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_block_is_named_by_its_hash(chain: EvmChain, devnet: Devnet) -> None:
    devnet.mine(ETHEREUM)

    tip = chain.tip()

    assert tip == chain.block_at(tip.height)
    assert chain.block_at(tip.height - 1).hash == tip.parent
    with pytest.raises(NodeUnavailable):
        chain.block_at(tip.height + 1)
    with pytest.raises(NodeUnavailable):
        chain.scan(replace(tip, hash="12" * 32), Watching(frozenset()))
    with pytest.raises(UnexpectedAnswer):
        chain.scan(replace(tip, parent="12" * 32), Watching(frozenset()))


def test_ether_and_tokens_are_found(chain: EvmChain, devnet: Devnet) -> None:
    _, address = a_person()
    ether = devnet.fund(ETHEREUM, "ETH", address, 3 * ETHER)
    dollars = devnet.fund(ETHEREUM, "DUSD", address, 25_000_000)
    devnet.mine(ETHEREUM)

    found = {inflow.txid: inflow for inflow in scan_top(chain, address)}

    assert {ether, dollars} == set(found)
    first, second = found[ether], found[dollars]
    assert ("ETH", "tx", 3 * ETHER, Evidence.TRANSACTION) == (
        first.asset,
        first.position,
        first.units,
        first.evidence,
    )
    assert ("DUSD", "log:0", 25_000_000, Evidence.LOG) == (
        second.asset,
        second.position,
        second.units,
        second.evidence,
    )
    tip = chain.tip()
    assert 25_000_000 == chain.balance_units(from_text(address), "DUSD", tip)
    assert 3 * ETHER == chain.balance_units(from_text(address), "ETH", tip)
    assert 0 == chain.balance_units(from_text(address), "ETH", chain.block_at(tip.height - 1))


def test_ether_from_inside_a_contract_is_found(chain: EvmChain, devnet: Devnet) -> None:
    (_, first), (_, second) = a_person(), a_person()
    txid = devnet.fund_from_contract([first, second, first], ETHER)
    devnet.mine(ETHEREUM)

    found = scan_top(chain, first, second)

    assert EvidenceMode.CALL_TRACER is chain.evidence_mode
    assert [(txid, Evidence.TRACE, ETHER)] * 3 == [(i.txid, i.evidence, i.units) for i in found]
    assert ["trace:0", "trace:1", "trace:2"] == [inflow.position for inflow in found]
    assert [first, second, first] == [checksum(inflow.target) for inflow in found]


def test_a_payment_that_was_undone_is_not_found(chain: EvmChain, devnet: Devnet) -> None:
    _, address = a_person()
    devnet.fund_in_vain(address, ETHER)
    devnet.mine(ETHEREUM)

    assert () == scan_top(chain, address)


class WithoutTraces(EvmNode):
    """The real node, as if it offered fewer methods."""

    missing: frozenset[str] = frozenset()

    def call(self, method: str, *params: object) -> object:
        if method in self.missing:
            return super().call(f"{method}_missing", *params)
        return super().call(method, *params)


def lesser_chain(devnet: Devnet, *missing: str, watch: str = "") -> EvmChain:
    node = WithoutTraces(devnet.url(ETHEREUM))
    node.missing = frozenset(missing)
    targets = [from_text(watch)] if watch else []
    return EvmChain(BUILTIN[ETHEREUM], node, tokens(devnet), (lambda: targets) if watch else None)


def test_trace_block_finds_the_same(devnet: Devnet) -> None:
    (_, first), (_, second) = a_person(), a_person()
    chain = lesser_chain(devnet, "debug_traceBlockByHash")
    devnet.fund_from_contract([first, second], ETHER)
    devnet.fund_in_vain(first, ETHER)
    devnet.mine(ETHEREUM)

    found = scan_top(chain, first, second)

    assert EvidenceMode.TRACE_BLOCK is chain.evidence_mode
    assert [("trace:0", first), ("trace:1", second)] == [
        (inflow.position, checksum(inflow.target)) for inflow in found
    ]
    chain.close()


def test_balance_deltas_find_the_same(devnet: Devnet) -> None:
    key, address = a_person()
    chain = lesser_chain(devnet, "debug_traceBlockByHash", "trace_block", watch=address)
    devnet.fund(ETHEREUM, "ETH", address, ETHER)
    devnet.mine(ETHEREUM)
    assert [Evidence.TRANSACTION] == [inflow.evidence for inflow in scan_top(chain, address)]

    devnet.fund_from_contract([address, address], 2 * ETHER)
    devnet.fund(ETHEREUM, "ETH", address, ETHER)
    spend = signed_by(key, payment(chain, address, a_person()[1], ETHER // 2))
    chain.broadcast(spend.raw)
    devnet.mine(ETHEREUM)
    found = {inflow.evidence: inflow for inflow in scan_top(chain, address)}

    assert EvidenceMode.BALANCE_DELTA is chain.evidence_mode
    assert {Evidence.TRANSACTION, Evidence.BALANCE_DELTA} == set(found)
    assert 4 * ETHER == found[Evidence.BALANCE_DELTA].units
    assert "0x" + chain.tip().hash == found[Evidence.BALANCE_DELTA].txid
    chain.close()


def test_a_node_without_any_evidence_is_refused(devnet: Devnet) -> None:
    chain = lesser_chain(devnet, "debug_traceBlockByHash", "trace_block")

    with pytest.raises(UnexpectedAnswer):
        chain.tip()
    chain.close()


def test_a_payment_from_signing_to_confirmation(chain: EvmChain, devnet: Devnet) -> None:
    (key, sender), (_, payee) = a_person(), a_person()
    devnet.fund(ETHEREUM, "ETH", sender, 2 * ETHER)
    devnet.mine(ETHEREUM)
    signed = signed_by(key, payment(chain, sender, payee, ETHER))
    assert checksum(signed.sender) == sender

    assert TxState.UNKNOWN is chain.sighting(signed.txid).state
    assert BroadcastOutcome.ACCEPTED is chain.broadcast(signed.raw).outcome
    assert BroadcastOutcome.ALREADY_KNOWN is chain.broadcast(signed.raw).outcome
    assert TxState.MEMPOOL is chain.sighting(signed.txid).state
    assert 1 == chain.nonce(from_text(sender), pending=True)
    devnet.mine(ETHEREUM)
    sighting = chain.sighting(signed.txid)

    assert (TxState.MINED, True, chain.tip()) == (
        sighting.state,
        sighting.succeeded,
        sighting.block,
    )
    assert sighting.fee_units is not None
    held = chain.balance_units(from_text(sender), "ETH", chain.tip())
    assert ETHER - sighting.fee_units == held
    assert BroadcastOutcome.ALREADY_KNOWN is chain.broadcast(signed.raw).outcome
    assert 1 == chain.nonce(from_text(sender))


def test_refusals_have_reasons(chain: EvmChain, devnet: Devnet) -> None:
    (key, sender), (_, payee) = a_person(), a_person()
    devnet.fund(ETHEREUM, "ETH", sender, 2 * ETHER)
    devnet.mine(ETHEREUM)
    chain.broadcast(signed_by(key, payment(chain, sender, payee, 1)).raw)
    devnet.mine(ETHEREUM)

    def reason(**changes: object) -> str:
        value = changes.pop("value_wei", 1)
        tx = payment(chain, sender, payee, value, **changes)  # type: ignore[arg-type]
        answer = chain.broadcast(signed_by(key, tx).raw)
        assert BroadcastOutcome.REJECTED is answer.outcome, answer
        return answer.reason

    assert "nonce_too_low" == reason(nonce=0, value_wei=2)
    assert "insufficient_funds" == reason(value_wei=3 * ETHER)
    assert "gas_too_low" == reason(gas_limit=20_000)
    assert "gas_too_high" == reason(gas_limit=2**40, max_fee_wei=1, priority_fee_wei=1)
    assert "fee_too_low" == reason(max_fee_wei=1, priority_fee_wei=1)
    chain.broadcast(signed_by(key, payment(chain, sender, payee, 5)).raw)
    assert "replacement_fee" == reason(value_wei=6)
    devnet.mine(ETHEREUM)


def test_a_reverted_transaction_takes_gas_and_moves_nothing(
    chain: EvmChain, devnet: Devnet
) -> None:
    (key, sender), (_, payee) = a_person(), a_person()
    devnet.fund(ETHEREUM, "ETH", sender, ETHER)
    devnet.mine(ETHEREUM)
    data = transfer_calldata(from_text(payee), 5)
    contract = devnet.contracts.tokens["DUSD"]
    with pytest.raises(RpcRefused):
        chain.estimate_gas(from_text(sender), from_text(contract), 0, data)
    signed = signed_by(key, payment(chain, sender, contract, 0, data=data, gas_limit=90_000))
    chain.broadcast(signed.raw)
    devnet.mine(ETHEREUM)

    sighting = chain.sighting(signed.txid)

    assert (TxState.MINED, False) == (sighting.state, sighting.succeeded)
    assert sighting.fee_units
    assert () == scan_top(chain, payee)


def test_a_reorg_takes_a_deposit_away_and_another_stays(chain: EvmChain, devnet: Devnet) -> None:
    _, address = a_person()
    gone = devnet.fund(ETHEREUM, "ETH", address, ETHER)
    stays = devnet.fund(ETHEREUM, "DGLD", address, 7 * ETHER)
    devnet.mine(ETHEREUM)
    before = chain.tip()
    assert {gone, stays} == {inflow.txid for inflow in scan_top(chain, address)}

    devnet.reorg(ETHEREUM, 1, [gone])

    after = chain.block_at(before.height)
    assert before.hash != after.hash
    assert before.parent == after.parent
    found = chain.scan(after, Watching(frozenset({from_text(address)}))).inflows
    assert [(stays, "log:0")] == [(inflow.txid, inflow.position) for inflow in found]
    assert TxState.MINED is not chain.sighting(gone).state
    with pytest.raises(NodeUnavailable):
        chain.scan(before, Watching(frozenset()))


def test_a_token_contract_is_no_payee(chain: EvmChain, devnet: Devnet) -> None:
    with pytest.raises(TokenContractPayee):
        chain.destination(devnet.contracts.tokens["DUSD"])


@pytest.mark.parametrize(
    "changes", [{"decimals": 18}, {"contract": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}]
)
def test_tokens_that_differ_from_the_configuration_stop_everything(
    devnet: Devnet, changes: Mapping[str, object]
) -> None:
    dusd = replace(tokens(devnet)[0], **changes)  # type: ignore[arg-type]
    chain = EvmChain(BUILTIN[ETHEREUM], EvmNode(devnet.url(ETHEREUM)), [dusd])

    with pytest.raises(UnexpectedAnswer):
        chain.tip()
    chain.close()


def test_another_chain_by_configuration_alone(devnet: Devnet) -> None:
    params = params_from({"id": "further", "chain_id": 31337, "native": "FUR"})
    chain = EvmChain(params, EvmNode(devnet.url(ETHEREUM)))
    _, address = a_person()
    devnet.fund(ETHEREUM, "ETH", address, ETHER)
    devnet.mine(ETHEREUM)

    assert [("FUR", ETHER)] == [(i.asset, i.units) for i in scan_top(chain, address)]
    chain.close()


def test_the_wrong_chain_is_refused(devnet: Devnet) -> None:
    chain = EvmChain(BUILTIN["ethereum"], EvmNode(devnet.url(ETHEREUM)))

    with pytest.raises(UnexpectedAnswer):
        chain.nonce(b"\x01" * 20)
    chain.close()


def test_a_node_that_is_gone() -> None:
    chain = EvmChain(BUILTIN[ETHEREUM], EvmNode("http://127.0.0.1:1/secret"))

    with pytest.raises(NodeUnavailable) as caught:
        chain.tip()
    with pytest.raises(BroadcastUnknown):
        chain.broadcast(b"\x02")
    assert "secret" not in str(caught.value)


def safe_vault(devnet: Devnet, owners: list[str]) -> SafeVault:
    return SafeVault(
        name="cold",
        network=ETHEREUM,
        chain_id=31337,
        address=from_text(devnet.deploy_safe(owners, 2)),
        version="1.4.1",
        singleton=from_text(devnet.contracts.safe_singleton),
        owners=tuple(from_text(owner) for owner in owners),
        threshold=2,
        keys=(),
    )


def hash_by_contract(chain: EvmChain, tx: SafeTx) -> bytes:
    """getTransactionHash: execTransaction's arguments with the nonce in place of signatures."""
    types = ["address", "uint256", "bytes", "uint8", "uint256", "uint256", "uint256"]
    types += ["address", "address", "uint256"]
    values = [tx.to, tx.value_wei, tx.data, tx.operation, tx.safe_tx_gas, tx.base_gas]
    values += [tx.gas_price_wei, tx.gas_token, tx.refund_receiver, tx.nonce]
    return chain.call(tx.safe, bytes.fromhex("d8d11f78") + encode(types, values))


def execute(
    chain: EvmChain,
    devnet: Devnet,
    tx: SafeTx,
    owners: list[tuple[bytes, str]],
    relayer: tuple[bytes, str],
) -> None:
    """Sign by the owners, send by the relayer; the contract's own hash must be ours."""
    assert hash_by_contract(chain, tx) == tx.safe_tx_hash == typed_data_of(tx).signing_hash
    signatures = [
        bytes(Account.unsafe_sign_hash(tx.safe_tx_hash, key).signature) for key, _ in owners
    ]
    calldata = tx.execution_calldata(pack_signatures(tx.safe_tx_hash, signatures))
    key, sender = relayer
    gas = chain.estimate_gas(from_text(sender), tx.safe, 0, calldata)
    outer = payment(chain, sender, checksum(tx.safe), 0, data=calldata, gas_limit=gas * 5 // 4)
    signed = signed_by(key, outer)
    chain.broadcast(signed.raw)
    devnet.mine(ETHEREUM)
    assert chain.sighting(signed.txid).succeeded


def test_a_safe_pays_with_two_of_three(chain: EvmChain, devnet: Devnet) -> None:
    people = [a_person() for _ in range(3)]
    vault = safe_vault(devnet, [address for _, address in people])
    (relayer_key, relayer), (_, payee) = a_person(), a_person()
    for address in (relayer, checksum(vault.address)):
        devnet.fund(ETHEREUM, "ETH", address, 2 * ETHER)
    devnet.fund(ETHEREUM, "DUSD", checksum(vault.address), 9_000_000)
    devnet.mine(ETHEREUM)
    assert 0 == check_safe(chain, vault).nonce
    to, data = from_text(payee), b""
    token = from_text(devnet.contracts.tokens["DUSD"])
    inner = [
        SafeTx(chain_id=31337, safe=vault.address, to=to, value_wei=ETHER, nonce=0, data=data),
        SafeTx(
            chain_id=31337,
            safe=vault.address,
            to=token,
            value_wei=0,
            nonce=1,
            data=transfer_calldata(to, 4_000_000),
        ),
    ]
    for tx in inner:
        execute(chain, devnet, tx, people[1:], (relayer_key, relayer))
        found = scan_top(chain, payee)
        assert 1 == len(found)

    assert ETHER == chain.balance_units(to, "ETH", chain.tip())
    assert 4_000_000 == chain.balance_units(to, "DUSD", chain.tip())
    assert 2 == check_safe(chain, vault).nonce


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": 3},
        {"version": "1.3.0"},
        {"singleton": b"\x01" * 20},
        {"owners": (b"\x01" * 20, b"\x02" * 20, b"\x03" * 20)},
    ],
)
def test_a_safe_that_differs_from_its_registration(
    chain: EvmChain, devnet: Devnet, changes: Mapping[str, object]
) -> None:
    vault = safe_vault(devnet, [a_person()[1] for _ in range(3)])

    with pytest.raises(UnexpectedAnswer):
        check_safe(chain, replace(vault, **changes))  # type: ignore[arg-type]


def test_an_account_is_no_safe(chain: EvmChain) -> None:
    with pytest.raises(UnexpectedAnswer):
        read_safe(chain, b"\x77" * 20)


def funded_safe(
    devnet: Devnet, relayer: str, owners: list[tuple[bytes, str]]
) -> tuple[SafeVault, SafeTx]:
    """A Safe with ether and dollars, and a transaction of it to change."""
    vault = safe_vault(devnet, [address for _, address in owners])
    for address in (relayer, checksum(vault.address)):
        devnet.fund(ETHEREUM, "ETH", address, 4 * ETHER)
    devnet.fund(ETHEREUM, "DUSD", checksum(vault.address), 9_000_000)
    devnet.mine(ETHEREUM)
    tx = SafeTx(chain_id=31337, safe=vault.address, to=vault.address, value_wei=0, nonce=0)
    return vault, tx


def test_a_multisend_pays_everybody_at_once(chain: EvmChain, devnet: Devnet) -> None:
    people, relayer = [a_person() for _ in range(3)], a_person()
    vault, tx = funded_safe(devnet, relayer[1], people)
    payees = [from_text(a_person()[1]) for _ in range(3)]
    token = from_text(devnet.contracts.tokens["DUSD"])
    items = [
        MultiSendItem(to=payees[0], value_wei=ETHER),
        MultiSendItem(to=payees[1], value_wei=2 * ETHER),
        MultiSendItem(to=token, value_wei=0, data=transfer_calldata(payees[2], 5_000_000)),
    ]
    multisend = replace(
        tx,
        to=from_text(RELEASES[vault.version].multisend),
        operation=1,
        data=multisend_calldata(items),
    )

    execute(chain, devnet, multisend, people[:2], relayer)

    tip = chain.tip()
    assert [ETHER, 2 * ETHER] == [chain.balance_units(to, "ETH", tip) for to in payees[:2]]
    assert 5_000_000 == chain.balance_units(payees[2], "DUSD", tip)


def test_a_safe_changes_its_owners_and_threshold(chain: EvmChain, devnet: Devnet) -> None:
    people, relayer, new = [a_person() for _ in range(3)], a_person(), a_person()
    vault, tx = funded_safe(devnet, relayer[1], people)
    one, two, three = vault.owners
    fourth = from_text(new[1])
    calls = [
        GovernanceCall(action=SelfCall.ADD_OWNER, addresses=(fourth,), threshold=3),
        GovernanceCall(action=SelfCall.REMOVE_OWNER, addresses=(one, two), threshold=2),
        GovernanceCall(action=SelfCall.SWAP_OWNER, addresses=(one, three, two)),
        GovernanceCall(action=SelfCall.CHANGE_THRESHOLD, threshold=3),
    ]
    signers = [people[:2], people, [people[0], new], [people[0], new]]

    for nonce, (call, owners) in enumerate(zip(calls, signers, strict=True)):
        execute(chain, devnet, replace(tx, nonce=nonce, data=call.encode()), owners, relayer)

    state = read_safe(chain, vault.address)
    assert (frozenset({fourth, one, two}), 3) == (state.owners, state.threshold)


def test_a_safe_takes_and_drops_modules_guards_and_handlers(
    chain: EvmChain, devnet: Devnet
) -> None:
    people, relayer = [a_person() for _ in range(3)], a_person()
    vault, tx = funded_safe(devnet, relayer[1], people)
    module = from_text(a_person()[1])
    calls = [
        GovernanceCall(action=SelfCall.ENABLE_MODULE, addresses=(module,)),
        GovernanceCall(action=SelfCall.SET_FALLBACK_HANDLER, addresses=(module,)),
        GovernanceCall(action=SelfCall.SET_GUARD, addresses=(bytes(20),)),
    ]
    for nonce, call in enumerate(calls):
        execute(chain, devnet, replace(tx, nonce=nonce, data=call.encode()), people[:2], relayer)
    assert {module} == read_safe(chain, vault.address).modules

    drop = GovernanceCall(action=SelfCall.DISABLE_MODULE, addresses=(SENTINEL, module))
    execute(chain, devnet, replace(tx, nonce=3, data=drop.encode()), people[:2], relayer)

    assert not read_safe(chain, vault.address).modules


def test_the_chain_takes_our_authorisation(chain: EvmChain, devnet: Devnet) -> None:
    (key, address), relayer = a_person(), a_person()
    devnet.fund(ETHEREUM, "ETH", relayer[1], ETHER)
    devnet.mine(ETHEREUM)
    delegate = from_text(devnet.contracts.splitter)
    mine = Authorization(chain_id=31337, delegate=delegate, nonce=0)
    signature = Account.unsafe_sign_hash(mine.signing_hash, key)
    sent = Account.sign_transaction(
        {
            "chainId": 31337,
            "nonce": 0,
            "gas": 100_000,
            "maxFeePerGas": chain.fees().max_fee_wei,
            "maxPriorityFeePerGas": 1,
            "to": relayer[1],
            "value": 0,
            "data": "0x",
            "authorizationList": [
                {
                    "chainId": 31337,
                    "address": checksum(delegate),
                    "nonce": 0,
                    "yParity": signature.v - 27,
                    "r": signature.r,
                    "s": signature.s,
                }
            ],
        },
        relayer[0],
    )
    chain.broadcast(bytes(sent.raw_transaction))
    devnet.mine(ETHEREUM)

    assert b"\xef\x01\x00" + delegate == chain.code_at(from_text(address))
    assert 1 == chain.nonce(from_text(address))


def test_the_chain_takes_a_legacy_payment(chain: EvmChain, devnet: Devnet) -> None:
    (key, sender), (_, payee) = a_person(), a_person()
    devnet.fund(ETHEREUM, "ETH", sender, 2 * ETHER)
    devnet.mine(ETHEREUM)
    tx = UnsignedLegacyTx(
        chain_id=31337,
        nonce=0,
        max_fee_wei=chain.fees().max_fee_wei,
        gas_limit=21_000,
        to=from_text(payee),
        value_wei=ETHER,
    )

    raw, recovered, txid = tx.with_signature(
        bytes(Account.unsafe_sign_hash(tx.signing_hash, key).signature)
    )
    chain.broadcast(raw)
    devnet.mine(ETHEREUM)

    assert sender == checksum(recovered)
    assert chain.sighting(txid).succeeded
