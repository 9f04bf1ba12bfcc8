"""Vault files."""

import pytest

from chains.errors import CodecError
from chains.utxo.descriptors import DescriptorVault, Template
from chains.utxo.params import params_from
from chains.vaults import load_vault
from tests.utxo_world import DOGECOIN, vault

WSH = vault(Template.WSH_MULTI)
FILE: dict[str, object] = {
    "name": "hot",
    "network": "bitcoin-regtest",
    "kind": "descriptor",
    "descriptor": WSH.text,
}


def test_descriptor_file() -> None:
    assert WSH == load_vault(FILE)


def test_file_of_a_configured_chain() -> None:
    params = params_from(DOGECOIN)
    one = vault(Template.SH_MULTI, params=params)
    found = load_vault(
        {**FILE, "network": "dogecoin", "descriptor": one.text}, {"dogecoin": params}
    )

    assert isinstance(found, DescriptorVault)
    assert one == found


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "paper"},
        {"kind": None},
        {"network": "dogecoin"},
        {"network": "litecoin"},
        {"colour": "red"},
        {"descriptor": 7},
        {"descriptor": WSH.text[:-1]},
    ],
)
def test_other_files_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(CodecError):
        load_vault({**FILE, **change})
