"""What staff read of intents that do more, or say more, than pay."""

from dataclasses import replace

from chains.evm.addresses import checksum
from chains.evm.safe_governance import GovernanceCall, SelfCall
from signer.protocol import Intent, Payee, Purpose
from wallet.settings import AssetSettings
from wallet.treasury.wording import intent_lines

ETH = AssetSettings(code="ETH", network="ethereum", decimals=18)
CALL = GovernanceCall(action=SelfCall.ADD_OWNER, addresses=(b"\x99" * 20,), threshold=3)
CHANGE = Intent(
    intent_id="i-1",
    purpose=Purpose.GOVERNANCE,
    network="ethereum",
    asset="ETH",
    source="cold",
    payees=(),
    fee_units_max=9,
    requester="anna",
    created_s=1,
    expires_s=2,
    call=CALL.encode(),
)


def test_a_change_of_a_safe_is_told_in_words_and_bytes() -> None:
    lines = intent_lines([ETH], CHANGE)

    assert ("change", "add owner") in lines
    assert ("address", checksum(b"\x99" * 20)) in lines
    assert ("new threshold", "3") in lines
    assert ("call", f"0x{CALL.encode().hex()}") in lines


def test_an_unknown_change_is_called_one() -> None:
    lines = dict(intent_lines([ETH], replace(CHANGE, call=b"\x01\x02")))

    assert "NOT A KNOWN CHANGE" in lines["change"]


def test_other_calls_are_shown_as_they_are() -> None:
    lines = dict(intent_lines([ETH], replace(CHANGE, purpose=Purpose.GATHER, call=b"\x05")))

    assert "0x05" == lines["call"]
    assert "change" not in lines


def test_a_refill_says_what_hot_holds() -> None:
    payees = (Payee(address="0xabc", units=1),)
    refill = replace(CHANGE, purpose=Purpose.REFILL, payees=payees, call=b"", hot_units=10**18)

    assert "1 ETH" == dict(intent_lines([ETH], refill))["hot holds"]
