"""Chains by configuration alone."""

import pytest

from chains.utxo.params import BUILTIN, ParamsError, params_from
from tests.utxo_world import DOGECOIN


def test_complete_configuration_is_read() -> None:
    params = params_from(DOGECOIN)

    assert ("dogecoin", "DOGE", 0x1E, 98) == (
        params.id,
        params.native,
        params.p2pkh,
        params.auxpow_chain_id,
    )
    assert not params.mweb


def test_every_mistake_is_named_at_once() -> None:
    wrong = {**DOGECOIN, "p2pkh": "30", "colour": "red", "segwit": 1, "pow": 2}
    del wrong["p2sh"]
    with pytest.raises(ParamsError) as caught:
        params_from(wrong)

    for name in ("p2pkh", "colour", "segwit", "pow", "p2sh"):
        assert f"key '{name}'" in str(caught.value).replace("unknown ", "").replace("missing ", "")


def test_unknown_proof_of_work_is_refused() -> None:
    with pytest.raises(ParamsError, match="equihash"):
        params_from({**DOGECOIN, "pow": "equihash"})


def test_a_bool_is_not_a_number() -> None:
    with pytest.raises(ParamsError, match="p2sh"):
        params_from({**DOGECOIN, "p2sh": True})


def test_test_networks_never_share_prefixes_with_main_networks() -> None:
    for main in ("bitcoin", "litecoin"):
        for other in BUILTIN.values():
            if other.id != main:
                assert BUILTIN[main].hrp != other.hrp
                assert BUILTIN[main].p2pkh != other.p2pkh
