"""A home's files: tampering, rollback, registration, and what a person has to activate."""

import hashlib
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from embit import base58
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chains.errors import CodecError
from chains.hd import HARDENED, KeyOrigin, path_text
from chains.utxo.descriptors import Template, multisig_descriptor, with_checksum
from chains.utxo.params import BUILTIN
from signer import log as log_module
from signer.config import ConfigError
from signer.errors import Refused, SignerError
from signer.founding import create
from signer.guards.facts import Role
from signer.home import Home, HomeError, NotActivated
from signer.keystore import PassphraseKek, SecretUse, encode_key, header_of, public_value
from signer.log import Log, LogDamaged, LogKind, LogRolledBack, LogTampered
from signer.protocol import dump, load
from signer.registry import (
    KeyBoundElsewhere,
    KeyInTwoVaults,
    KeyUse,
    NoOwnKey,
    RegistryError,
    TwoOwnKeys,
    WeakQuorum,
    address_at,
    standard_path,
)
from tests.signer_world import (
    BTC,
    COLD_BTC,
    CONFIG,
    ETH,
    EVM_HOT,
    LTC,
    MULTISIG_BTC,
    MULTISIG_LTC,
    NOW_S,
    POLICY,
    SOFT,
    World,
    a_withdrawal,
    account,
    drip,
    engine,
    origin,
    sealed,
)

LIGHT = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def used(world: World, requests: int = 3) -> Path:
    """The hot home after some signatures; closed."""
    home = world.open("hot")
    for number in range(requests):
        engine(home).sign(sealed(a_withdrawal(home, f"w{number}")))
    home.close()
    return world.root / "hot"


def test_a_home_comes_back_as_it_was(world: World) -> None:
    path = used(world)

    home = world.open("hot")

    assert home.path == path
    assert "request.replayed" not in home.vaults
    assert home.state.intent_signed("w2", b"")
    home.close()


@LIGHT
@given(at=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_any_flipped_bit_of_the_log_is_noticed(
    made_world: World, tmp_path_factory: pytest.TempPathFactory, at: int, bit: int
) -> None:
    world = made_world.copy(tmp_path_factory.mktemp("flip"))
    file = used(world, 1) / "log"
    data = bytearray(file.read_bytes())
    data[at % len(data)] ^= 1 << bit
    file.write_bytes(bytes(data))

    with pytest.raises(SignerError) as caught:
        world.open("hot").close()
    assert caught.value.code.startswith("state.")


def test_any_flipped_byte_of_the_mark_is_noticed(world: World) -> None:
    file = used(world) / "mark"
    data = file.read_bytes()
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1
        file.write_bytes(bytes(flipped))
        with pytest.raises(SignerError):
            world.open("hot").close()
    file.write_bytes(data)
    world.open("hot").close()


def test_an_old_log_put_back_is_noticed(world: World) -> None:
    path = world.root / "hot"
    before = (path / "log").read_bytes()
    used(world)
    (path / "log").write_bytes(before)

    with pytest.raises(LogRolledBack):
        Home(path)


def test_a_log_cut_short_is_noticed(world: World) -> None:
    path = used(world)
    data = (path / "log").read_bytes()
    (path / "log").write_bytes(data[:-1])

    with pytest.raises(LogTampered):
        Home(path)


def test_a_record_cut_out_is_noticed(world: World) -> None:
    path = used(world)
    home = world.open("hot", unlock=False)
    offsets = [home.log.read(0).offset]
    home.close()
    data = (path / "log").read_bytes()
    first = 4 + int.from_bytes(data[:4], "big") + 64
    (path / "log").write_bytes(data[first:])

    assert [0] == offsets
    with pytest.raises(LogTampered):
        Home(path)


def test_a_missing_mark_is_noticed(world: World) -> None:
    (used(world) / "mark").unlink()

    with pytest.raises(HomeError):
        world.open("hot")


def test_a_rewritten_log_is_noticed_when_the_keys_are_there(world: World) -> None:
    """Somebody without keys writes a whole new chain and a mark that fits to it."""
    path = world.root / "hot"
    real = world.open("hot", unlock=False)
    records = [real.log.read(0)]
    real.close()
    for name in ("log", "mark"):
        (path / name).unlink()
    forged = Log.create(path / "log", path / "mark", bytes(32))
    for record in records:
        forged.append(record.kind, record.time_s, record.data)
    forged.close()

    with pytest.raises(LogTampered):
        world.open("hot")


def test_a_forged_record_is_noticed_when_the_keys_are_there(world: World) -> None:
    """Appended past the mark, which stays as it was."""
    path = world.root / "hot"
    mark = (path / "mark").read_bytes()
    home = world.open("hot", unlock=False)
    home.log._key = bytes(32)
    pinned = {"config_sha256": home.state.config_sha256, "policy_sha256": bytes(32)}
    home.log.append(LogKind.CONFIGURED, NOW_S, pinned)
    home.close()
    (path / "mark").write_bytes(mark)

    home = Home(path, any_config=True)
    with pytest.raises(LogTampered, match="did not write"):
        home.unlock(world.kek)
    home.close()


def test_a_mark_of_another_head_is_noticed_even_while_locked(world: World) -> None:
    path = world.root / "hot"
    mark = load((path / "mark").read_bytes(), "mark")
    (path / "mark").write_bytes(dump({**mark, "head": bytes(32)}))

    with pytest.raises(LogTampered, match="another record"):
        Home(path)


def test_a_refusal_while_locked_does_not_move_the_mark(world: World) -> None:
    path = world.root / "hot"
    before = (path / "mark").read_bytes()
    home = world.open("hot", unlock=False)
    with pytest.raises(Refused):
        engine(home).sign(b"x")
    home.close()
    assert before == (path / "mark").read_bytes()

    home = world.open("hot")
    assert LogKind.REFUSED is home.log.read(_last_offset(path)).kind
    assert before != (path / "mark").read_bytes()
    home.close()


def _last_offset(path: Path) -> int:
    log = Log(path / "log", path / "mark")
    offsets = [record.offset for record in log.replay()]
    log.close()
    return offsets[-1]


def test_a_mark_without_a_mac_is_refused(world: World) -> None:
    """Otherwise somebody without keys could cut the log short and write a mark that fits."""
    path = world.root / "hot"
    mark = load((path / "mark").read_bytes(), "mark")
    (path / "mark").write_bytes(dump({**mark, "mac": bytes(32)}))

    with pytest.raises(LogTampered, match="mark"):
        world.open("hot")


def test_a_chained_record_of_another_shape_is_noticed(world: World) -> None:
    home = world.open("hot")
    body = dump({"v": 2})
    head = hashlib.sha256(b"hk/log/v1" + home.log.head + body).digest()
    home.log._write(len(body).to_bytes(4, "big") + body + head + bytes(32))
    home.close()

    with pytest.raises(LogTampered, match="shape"):
        Home(world.root / "hot")


def test_a_record_too_large_is_not_written(hot: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    size = hot.path.joinpath("log").stat().st_size
    monkeypatch.setattr(log_module, "RECORD_BYTES_MAX", 100)

    with pytest.raises(LogDamaged):
        hot.log.append(LogKind.REFUSED, NOW_S, {"x": bytes(100)})
    assert size == hot.path.joinpath("log").stat().st_size


def test_there_is_no_record_past_the_end(hot: Home) -> None:
    with pytest.raises(LogTampered):
        hot.log.read(hot.path.joinpath("log").stat().st_size)


def test_a_forged_record_without_a_mac_changes_nothing(world: World) -> None:
    path = world.root / "hot"
    home = Home(path)
    home.log.append(LogKind.CONFIGURED, NOW_S, {"config_sha256": b"", "policy_sha256": b""})
    home.close()

    with pytest.raises(LogTampered):
        Home(path)


def test_a_record_of_another_shape_is_noticed(world: World) -> None:
    home = world.open("hot")
    home.log.append(LogKind.SIGNED, NOW_S, {"request_id": "x"})
    home.close()

    with pytest.raises(LogTampered):
        Home(world.root / "hot")


def test_a_forged_mark_is_noticed_when_the_keys_are_there(world: World) -> None:
    path = world.root / "hot"
    home = Home(path)
    mark = {"v": 1, "counter": home.log.counter, "head": home.log.head, "mac": b"\x01" * 32}
    home.close()
    (path / "mark").write_bytes(dump(mark))

    with pytest.raises(LogTampered):
        world.open("hot")


@pytest.mark.parametrize("use", ["seed", "identity"])
def test_another_homes_keys_are_refused(world: World, use: str) -> None:
    shutil.copy(world.root / "cold" / "keys" / f"{use}.hk1", world.root / "hot" / "keys")

    with pytest.raises(HomeError, match="key file of cold"):
        world.open("hot")


def test_another_seed_under_this_homes_name_is_refused(world: World) -> None:
    file = world.root / "hot" / "keys" / "seed.hk1"
    seed = bytes(range(32))
    header = replace(
        header_of(file.read_bytes()),
        public_hash=hashlib.sha256(public_value(SecretUse.SEED, seed)).digest(),
    )
    file.write_bytes(encode_key(header, seed, world.kek, drip("x")))

    with pytest.raises(HomeError, match="another seed"):
        world.open("hot")


@pytest.mark.parametrize("place", [0, 1])
def test_changed_configuration_is_not_used_until_activated(world: World, place: int) -> None:
    folder = world.root / "hot" / "config"
    file = sorted(folder.iterdir())[place]
    file.write_text(file.read_text() + "\n# more\n")

    with pytest.raises(NotActivated):
        Home(world.root / "hot")
    home = Home(world.root / "hot", any_config=True)
    with pytest.raises(NotActivated):
        home.activated()
    home.unlock(world.kek)
    home.configure(CONFIG.encode(), POLICY.encode(), NOW_S)
    home.close()
    assert "bitcoin-hot" in world.open("hot").vaults


def test_a_lost_configuration_file_is_said(world: World) -> None:
    for file in (world.root / "hot" / "config").iterdir():
        file.unlink()

    with pytest.raises(NotActivated):
        Home(world.root / "hot")


def test_killed_before_the_activation_is_recorded_the_old_one_counts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    home = world.open("hot")
    before = home.activated().policy.hash
    with monkeypatch.context() as patch:
        patch.setattr(Log, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            home.configure(CONFIG.encode(), POLICY.replace("3600", "60").encode(), NOW_S)
    home.close()

    assert before == world.open("hot").activated().policy.hash


def test_a_window_longer_than_the_memory_is_refused(hot: Home) -> None:
    policy = POLICY.replace("seconds = 3600", "seconds = 99999999")

    with pytest.raises(ConfigError):
        hot.configure(CONFIG.encode(), policy.encode(), NOW_S)


def test_a_home_is_made_wholly_or_not_at_all(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Log, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            create(tmp_path / "new", "new", world.kek, drip("n"), NOW_S)

    assert not (tmp_path / "new").exists()
    create(tmp_path / "new", "new", world.kek, drip("n"), NOW_S)
    Home(tmp_path / "new").close()


def test_a_locked_home_gives_no_keys(world: World) -> None:
    home = world.open("hot", unlock=False)

    with pytest.raises(HomeError):
        home.unlocked()
    home.close()


def test_a_wrong_passphrase_leaves_the_home_locked(world: World) -> None:
    home = world.open("hot", unlock=False)

    with pytest.raises(SignerError):
        home.unlock(PassphraseKek(b"another"))
    assert home.keys is None
    home.close()


def test_an_account_is_bound_to_its_network_for_ever(hot: Home) -> None:
    assert hot.account(BTC, MULTISIG_BTC, NOW_S) == hot.account(BTC, MULTISIG_BTC, NOW_S)
    with pytest.raises(KeyBoundElsewhere):
        hot.account(LTC, MULTISIG_BTC, NOW_S)


@pytest.mark.parametrize(
    "path",
    [
        (),
        (48 + HARDENED, 1 + HARDENED),
        (48 + HARDENED, 1 + HARDENED, 0),
        (48 + HARDENED, 0 + HARDENED, 0 + HARDENED),
    ],
)
def test_paths_that_leak_or_are_of_another_coin_are_refused(
    hot: Home, path: tuple[int, ...]
) -> None:
    with pytest.raises(RegistryError):
        hot.account(BTC, path, NOW_S)


def test_an_account_of_an_unknown_network_is_refused(hot: Home) -> None:
    with pytest.raises(RegistryError, match="unknown network"):
        hot.account("dogecoin", (87 + HARDENED, HARDENED, HARDENED), NOW_S)


@pytest.mark.parametrize("number", [-1, HARDENED])
def test_an_account_number_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(RegistryError):
        standard_path(KeyUse.MULTISIG, 0, number)


def test_standard_paths() -> None:
    assert "m/48h/2h/1h/2h" == path_text(standard_path(KeyUse.MULTISIG, 2, 1))
    assert "m/84h/0h/0h" == path_text(standard_path(KeyUse.SINGLE, 0, 0))
    assert "m/44h/60h/3h" == path_text(standard_path(KeyUse.EVM, 60, 3))


def test_an_evm_vault_has_no_change_branch(hot: Home) -> None:
    with pytest.raises(RegistryError):
        address_at(hot.vaults["ethereum-hot"].vault, hot.networks, 1, 0)


def evm_file(hot: Home, network: str) -> bytes:
    text = hot.state.vaults["ethereum-deposit"].text.decode()
    return text.replace("ethereum-deposit", "x").replace(ETH, network).encode()


def test_a_vault_of_a_network_that_is_not_configured_is_refused(hot: Home) -> None:
    with pytest.raises(RegistryError, match="got network ethereum,"):
        hot.register(evm_file(hot, "ethereum"), Role.DEPOSIT, NOW_S)


def test_an_evm_vault_on_a_utxo_network_is_refused(hot: Home) -> None:
    with pytest.raises(RegistryError, match="another kind"):
        hot.register(evm_file(hot, BTC), Role.DEPOSIT, NOW_S)


def vault_file(home: Home, **changes: str) -> bytes:
    spare = (*MULTISIG_BTC[:2], 7 + HARDENED, MULTISIG_BTC[3])
    parts = [account(home, BTC, spare)]
    parts += [origin(chain, MULTISIG_BTC, BUILTIN[BTC].xpub_version) for chain in SOFT.values()]
    text = multisig_descriptor(Template.WSH_MULTI, 2, parts)
    fields = {"name": "x", "network": BTC, "kind": "descriptor", "descriptor": text, **changes}
    return "".join(f'{key} = "{value}"\n' for key, value in fields.items()).encode()


def test_a_vault_is_registered_once_and_the_same_again(hot: Home) -> None:
    first = hot.register(vault_file(hot), Role.HOT, NOW_S)
    counter = hot.log.counter

    assert first == hot.register(vault_file(hot), Role.HOT, NOW_S)
    assert counter == hot.log.counter


def test_our_key_in_a_second_vault_is_refused(hot: Home) -> None:
    """Two vaults would count the same coins in two windows."""
    text = hot.state.vaults["bitcoin-hot"].text.replace(b"bitcoin-hot", b"again")
    with pytest.raises(KeyInTwoVaults) as caught:
        hot.register(text, Role.HOT, NOW_S)

    assert "registry.key_in_two_vaults" == caught.value.code
    assert "again" not in hot.vaults


@pytest.mark.parametrize(("threshold", "fits"), [(1, False), (2, True), (3, True)])
def test_two_quorums_without_a_common_member_are_refused(
    hot: Home, threshold: int, fits: bool
) -> None:
    parts = [KeyOrigin.parse(text) for text in _keys_of(vault_file(hot))]
    text = vault_file(hot, descriptor=multisig_descriptor(Template.WSH_MULTI, threshold, parts))
    if fits:
        hot.register(text, Role.HOT, NOW_S)
        return
    with pytest.raises(WeakQuorum) as caught:
        hot.register(text, Role.HOT, NOW_S)

    assert "registry.weak_quorum" == caught.value.code


def _keys_of(text: bytes) -> list[str]:
    return re.findall(r"(\[[^]]*\][0-9A-Za-z]+)/<0;1>", text.decode())


def test_another_vault_of_a_known_name_is_refused(hot: Home) -> None:
    with pytest.raises(RegistryError):
        hot.register(vault_file(hot, name="bitcoin-cold"), Role.HOT, NOW_S)
    with pytest.raises(RegistryError):
        hot.register(hot.state.vaults["bitcoin-hot"].text, Role.COLD, NOW_S)


def test_a_vault_with_two_keys_of_ours_is_refused(hot: Home) -> None:
    parts = [account(hot, BTC, MULTISIG_BTC), account(hot, BTC, COLD_BTC)]
    parts.append(origin(SOFT["third"], MULTISIG_BTC, BUILTIN[BTC].xpub_version))
    text = multisig_descriptor(Template.WSH_MULTI, 2, parts)

    with pytest.raises(TwoOwnKeys):
        hot.register(vault_file(hot, descriptor=text), Role.HOT, NOW_S)


def test_our_fingerprint_over_a_foreign_key_is_refused(hot: Home) -> None:
    """Fingerprints can be ground; only the exact key counts."""
    foreign = origin(SOFT["third"], MULTISIG_BTC, BUILTIN[BTC].xpub_version)
    fake = foreign.text.replace(foreign.fingerprint.hex(), hot.state.fingerprint)
    others = [origin(SOFT["second"], MULTISIG_BTC, BUILTIN[BTC].xpub_version)]
    text = multisig_descriptor(Template.WSH_MULTI, 2, [type(foreign).parse(fake), *others])

    with pytest.raises(NoOwnKey):
        hot.register(vault_file(hot, descriptor=text), Role.HOT, NOW_S)


def test_our_key_under_another_origin_is_refused(hot: Home) -> None:
    text = hot.state.vaults["bitcoin-hot"].text.decode()
    body = text.split('descriptor = "')[1].split("#")[0]
    moved = body.replace(hot.state.fingerprint, "00000000", 1)
    with pytest.raises(NoOwnKey):
        hot.register(vault_file(hot, descriptor=with_checksum(moved)), Role.HOT, NOW_S)


def test_our_key_in_its_slip132_form_is_ours(hot: Home) -> None:
    """Vpub is what other wallets write for the tpub of a P2WSH account."""
    text = vault_file(hot)
    mine = hot.parse_vault(text, Role.HOT).own
    assert mine is not None
    body = text.decode().split('descriptor = "')[1].split("#")[0]
    raw = bytes.fromhex("02575483") + base58.decode_check(mine.xpub)[4:]
    vpub = str(base58.encode_check(raw))

    vault, first, _ = hot.register(
        vault_file(hot, descriptor=with_checksum(body.replace(mine.xpub, vpub))), Role.HOT, NOW_S
    )

    assert vpub.startswith("Vpub")
    assert mine == vault.own
    assert first == address_at(hot.parse_vault(text, Role.HOT).vault, hot.networks, 0, 0)


def test_our_key_in_a_vault_of_another_network_is_refused(hot: Home) -> None:
    """Regtest BTC and LTC share a coin type: only the binding tells them apart."""
    with pytest.raises(KeyBoundElsewhere):
        hot.register(vault_file(hot, network=LTC), Role.HOT, NOW_S)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"network": "dogecoin"}, "vault.invalid"),
        ({"network": ETH}, "vault.invalid"),
        ({"kind": "other"}, "vault.invalid"),
        ({"descriptor": "wpkh(x)"}, "descriptor.bad_checksum"),
        ({"name": "a b"}, "config.invalid"),
        ({"extra": "1"}, CodecError.code),
    ],
)
def test_a_vault_file_that_does_not_fit_is_refused(
    hot: Home, changes: dict[str, str], code: str
) -> None:
    with pytest.raises(SignerError) as caught:
        hot.register(vault_file(hot, **changes), Role.HOT, NOW_S)
    assert code == caught.value.code


def test_a_safe_of_another_chain_is_refused(hot: Home) -> None:
    counter, config = hot.log.counter, CONFIG.replace("chain_id = 31337", "chain_id = 31338")

    with pytest.raises(RegistryError):
        hot.configure(config.encode(), POLICY.encode(), NOW_S)

    assert counter == hot.log.counter


def test_registration_survives_only_with_its_proof(world: World) -> None:
    home = world.open("hot")
    record = home.state.vaults["bitcoin-cold"]
    forged = {"name": "evil", "role": "cold", "text": record.text, "proof": bytes(32)}
    forged["text"] = record.text.replace(b"bitcoin-cold", b"evil")
    home.log.append(LogKind.REGISTERED, NOW_S, forged)
    home.close()

    with pytest.raises(RegistryError):
        world.open("hot")


def test_a_vault_whose_network_was_taken_out_sleeps(hot: Home) -> None:
    start = CONFIG.index(f'[[networks]]\nid = "{LTC}"')
    end = CONFIG.index(f'[[networks]]\nid = "{ETH}"')
    without = CONFIG[:start] + CONFIG[end:]

    hot.configure(without.encode(), POLICY.encode(), NOW_S)

    assert "litecoin-hot" not in hot.vaults
    assert "bitcoin-hot" in hot.vaults


def test_deposit_vaults_and_destinations_are_known(hot: Home, cold: Home) -> None:
    assert hot.vaults["bitcoin-cold"].own is None
    assert cold.vaults["bitcoin-hot"].own is None
    owned = cold.vaults["ethereum-cold"].own
    assert owned is not None
    assert EVM_HOT == owned.path
    mine = hot.vaults["litecoin-hot"].own
    assert mine is not None
    assert MULTISIG_LTC == mine.path


def test_a_damaged_log_says_so() -> None:
    assert issubclass(LogTampered, LogDamaged)
