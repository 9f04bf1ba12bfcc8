"""What a replacement offers: what nodes ask for at least, never above the cap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.payments.replacing.rates import AtCap, Step, evm_fees, utxo_fee

STEP = Step(step_ppm=250_000, least_ppm=100_000, relay_rate=1_000)
sats = st.integers(1, 10**9)
sizes = st.integers(100, 100_000)
wei = st.integers(0, 10**15)


@given(old=sats, old_size=sizes, size=sizes, rate=st.integers(0, 10**7), cap=sats)
def test_a_utxo_replacement_obeys_bip_125_and_the_cap(
    old: int, old_size: int, size: int, rate: int, cap: int
) -> None:
    size = max(size, old_size)
    try:
        fee = utxo_fee(
            step=STEP, old_sats=old, old_vsize=old_size, vsize=size, rate=rate, cap_sats=cap
        )
    except AtCap:
        assert cap < old + -(-size * STEP.relay_rate // 1000) + -(-old * size // old_size)
        return
    assert fee <= cap
    assert 1000 * (fee - old) >= STEP.relay_rate * size
    assert fee * old_size > old * size


@given(old=st.tuples(wei, wei), now=st.tuples(wei, wei), cap=wei)
def test_an_evm_replacement_raises_both_fields_by_a_tenth(
    old: tuple[int, int], now: tuple[int, int], cap: int
) -> None:
    old = (max(old), min(old))
    try:
        fees = evm_fees(step=STEP, old=old, now=now, cap_wei=cap)
    except AtCap:
        assert cap < old[0] * 11 // 10 + 2
        return
    assert fees[0] <= cap
    for new, before in zip(fees, old, strict=True):
        assert new > before
        assert 10 * new >= 11 * before
    assert fees[1] <= fees[0]


def test_at_the_cap_it_is_the_cap() -> None:
    assert 110 == evm_fees(step=STEP, old=(100, 10), now=(900, 9), cap_wei=110)[0]
    with pytest.raises(AtCap):
        evm_fees(step=STEP, old=(100, 10), now=(900, 9), cap_wei=109)
