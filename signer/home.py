"""A signer's home folder: key files, configuration, log and mark, opened by one process at a time.

Open a home and it knows its vaults, limits and memory without any secret; unlock it to sign.
"""

import fcntl
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chains.hd import path_text
from signer import activation, registry
from signer.config import CONFIG_BYTES_MAX, ConfigError, SignerConfig, load_config
from signer.derive import KeyChain
from signer.entropy import RandomBytes
from signer.errors import SignerError
from signer.guards.facts import NetworkRules, RegisteredVault, Role
from signer.keystore import (
    HOME_USES,
    Kek,
    KeyFile,
    OpenedKey,
    SecretUse,
    encode_key,
    key_file,
    key_files,
    new_header,
    open_key,
    rewrap,
    settle,
)
from signer.log import Log, LogKind
from signer.protocol import Approval, IdentityKey, Proposal, digest
from signer.registry import Account
from signer.spending import MONTH_S
from signer.state import BackupEvent, State
from signer.storage import StorageError, read_limited, write_atomic


class HomeError(SignerError):
    """A home that is missing, in use, or not set up yet."""

    code = "home.unusable"


class NotActivated(HomeError):
    """Configuration files that are not the ones a person activated."""

    code = "config.not_activated"


class KeyExists(HomeError):
    """An imported key that the home has already."""

    code = "home.key_exists"


@dataclass(frozen=True, slots=True)
class Keys:
    """The secrets of a home while it is unlocked."""

    chain: KeyChain = field(repr=False)
    identity: IdentityKey = field(repr=False)
    state_key: bytes = field(repr=False)

    def sign_identity(self, domain: str, body: bytes) -> bytes:
        """Ed25519 signature of a body by this signer's identity."""
        return self.identity.sign(digest(domain, body))

    def auxiliary(self, message: bytes) -> bytes:
        """BIP-340's auxiliary data for one message: unknown outside, and the same every time.

        Drawn at random it would blind power measurements better; derived, a second signer with the
        same keys gives the same signature, so that a nonce with a leak in it is noticed.
        """
        return hmac.digest(self.state_key, b"hk/bip340-aux/v1" + message, "sha256")


class Home:
    """An open home. Close it to let another process in.

    With `any_config` it opens, unable to sign, also when its configuration files were changed.
    """

    def __init__(
        self, path: Path, *, any_config: bool = False, random: RandomBytes = os.urandom
    ) -> None:
        self.path = path
        self._random = random
        if not path.joinpath("mark").exists():
            raise HomeError(f"got no signer home in {path}, expected one made by init")
        self._lock = os.open(path.joinpath("lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise HomeError("got a home in use by another process, expected it free") from error
        self.log = Log(path.joinpath("log"), path.joinpath("mark"))
        self.state = State()
        self.keys: Keys | None = None
        try:
            settle(path)
            for record in self.log.replay():
                self.state.apply(record)
            self.config = self._load_config(any_config)
            self.vaults = self._load_vaults(self.config)
        except SignerError:
            self.close()
            raise

    def close(self) -> None:
        """Release the log and the lock; forget the keys."""
        self.keys = None
        if self._lock < 0:
            return
        self.log.close()
        os.close(self._lock)
        self._lock = -1

    @property
    def networks(self) -> Mapping[str, NetworkRules]:
        """The networks of the activated configuration."""
        return self.config.networks if self.config is not None else {}

    def activated(self) -> SignerConfig:
        """The configuration. Raises NotActivated before `configure`."""
        if self.config is None:
            raise NotActivated("got a home without configuration, expected `configure` first")
        return self.config

    def unlocked(self) -> Keys:
        """The keys. Raises HomeError while locked."""
        if self.keys is None:
            raise HomeError("got a locked home, expected it unlocked")
        return self.keys

    def unlock(self, kek: Kek) -> Keys:
        """Open the three key files, check them against the log, and check the log's MACs.

        Files that are still `HK0` are wrapped again as `HK1` under the same KEK.
        """
        opened = {use: self._open_key(use, kek) for use in HOME_USES}
        self.log.authenticate(opened[SecretUse.STATE].secret)
        keys = Keys(
            KeyChain(opened[SecretUse.SEED].secret),
            IdentityKey(opened[SecretUse.IDENTITY].secret),
            opened[SecretUse.STATE].secret,
        )
        if keys.chain.fingerprint != self.state.fingerprint:
            raise HomeError("got another seed than this home was made with")
        self._check_proofs(self.vaults, keys)
        if any(key_file(self._keys_folder, use).legacy for use in HOME_USES):
            rewrap(self.path, kek, kek, self._random)
        self.keys = keys
        return keys

    def key_files(self) -> tuple[KeyFile, ...]:
        """The home's key files, not yet authenticated. Raises KeystoreError."""
        return key_files(self._keys_folder)

    @property
    def hk0_remaining(self) -> int:
        """How many key files are still under 3DES."""
        return sum(file.legacy for file in self.key_files())

    def rewrap(self, old: Kek, new: Kek) -> tuple[KeyFile, ...]:
        """Write every key file as `HK1` under a new KEK, after checking that the old one is right.

        Raises KeystoreError, HomeError; a kill leaves all files old or all files new.
        """
        self.unlock(old)
        return rewrap(self.path, old, new, self._random)

    def import_key(self, secret: bytes, name: str, kek: Kek, time_s: int) -> KeyFile:
        """Keep a single secp256k1 key from elsewhere, under the home's KEK. Raises HomeError.

        It is no part of the seed and signs no request; its backup is not the seed's.
        """
        self.unlock(kek)
        file = f"{SecretUse.SINGLE}-{name}"
        if any(file == known.name for known in self.key_files()):
            raise KeyExists(f"got {file}, which this home has already")
        header = new_header(
            f"{self.state.signer_id}/{file}", SecretUse.SINGLE, secret, self._time(time_s)
        )
        data = encode_key(header, secret, kek, self._random)
        write_atomic(self._keys_folder.joinpath(f"{file}.hk1"), data)
        return KeyFile(file, data)

    def proposal(self, config_text: bytes, policy_text: bytes) -> Proposal:
        """What people would approve to activate these files. Raises ConfigError, PreviousMissing.

        Without the activated files nobody can say what would change, nor who may approve it.
        """
        check_windows(load_config(config_text, policy_text))
        previous = (b"", b"")
        if self.config is not None:
            previous = (
                self._pinned(self.state.config_sha256),
                self._pinned(self.state.policy_sha256),
            )
        elif self.state.governance_quorum:
            raise activation.PreviousMissing(
                "got changed or lost configuration files, expected the activated ones put back"
            )
        return Proposal(
            signer_id=self.state.signer_id,
            number=self.state.activations + 1,
            previous_config=previous[0],
            previous_policy=previous[1],
            config=config_text,
            policy=policy_text,
        )

    def configure(
        self,
        config_text: bytes,
        policy_text: bytes,
        time_s: int,
        approvals: Sequence[Approval] = (),
    ) -> SignerConfig:
        """Activate a configuration. Needs the keys; raises before anything changed.

        After the first time it takes the quorum that the activated configuration asks for. Files
        are named by their hash, so until the record pins the new ones the old ones count.
        """
        keys = self.unlocked()
        proposal = self.proposal(config_text, policy_text)
        activation.check_quorum(
            proposal.digest, approvals, self.config, self.state.governance_quorum
        )
        config = load_config(config_text, policy_text)
        vaults = self._load_vaults(config)
        self._check_proofs(vaults, keys)
        write_atomic(self._config_file(config.config_sha256), config_text)
        write_atomic(self._config_file(config.policy_sha256), policy_text)
        pinned = {
            "config_sha256": config.config_sha256,
            "policy_sha256": config.policy_sha256,
            "policy_hash": config.policy.hash,
            "governance_quorum": config.governance_quorum,
            "approvals": [[approval.body, approval.sig] for approval in approvals],
        }
        self.state.apply(self.log.append(LogKind.CONFIGURED, self._time(time_s), pinned))
        self.config = config
        self.vaults = vaults
        return config

    def account(self, network: str, path: tuple[int, ...], time_s: int) -> Account:
        """Issue the account key at a path, bound for ever to one network. Needs the keys."""
        keys = self.unlocked()
        known = self.state.accounts.get(path)
        if known is not None and known.network != network:
            raise registry.KeyBoundElsewhere(
                f"got {path_text(path)} for {network}, expected {known.network} as issued before"
            )
        if known is not None:
            return known
        version, coin_type = registry.key_numbers(network, self.networks)
        registry.check_account_path(path, coin_type)
        xpub = keys.chain.node(path).xpub(version)
        data = {"network": network, "path": list(path), "xpub": xpub}
        self.state.apply(self.log.append(LogKind.ACCOUNT, self._time(time_s), data))
        return self.state.accounts[path]

    def register(self, text: bytes, role: Role, time_s: int) -> tuple[RegisteredVault, str, bytes]:
        """Register a vault file. Gives the vault, its first address, and the proof."""
        keys = self.unlocked()
        vault = self.parse_vault(text, role)
        known = self.state.vaults.get(vault.name)
        if known is not None and (known.text != text or known.role != role):
            raise registry.RegistryError(f"got another vault {vault.name}, expected a new name")
        registry.check_own_key_is_free(vault, self.vaults.values())
        first = registry.first_address(vault.vault, self.networks)
        proof = _proof(keys, vault, text)
        if known is None:
            data = {"name": vault.name, "role": str(role), "text": text, "proof": proof}
            self.state.apply(self.log.append(LogKind.REGISTERED, self._time(time_s), data))
            self.vaults = {**self.vaults, vault.name: vault}
        return vault, first, proof

    def parse_vault(self, text: bytes, role: Role) -> RegisteredVault:
        """A vault file as it would be registered. Raises RegistryError."""
        self.activated()
        return self._parse_vault(text, role, self.networks)

    def _parse_vault(
        self, text: bytes, role: Role, networks: Mapping[str, NetworkRules]
    ) -> RegisteredVault:
        accounts = tuple(self.state.accounts.values())
        return registry.registered(text, role, networks, accounts, self.state.fingerprint)

    def seed(self, kek: Kek) -> bytes:
        """The seed itself, for a backup and nothing else. Needs the keys, and what opens them."""
        self.unlocked()
        return self._open_key(SecretUse.SEED, kek).secret

    def note_backup(self, event: BackupEvent, backup_id: str, time_s: int) -> None:
        """Write down that a backup was made or tried. Needs the keys."""
        self.unlocked()
        data = {"event": str(event), "backup_id": backup_id}
        self.state.apply(self.log.append(LogKind.BACKUP, self._time(time_s), data))

    def _time(self, time_s: int) -> int:
        """Never before the last record, whatever the clock says."""
        return max(time_s, self.log.last_time_s)

    @property
    def _keys_folder(self) -> Path:
        return self.path.joinpath("keys")

    def _open_key(self, use: SecretUse, kek: Kek) -> OpenedKey:
        opened = open_key(key_file(self._keys_folder, use).data, kek)
        expected = (use, f"{self.state.signer_id}/{use}")
        if (opened.header.use, opened.header.kid) != expected:
            raise HomeError(f"got the key file of {opened.header.kid}, expected {expected[1]}")
        return opened

    def _config_file(self, sha256: bytes) -> Path:
        return self.path.joinpath("config", f"{sha256.hex()}.toml")

    def _load_config(self, any_config: bool) -> SignerConfig | None:
        if not self.state.config_sha256:
            return None
        try:
            pinned = (self.state.config_sha256, self.state.policy_sha256)
            return load_config(*(self._pinned(sha256) for sha256 in pinned))
        except NotActivated:
            if any_config:
                return None
            raise

    def _pinned(self, sha256: bytes) -> bytes:
        try:
            text = read_limited(self._config_file(sha256), CONFIG_BYTES_MAX)
        except StorageError as error:
            raise NotActivated(f"{error}; expected `configure` with the file") from error
        if hashlib.sha256(text).digest() != sha256:
            raise NotActivated(
                "got a changed configuration file, expected `configure` to accept it"
            )
        return text

    def _load_vaults(self, config: SignerConfig | None) -> dict[str, RegisteredVault]:
        """The registered vaults; one whose network is not configured sleeps."""
        networks = config.networks if config is not None else {}
        return {
            record.name: self._parse_vault(record.text, Role(record.role), networks)
            for record in self.state.vaults.values()
            if registry.network_of(record.text) in networks
        }

    def _check_proofs(self, vaults: Mapping[str, RegisteredVault], keys: Keys) -> None:
        for vault in vaults.values():
            record = self.state.vaults[vault.name]
            if not hmac.compare_digest(_proof(keys, vault, record.text), record.proof):
                raise registry.RegistryError(f"got vault {vault.name} without its proof")


def check_windows(config: SignerConfig) -> None:
    """Raise ConfigError for a window longer than the signer remembers."""
    for rule in config.policy.payments:
        for window in rule.windows:
            if window.seconds > MONTH_S:
                raise ConfigError(f"got a window of {window.seconds} s, expected at most {MONTH_S}")


def _proof(keys: Keys, vault: RegisteredVault, text: bytes) -> bytes:
    body = registry.proof_body(vault, text)
    return hmac.digest(keys.state_key, b"hk/registration/v1" + body, "sha256")
