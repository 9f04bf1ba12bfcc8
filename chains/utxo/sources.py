"""What coins can belong to: a vault with many indexes, or one key with a single script."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chains.utxo import scripts
from chains.utxo.descriptors import ScriptKey, Template, VaultScript


class ScriptSource(Protocol):
    """What sizes, PSBTs and coin selection need to know of the owner of a coin."""

    @property
    def template(self) -> Template:
        """The shape of its scripts."""
        ...

    @property
    def threshold(self) -> int:
        """Signatures that an input needs."""
        ...

    @property
    def keys(self) -> Sequence[object]:
        """Its keys; only how many counts here."""
        ...

    @property
    def is_segwit(self) -> bool:
        """Whether its signatures go into the witness."""
        ...

    def script_at(self, branch: int, index: int) -> VaultScript:
        """The script at an index."""
        ...


@dataclass(frozen=True, slots=True)
class SingleKey:
    """One compressed key and its P2WPKH script: no derivation, change comes back to it."""

    public_key: bytes

    @property
    def template(self) -> Template:
        """P2WPKH."""
        return Template.WPKH

    @property
    def threshold(self) -> int:
        """One signature."""
        return 1

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The one key."""
        return (self.public_key,)

    @property
    def is_segwit(self) -> bool:
        """P2WPKH is."""
        return True

    @property
    def script_pubkey(self) -> bytes:
        """The script of all its coins."""
        return scripts.p2wpkh(scripts.hash160(self.public_key))

    def script_at(self, branch: int, index: int) -> VaultScript:  # noqa: ARG002 - there is only one
        """The same script everywhere; its key is its own master, with an empty path (BIP-174)."""
        fingerprint = scripts.hash160(self.public_key)[:4]
        return VaultScript(
            script_pubkey=self.script_pubkey,
            redeem_script=b"",
            witness_script=b"",
            keys=(ScriptKey(public_key=self.public_key, fingerprint=fingerprint, path=()),),
        )
