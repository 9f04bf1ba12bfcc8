"""The numbers that tell one chain of the Bitcoin family from another."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum

from chains.errors import ChainError


class ParamsError(ChainError):
    """A configured chain whose parameters are incomplete, unknown or of the wrong type."""

    code = "params.invalid"


class ProofOfWork(StrEnum):
    """The hash that a block header must bring below its target."""

    SHA256D = "sha256d"
    SCRYPT = "scrypt"


class Difficulty(StrEnum):
    """How the targets of blocks follow each other; `chains.utxo.difficulty` knows the rules."""

    BITCOIN = "bitcoin"
    BITCOIN_TESTNET = "bitcoin-testnet"
    BITCOIN_TESTNET4 = "bitcoin-testnet4"
    LITECOIN = "litecoin"
    LITECOIN_TESTNET = "litecoin-testnet"
    FIXED = "fixed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class UtxoParams:
    """One network. Amounts are base units (satoshi), feerates base units per 1000 vbytes.

    `p2sh_legacy` is a version byte that other chains use too: refused on input, never written.
    `hrp` and `mweb_hrp` are empty where the chain has no such addresses.
    `subsidy_sats` is what a first block created; it halves every `halving_blocks` (0: not known).
    `xpub_version` is the BIP-32 version of its account keys, `coin_type` its SLIP-44 number.
    """

    id: str
    native: str
    p2pkh: int
    p2sh: int
    p2sh_legacy: int | None = None
    hrp: str = ""
    mweb_hrp: str = ""
    xpub_version: int = 0x0488B21E
    coin_type: int
    money_sats_max: int
    dust_sats: int
    segwit: bool = True
    taproot: bool = True
    pow: str = ProofOfWork.SHA256D
    pow_limit_bits: int
    difficulty: str = Difficulty.UNKNOWN
    auxpow_chain_id: int | None = None
    subsidy_sats: int = 0
    halving_blocks: int = 0

    @property
    def mweb(self) -> bool:
        """Whether blocks may end in a HogEx transaction and an extension block."""
        return self.mweb_hrp != ""


_XPUB = 0x0488B21E
_TPUB = 0x043587CF
_BTC_MONEY_MAX = 21_000_000 * 10**8
_LTC_MONEY_MAX = 84_000_000 * 10**8
_SUBSIDY_SATS = 50 * 10**8
_REGTEST_HALVING = 150
_DIFFICULTY: Mapping[str, Difficulty] = {
    "bitcoin-signet": Difficulty.BITCOIN,
    "bitcoin-regtest": Difficulty.FIXED,
    "litecoin-regtest": Difficulty.FIXED,
}
"""Rules that carry another name than their network."""


def _bitcoin(network: str, hrp: str, pow_limit_bits: int) -> UtxoParams:
    main = network == "bitcoin"
    return UtxoParams(
        id=network,
        native="BTC",
        p2pkh=0x00 if main else 0x6F,
        p2sh=0x05 if main else 0xC4,
        hrp=hrp,
        xpub_version=_XPUB if main else _TPUB,
        coin_type=0 if main else 1,
        money_sats_max=_BTC_MONEY_MAX,
        dust_sats=546,
        pow_limit_bits=pow_limit_bits,
        subsidy_sats=_SUBSIDY_SATS,
        halving_blocks=_REGTEST_HALVING if network.endswith("regtest") else 210_000,
        difficulty=_DIFFICULTY.get(network) or Difficulty(network),
    )


def _litecoin(network: str, hrp: str, mweb_hrp: str, pow_limit_bits: int) -> UtxoParams:
    main = network == "litecoin"
    return UtxoParams(
        id=network,
        native="LTC",
        p2pkh=0x30 if main else 0x6F,
        p2sh=0x32 if main else 0x3A,
        p2sh_legacy=0x05 if main else 0xC4,
        hrp=hrp,
        mweb_hrp=mweb_hrp,
        xpub_version=_XPUB if main else _TPUB,
        coin_type=2 if main else 1,
        money_sats_max=_LTC_MONEY_MAX,
        dust_sats=5460,
        pow=ProofOfWork.SCRYPT,
        pow_limit_bits=pow_limit_bits,
        subsidy_sats=_SUBSIDY_SATS,
        halving_blocks=_REGTEST_HALVING if network.endswith("regtest") else 840_000,
        difficulty=_DIFFICULTY.get(network) or Difficulty(network),
    )


BUILTIN: Mapping[str, UtxoParams] = {
    params.id: params
    for params in (
        _bitcoin("bitcoin", "bc", 0x1D00FFFF),
        _bitcoin("bitcoin-testnet", "tb", 0x1D00FFFF),
        _bitcoin("bitcoin-testnet4", "tb", 0x1D00FFFF),
        _bitcoin("bitcoin-signet", "tb", 0x1E0377AE),
        _bitcoin("bitcoin-regtest", "bcrt", 0x207FFFFF),
        _litecoin("litecoin", "ltc", "ltcmweb", 0x1E0FFFFF),
        _litecoin("litecoin-testnet", "tltc", "tmweb", 0x1E0FFFFF),
        _litecoin("litecoin-regtest", "rltc", "tmweb", 0x207FFFFF),
    )
}
"""Networks that need no configuration."""

_TYPES: Mapping[str, tuple[type, ...]] = {
    "id": (str,),
    "native": (str,),
    "p2sh_legacy": (int, type(None)),
    "hrp": (str,),
    "mweb_hrp": (str,),
    "segwit": (bool,),
    "taproot": (bool,),
    "pow": (str,),
    "difficulty": (str,),
    "auxpow_chain_id": (int, type(None)),
}


def params_from(mapping: Mapping[str, object]) -> UtxoParams:
    """Parameters of a chain that is known by configuration alone.

    Raises ParamsError naming every unknown, missing or mistyped key.
    """
    known = {field.name: field for field in fields(UtxoParams)}
    wrong = [f"unknown key {name!r}" for name in mapping if name not in known]
    for name, field in known.items():
        if name not in mapping:
            if field.default is MISSING:
                wrong.append(f"missing key {name!r}")
            continue
        expected = _TYPES.get(name, (int,))
        if type(mapping[name]) not in expected:
            names = " or ".join(kind.__name__ for kind in expected)
            wrong.append(f"key {name!r}: got {type(mapping[name]).__name__}, expected {names}")
    if not wrong and mapping.get("pow", ProofOfWork.SHA256D) not in list(ProofOfWork):
        wrong.append(f"key 'pow': got {mapping['pow']!r}, expected one of {list(ProofOfWork)}")
    if not wrong and mapping.get("difficulty", Difficulty.UNKNOWN) not in list(Difficulty):
        wrong.append(
            f"key 'difficulty': got {mapping['difficulty']!r}, expected one of {list(Difficulty)}"
        )
    if wrong:
        raise ParamsError("; ".join(wrong))
    # Every key was checked against the dataclass just above.
    return UtxoParams(**mapping)  # type: ignore[arg-type]
