"""Vault files, as a person registers them."""

from collections.abc import Iterable

from chains.errors import ChainError
from signer import registry
from signer.errors import SignerError
from signer.guards.facts import Role
from tests.evm_world import DEPOSIT_KEY, HOT_KEY, NETWORK, PEOPLE, SAFE_VAULT
from tests.fuzz import ground
from tests.signer_world import SINGLETON, safe_text


def one_input(data: bytes) -> None:
    """A vault that is read has a first address."""
    try:
        vault = registry.registered(data, Role.HOT, ground.NETWORKS, (), "00000000")
        assert registry.first_address(vault.vault, ground.NETWORKS)
    except (SignerError, ChainError):
        return


def seeds() -> Iterable[bytes]:
    """One file of each kind."""
    head = f'network = "{NETWORK}"\n'
    owners = ", ".join(f'"{person.address()}"' for person in PEOPLE)
    yield ground.descriptor_file()
    yield f'name = "a"\n{head}kind = "keys"\nkey = "{DEPOSIT_KEY.origin}"\n'.encode()
    yield (
        f'name = "b"\n{head}kind = "address"\nkey = "{HOT_KEY.origin}"\n'
        f'address = "{HOT_KEY.address()}"\n'
    ).encode()
    yield (
        f'name = "c"\n{head}kind = "safe"\naddress = "{safe_text()}"\nchain_id = 31337\n'
        f'version = "{SAFE_VAULT.version}"\nsingleton = "{SINGLETON}"\nthreshold = 2\n'
        f'owners = [{owners}]\nkeys = ["{PEOPLE[0].origin}"]\n'
    ).encode()
