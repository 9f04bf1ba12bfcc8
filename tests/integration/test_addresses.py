"""Addresses: derived from public keys, one index each, never given out twice."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select

from chains.hd import KeyOrigin
from chains.utxo.descriptors import Template, multisig_descriptor
from chains.utxo.params import BUILTIN
from chains.vaults import load_vault
from wallet.addresses.accounts import (
    AccountExists,
    AccountNotFound,
    BadExternalId,
    create_account,
    find_account,
    get_account,
    list_accounts,
)
from wallet.addresses.derivation import NoSuchPosition, OwnDeriver, SourceUnknown
from wallet.addresses.issuing import (
    AddressUnknown,
    BadLabel,
    Purpose,
    find_at,
    find_by_targets,
    get_address,
    issue,
    issue_own,
)
from wallet.errors import Invalid
from wallet.store.database import Database
from wallet.store.schema import addresses

NOW_S = 1_700_000_000
BITCOIN = "bitcoin"
ETHEREUM = "ethereum-31337"
# BIP-32 test vectors 1 and 2, chain m/0h and m: public by design.
FIRST = (
    "[3442193e/0h]xpub68Gmy5EdvgibQVfPdqkBBCHxA5htiqg55crXYuXoQRKfDBFA1WEjWgP6LHhwBZeNK1VTsfTFUHC"
    "drfp1bgwQ9xv5ski8PX9rL2dZXvgGDnw"
)
SECOND = (
    "[bd16bee5]xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a"
    "6mr8BDzTJY47LJhkJ8UB7WEGuduB"
)


@pytest.fixture(scope="module")
def deriver() -> OwnDeriver:
    keys = [KeyOrigin.parse(text) for text in (FIRST, SECOND)]
    hot = {
        "name": "bitcoin-hot",
        "network": BITCOIN,
        "kind": "descriptor",
        "descriptor": multisig_descriptor(Template.WSH_MULTI, 2, keys),
    }
    deposit = {"name": "ethereum-deposit", "network": ETHEREUM, "kind": "keys", "key": SECOND}
    account = load_vault(deposit)
    own = {
        "name": "ethereum-hot",
        "network": ETHEREUM,
        "kind": "address",
        "key": SECOND,
        "address": account.address_text(0),  # type: ignore[union-attr]
    }
    return OwnDeriver([load_vault(hot), account, load_vault(own)], BUILTIN)


@pytest.fixture
def alice(database: Database) -> str:
    with database.write() as tx:
        return create_account(tx, "user-1", NOW_S)


def test_an_account_is_found_by_both_ids(database: Database, alice: str) -> None:
    with database.read() as tx:
        assert get_account(tx, alice).external_id == "user-1"
        found = find_account(tx, "user-1")
        assert found is not None and found.id == alice
        assert find_account(tx, "user-2") is None
        assert [account.id for account in list_accounts(tx, "", 10)] == [alice]
        assert list_accounts(tx, alice, 10) == []


def test_a_user_has_one_account(database: Database, alice: str) -> None:
    with pytest.raises(AccountExists) as caught, database.write() as tx:
        create_account(tx, "user-1", NOW_S)
    assert caught.value.details == {"account_id": alice}


@pytest.mark.parametrize("external_id", ["", "x" * 129, "a\nb", "a\x00b"])
def test_bad_user_ids_are_refused(database: Database, external_id: str) -> None:
    with pytest.raises(BadExternalId), database.write() as tx:
        create_account(tx, external_id, NOW_S)


def test_an_unknown_account_is_not_found(database: Database) -> None:
    with pytest.raises(AccountNotFound), database.read() as tx:
        get_account(tx, "nobody")


def give(database: Database, deriver: OwnDeriver, account_id: str, network: str = BITCOIN) -> str:
    source = "bitcoin-hot" if network == BITCOIN else "ethereum-deposit"
    with database.write() as tx:
        return issue(
            tx, deriver, network=network, source=source, account_id=account_id, now_s=NOW_S
        ).address


def test_every_request_gets_a_fresh_address(
    database: Database, deriver: OwnDeriver, alice: str
) -> None:
    given = [give(database, deriver, alice, n) for n in (BITCOIN, BITCOIN, ETHEREUM, ETHEREUM)]
    assert given == [
        deriver.address_at(BITCOIN, "bitcoin-hot", 0, 0).address,
        deriver.address_at(BITCOIN, "bitcoin-hot", 0, 1).address,
        deriver.address_at(ETHEREUM, "ethereum-deposit", 0, 0).address,
        deriver.address_at(ETHEREUM, "ethereum-deposit", 0, 1).address,
    ]
    assert len(set(given)) == 4


def test_an_aborted_request_uses_no_index(
    database: Database, deriver: OwnDeriver, alice: str
) -> None:
    with pytest.raises(BadLabel), database.write() as tx:
        issue(
            tx,
            deriver,
            network=BITCOIN,
            source="bitcoin-hot",
            account_id=alice,
            label="x" * 129,
            now_s=NOW_S,
        )
    assert (
        give(database, deriver, alice) == deriver.address_at(BITCOIN, "bitcoin-hot", 0, 0).address
    )


def test_requests_at_once_never_share_an_address(
    database: Database, deriver: OwnDeriver, alice: str, reopen: Callable[[], Database]
) -> None:
    given: list[str] = []

    def ask(connections: Database) -> None:
        given.extend(give(connections, deriver, alice) for _ in range(5))

    threads = [threading.Thread(target=ask, args=(reopen(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(given)) == len(given) == 15
    with database.read() as tx:
        positions = tx.execute(select(addresses.c.position)).scalars().all()
    assert sorted(positions) == list(range(15))


def test_own_addresses_take_the_right_branch(database: Database, deriver: OwnDeriver) -> None:
    with database.write() as tx:
        change = issue_own(
            tx, deriver, network=BITCOIN, source="bitcoin-hot", purpose=Purpose.CHANGE, now_s=NOW_S
        )
        hot = issue_own(
            tx, deriver, network=BITCOIN, source="bitcoin-hot", purpose=Purpose.HOT, now_s=NOW_S
        )
    assert (change.branch, change.position, change.account_id) == (1, 0, None)
    assert (hot.branch, hot.position, hot.purpose) == (0, 0, Purpose.HOT)
    assert change.target != hot.target
    with database.read() as tx:
        assert get_address(tx, change.id) == change
        assert find_at(tx, BITCOIN, "bitcoin-hot", 1, 0) == change
        assert find_at(tx, BITCOIN, "bitcoin-hot", 1, 1) is None
        found = find_by_targets(tx, BITCOIN, [change.target, hot.target, b"foreign"])
        assert found == {change.target: change, hot.target: hot}
        assert find_by_targets(tx, ETHEREUM, [change.target]) == {}


def test_a_vault_with_one_address_gives_it_again(database: Database, deriver: OwnDeriver) -> None:
    asked = []
    for _ in range(2):
        with database.write() as tx:
            asked.append(
                issue_own(
                    tx,
                    deriver,
                    network=ETHEREUM,
                    source="ethereum-hot",
                    purpose=Purpose.HOT,
                    now_s=NOW_S,
                )
            )
    assert asked[0] == asked[1]


def test_own_addresses_are_not_for_deposits(database: Database, deriver: OwnDeriver) -> None:
    with pytest.raises(Invalid), database.write() as tx:
        issue_own(
            tx, deriver, network=BITCOIN, source="bitcoin-hot", purpose=Purpose.DEPOSIT, now_s=NOW_S
        )


def test_an_unknown_address_is_not_found(database: Database) -> None:
    with pytest.raises(AddressUnknown), database.read() as tx:
        get_address(tx, "nothing")


def test_a_vault_only_has_the_addresses_it_has(deriver: OwnDeriver) -> None:
    with pytest.raises(SourceUnknown):
        deriver.address_at(ETHEREUM, "bitcoin-hot", 0, 0)
    with pytest.raises(NoSuchPosition):
        deriver.address_at(ETHEREUM, "ethereum-hot", 0, 1)
    with pytest.raises(NoSuchPosition):
        deriver.address_at(ETHEREUM, "ethereum-deposit", 1, 0)


def test_two_vaults_cannot_share_a_name(deriver: OwnDeriver) -> None:
    vault = deriver.vault(BITCOIN, "bitcoin-hot")
    with pytest.raises(Invalid):
        OwnDeriver([vault, vault], BUILTIN)
