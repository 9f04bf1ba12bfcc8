"""What an attacker with everything online can do to an honest request, one turn each."""

from dataclasses import replace

from chains.evm import erc20
from chains.evm.safe import SafeTx
from chains.types import OutPoint
from chains.utxo import addresses
from chains.utxo.coins import OwnPlace, Payout
from chains.utxo.descriptors import DescriptorVault, Template, multisig_descriptor
from chains.utxo.params import BUILTIN
from signer.protocol import (
    APPROVAL,
    Approval,
    Intent,
    Kind,
    OwnOutput,
    Payee,
    Purpose,
    digest,
    dump,
    identity_sign,
)
from tests.compromise import (
    APPROVED_BTC,
    APPROVED_ETH,
    STOLEN,
    THIEF,
    THIEF_EVM,
    THIEF_SCRIPT,
    Attacker,
    Draft,
    Turn,
    approvals_of,
)
from tests.signer_world import (
    BTC,
    COORDINATOR,
    CUSTOMER_SCRIPT,
    ETH,
    LTC,
    MULTISIG_BTC,
    NOW_S,
    change_to,
    coin,
    origin,
)

ONLINE_KEYS = (COORDINATOR, *(bytes([number]) * 32 for number in range(1, 6)))
"""The coordinator's key, the API's, the hot signers' identities: none of a person."""


def bitcoin(draft: Draft) -> bool:
    return draft.safe_tx is None


def thief_of(draft: Draft) -> str:
    return THIEF if bitcoin(draft) else "0x" + THIEF_EVM.hex()


# who asks, and how often


def other_seal(attacker: Attacker, draft: Draft) -> None:
    draft.seal_by = attacker.dice.one(ONLINE_KEYS)


def old_request_id(attacker: Attacker, draft: Draft) -> None:
    draft.change(request_id=f"attempt-{attacker.dice.below(attacker.made) + 1}")


def other_times(attacker: Attacker, draft: Draft) -> None:
    shift = attacker.dice.one((-86_400, -600, 300, 301, 86_400))
    draft.change(created_s=NOW_S + shift, expires_s=NOW_S + shift + attacker.dice.below(90_000))


def other_signers(attacker: Attacker, draft: Draft) -> None:
    draft.change(signers=(attacker.dice.one(("cold-1", "cold-2", "hot")),))


def other_network(attacker: Attacker, draft: Draft) -> None:
    network = attacker.dice.one((BTC, LTC, ETH, "bitcoin"))
    draft.change(network=network)
    if attacker.dice.below(2):
        draft.change_intent(network=network)


def other_source(attacker: Attacker, draft: Draft) -> None:
    source = attacker.dice.one(("bitcoin-hot", "bitcoin-cold", "ethereum-hot", "ethereum-cold"))
    draft.change(source=source)
    if attacker.dice.below(2):
        draft.change_intent(source=source)


def other_kind(attacker: Attacker, draft: Draft) -> None:
    draft.change(kind=attacker.dice.one(tuple(Kind)))


def flipped_body(attacker: Attacker, draft: Draft) -> None:
    at, bit = attacker.dice.below(10_000), attacker.dice.below(8)

    def flip(body: bytes) -> bytes:
        changed = bytearray(body)
        changed[at % len(body)] ^= 1 << bit
        return bytes(changed)

    draft.spoil = flip


def cut_body(attacker: Attacker, draft: Draft) -> None:
    share = attacker.dice.below(100)
    draft.spoil = lambda body: body[: len(body) * share // 100]


def flipped_payload(attacker: Attacker, draft: Draft) -> None:
    at, bit = attacker.dice.below(10_000), attacker.dice.below(8)

    def flip(payload: bytes) -> bytes:
        changed = bytearray(payload)
        if changed:
            changed[at % len(payload)] ^= 1 << bit
        return bytes(changed)

    draft.edits.append(flip)


def bare_hash(_attacker: Attacker, draft: Draft) -> None:
    draft.edits.append(lambda payload: payload[:32])


# what was asked for


def thief_in_the_intent(_attacker: Attacker, draft: Draft) -> None:
    """The whole request made anew for the thief; only the approvals are of another."""
    payee = Payee(address=thief_of(draft), units=draft.intent.total_units)
    draft.change_intent(payees=(payee,))
    thief_in_the_bytes(_attacker, draft)


def thief_with_old_approvals(attacker: Attacker, draft: Draft) -> None:
    """The approvals' bodies name the new intent, their signatures are the old ones."""
    thief_in_the_intent(attacker, draft)
    renamed = tuple(
        replace(one, body=Approval.body_of(one.approver, draft.intent.digest, NOW_S))
        for one in draft.request.approvals
        if isinstance(one, Approval)
    )
    draft.change(approvals=renamed)


def more_in_the_intent(attacker: Attacker, draft: Draft) -> None:
    first = draft.intent.payees[:1]
    payees = tuple(
        replace(payee, units=payee.units + attacker.dice.below(10**6)) for payee in first
    )
    draft.change_intent(payees=payees)


def dearer_fee(_attacker: Attacker, draft: Draft) -> None:
    draft.change_intent(fee_units_max=50_000 if bitcoin(draft) else 10**17)


def longer_life(_attacker: Attacker, draft: Draft) -> None:
    draft.change_intent(expires_s=NOW_S + 10**7)


def other_name(attacker: Attacker, draft: Draft) -> None:
    draft.change_intent(intent_id=f"renamed-{attacker.made}")


def other_requester(attacker: Attacker, draft: Draft) -> None:
    draft.change_intent(requester=attacker.dice.one(("alice", "bob", "mallory")))


def other_purpose(attacker: Attacker, draft: Draft) -> None:
    draft.change_intent(purpose=attacker.dice.one(tuple(Purpose)))


def other_asset(attacker: Attacker, draft: Draft) -> None:
    draft.change_intent(asset=attacker.dice.one(("BTC", "ETH", "LTC", "DUSD")))


def second_intent(attacker: Attacker, draft: Draft) -> None:
    """The approved intent carries another beside it, to the thief."""
    payee = Payee(address=thief_of(draft), units=10_000_000)
    other = replace(draft.intent, intent_id=f"beside-{attacker.made}", payees=(payee,))
    draft.change(intents=(*draft.request.intents, other))
    draft.outputs.insert(0, Payout(script=THIEF_SCRIPT, sats=10_000_000))
    shrink(draft, 10_000_000)


def older_payment(attacker: Attacker, draft: Draft) -> None:
    """What was approved for an earlier attempt, and perhaps paid then."""
    older = attacker.dice.one(tuple(attacker.genuine.values()))
    draft.change(intents=(older,), approvals=approvals_of(older))


def intent_twice(_attacker: Attacker, draft: Draft) -> None:
    draft.change(intents=draft.request.intents * 2)
    draft.outputs.insert(0, Payout(script=CUSTOMER_SCRIPT, sats=50_000_000))
    shrink(draft, 50_000_000)


def small_unapproved(attacker: Attacker, draft: Draft) -> None:
    """A payment far below any tier, of which there could be many."""
    units = 1_000 + attacker.dice.below(100_000)
    intent: Intent = replace(
        draft.intent,
        intent_id=f"small-{attacker.made}",
        payees=(Payee(address=thief_of(draft), units=units),),
    )
    draft.change(intents=(intent,), approvals=())
    draft.outputs[:1] = [Payout(script=THIEF_SCRIPT, sats=units)]
    if draft.safe_tx is not None:
        draft.safe_tx = replace(draft.safe_tx, to=THIEF_EVM, value_wei=units)


# who approved


def fewer_approvals(attacker: Attacker, draft: Draft) -> None:
    draft.change(approvals=draft.request.approvals[: attacker.dice.below(2)])


def one_approval_twice(_attacker: Attacker, draft: Draft) -> None:
    draft.change(approvals=draft.request.approvals[:1] * 2)


def forged_approvals(attacker: Attacker, draft: Draft) -> None:
    """In the names of staff, by keys that are online; for whatever the intent now says."""
    forged = []
    for name in ("alice", "bob", "carol"):
        body = Approval.body_of(name, draft.intent.digest, NOW_S)
        key = attacker.dice.one(ONLINE_KEYS)
        forged.append(Approval(body=body, sig=identity_sign(key, digest(APPROVAL, body))))
    draft.change(approvals=tuple(forged))


def unknown_people(_attacker: Attacker, draft: Draft) -> None:
    strangers = []
    for name in ("service", "hot-a"):
        body = Approval.body_of(name, draft.intent.digest, NOW_S)
        strangers.append(
            Approval(body=body, sig=identity_sign(COORDINATOR, digest(APPROVAL, body)))
        )
    draft.change(approvals=tuple(strangers))


def crossed_approvals(_attacker: Attacker, draft: Draft) -> None:
    """True approvals of the other chain's payment."""
    other = APPROVED_ETH if bitcoin(draft) else APPROVED_BTC
    draft.change(approvals=approvals_of(other))


def swapped_signatures(_attacker: Attacker, draft: Draft) -> None:
    if len(draft.request.approvals) == 2:
        one, two = draft.request.approvals
        swapped = (replace(one, sig=two.sig), replace(two, sig=one.sig))
        draft.change(approvals=swapped)


def refusals_as_approvals(_attacker: Attacker, draft: Draft) -> None:
    """A person's signed "no", were there one, read as a yes."""
    bodies = [
        dump({"v": 1, "approver": name, "intent_digest": draft.intent.digest, "decision": "refuse",
              "time_s": NOW_S})
        for name in ("alice", "bob")
    ]  # fmt: skip
    draft.change(approvals=tuple(Approval(body=body, sig=bytes(64)) for body in bodies))


# what the bytes do


def thief_in_the_bytes(_attacker: Attacker, draft: Draft) -> None:
    if draft.safe_tx is not None:
        draft.safe_tx = replace(draft.safe_tx, to=THIEF_EVM)
    else:
        draft.outputs[0] = replace(draft.outputs[0], script=THIEF_SCRIPT, place=None)


def shrink(draft: Draft, sats: int) -> None:
    """Take an amount from the change, so that the fee stays."""
    if draft.outputs:
        last = draft.outputs[-1]
        draft.outputs[-1] = replace(last, sats=max(last.sats - sats, 1))


def extra_output(attacker: Attacker, draft: Draft) -> None:
    sats = 1 + attacker.dice.below(90_000_000)
    draft.outputs.insert(1, Payout(script=THIEF_SCRIPT, sats=sats))
    shrink(draft, sats)


def hidden_output(attacker: Attacker, draft: Draft) -> None:
    script = attacker.dice.one((b"\x6a\x04abcd", b"\x51", b""))
    draft.outputs.insert(1, Payout(script=script, sats=attacker.dice.below(2)))


def change_to_thief(_attacker: Attacker, draft: Draft) -> None:
    draft.outputs[-1] = replace(draft.outputs[-1], script=THIEF_SCRIPT, place=None)


def change_with_our_origins(attacker: Attacker, draft: Draft) -> None:
    """The origins say it is ours, the script says it is the thief's; both 2-of-3."""
    keys = list(attacker.prize.cold.keys)
    keys[-1] = origin(STOLEN["a"], MULTISIG_BTC, BUILTIN[BTC].xpub_version)
    text = multisig_descriptor(Template.WSH_MULTI, 2, keys)
    theirs = DescriptorVault.parse("bitcoin-cold", BUILTIN[BTC], text)
    place = draft.outputs[-1].place
    if place is not None:
        real = attacker.prize.cold.script_pubkey_at(place.branch, place.index)
        fake = theirs.script_pubkey_at(place.branch, place.index)
        draft.edits.append(lambda payload: payload.replace(real, fake))


def change_to_hot(attacker: Attacker, draft: Draft) -> None:
    """To the hot vault, whose keys the attacker has."""
    last = draft.outputs[-1]
    draft.outputs[-1] = change_to(attacker.prize.hot, last.sats, 1 + attacker.dice.below(3))


def change_far_away(attacker: Attacker, draft: Draft) -> None:
    last, dice = draft.outputs[-1], attacker.dice
    index, branch = dice.one((201, 10**6, 2**31 - 1)), dice.below(2)
    draft.outputs[-1] = change_to(attacker.prize.cold, last.sats, index, branch)


def burn_fee(attacker: Attacker, draft: Draft) -> None:
    last = draft.outputs[-1]
    draft.outputs[-1] = replace(last, sats=1 + attacker.dice.below(last.sats))


def payee_left_out(_attacker: Attacker, draft: Draft) -> None:
    draft.outputs[:] = draft.outputs[1:] or draft.outputs


def other_amount(attacker: Attacker, draft: Draft) -> None:
    change = attacker.dice.one((-1, 1, 10**6))
    draft.outputs[0] = replace(draft.outputs[0], sats=max(draft.outputs[0].sats + change, 1))


def coin_twice(_attacker: Attacker, draft: Draft) -> None:
    draft.coins *= 2


def foreign_coin(attacker: Attacker, draft: Draft) -> None:
    draft.coins.append(coin(attacker.prize.hot, 100_000, salt=str(attacker.made)))


def lying_coin(attacker: Attacker, draft: Draft) -> None:
    """The amount in the bytes is changed behind the proof."""
    sats = draft.coins[0].sats.to_bytes(8, "little")
    lie = (draft.coins[0].sats - attacker.dice.below(10**8)).to_bytes(8, "little")
    draft.edits.append(lambda payload: payload.replace(sats, lie))


def other_sighash(attacker: Attacker, draft: Draft) -> None:
    kind = attacker.dice.one((0, 2, 3, 0x81, 0x82, 0x83))
    old, new = b"\x01\x03\x04\x01\x00\x00\x00", b"\x01\x03\x04" + bytes([kind]) + bytes(3)
    draft.edits.append(lambda payload: payload.replace(old, new))


def claimed_as_ours(attacker: Attacker, draft: Draft) -> None:
    """The thief's address claimed to be a hot receive address."""
    own = OwnOutput(address=thief_of(draft), source="bitcoin-hot", branch=0, index=0)
    draft.change(own=(own,))
    thief_in_the_intent(attacker, draft)
    draft.change_intent(purpose=Purpose.REFILL)


def refill_to_stolen_hot(attacker: Attacker, draft: Draft) -> None:
    """A well-formed refill of the hot vault that the attacker empties; nobody approved it."""
    script = attacker.prize.hot.script_pubkey_at(0, 3)
    address = addresses.encode(BUILTIN[BTC], script)
    own = OwnOutput(address=address, source="bitcoin-hot", branch=0, index=3)
    payee = Payee(address=address, units=draft.intent.total_units)
    draft.change(own=(own,))
    draft.change_intent(
        intent_id=f"refill-{attacker.made}", purpose=Purpose.REFILL, payees=(payee,)
    )
    place = OwnPlace(source="bitcoin-hot", branch=0, index=3)
    draft.outputs[0] = Payout(script=script, sats=draft.intent.total_units, place=place)


def old_coin(attacker: Attacker, draft: Draft) -> None:
    """The coin of an earlier attempt: two signers, two versions of one spend."""
    draft.coins[:1] = [attacker.coin_of(1 + attacker.dice.below(attacker.made))]


def renumbered_coin(_attacker: Attacker, draft: Draft) -> None:
    first = draft.coins[0]
    moved = OutPoint(first.outpoint.txid, 0)
    txid, real = bytes.fromhex(first.outpoint.txid)[::-1], first.outpoint.vout.to_bytes(4, "little")
    fake = moved.vout.to_bytes(4, "little")
    draft.edits.append(lambda payload: payload.replace(txid + real, txid + fake))


# what the Safe would do


def safe_turn(attacker: Attacker, draft: Draft) -> None:
    """One field of the Safe's transaction."""
    if draft.safe_tx is None:
        return
    tx: SafeTx = draft.safe_tx
    transfer = erc20.transfer_calldata(THIEF_EVM, 10**6)
    draft.safe_tx = attacker.dice.one(
        (
            replace(tx, operation=1),
            replace(tx, to=THIEF_EVM, operation=1, data=transfer),
            replace(tx, to=tx.safe, value_wei=0, data=bytes.fromhex("694e80c3") + bytes(32)),
            replace(tx, to=tx.safe, value_wei=0, data=bytes.fromhex("610b5925") + bytes(32)),
            replace(tx, to=THIEF_EVM),
            replace(tx, value_wei=tx.value_wei + 1),
            replace(tx, data=transfer),
            replace(tx, gas_price_wei=10**12, base_gas=10**6),
            replace(tx, refund_receiver=THIEF_EVM),
            replace(tx, gas_token=THIEF_EVM),
            replace(tx, safe=THIEF_EVM),
            replace(tx, chain_id=attacker.dice.one((1, 137, 0))),
            replace(tx, nonce=attacker.dice.one((0, 1, 50, 2**200))),
        )
    )


def refill_the_stolen_account(attacker: Attacker, draft: Draft) -> None:
    if draft.safe_tx is None:
        return
    to = bytes.fromhex(attacker.prize.hot_account[2:])
    draft.safe_tx = replace(draft.safe_tx, to=to)
    payee = Payee(address=attacker.prize.hot_account, units=draft.intent.total_units)
    draft.change_intent(
        intent_id=f"refill-{attacker.made}", purpose=Purpose.REFILL, payees=(payee,)
    )


TURNS: tuple[Turn, ...] = (
    other_seal, old_request_id, other_times, other_signers, other_network, other_source, other_kind,
    flipped_body, cut_body, flipped_payload, bare_hash, thief_in_the_intent, more_in_the_intent,
    thief_with_old_approvals, dearer_fee, longer_life, other_name, other_requester, other_purpose,
    other_asset, second_intent, older_payment, intent_twice, small_unapproved, fewer_approvals,
    forged_approvals, one_approval_twice, unknown_people, crossed_approvals, swapped_signatures,
    thief_in_the_bytes, refusals_as_approvals,
)  # fmt: skip
TURNS_BTC: tuple[Turn, ...] = (
    extra_output, hidden_output, change_to_thief, change_with_our_origins, change_to_hot, burn_fee,
    change_far_away, payee_left_out, other_amount, coin_twice, foreign_coin, lying_coin, old_coin,
    other_sighash, claimed_as_ours, refill_to_stolen_hot, renumbered_coin,
)  # fmt: skip
TURNS_ETH: tuple[Turn, ...] = (safe_turn, safe_turn, safe_turn, refill_the_stolen_account)
