"""Known answers that every run must give before a key is used."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from Crypto.Cipher import AES, DES3

from chains.evm.hashing import keccak256
from chains.evm.safe import DOMAIN_TYPEHASH, SAFE_TX_TYPEHASH
from chains.utxo import taproot
from chains.utxo.scripts import hash160
from signer import derive, secp
from signer.entropy import hkdf
from signer.errors import SignerError
from signer.keystore import KdfCost, PassphraseKek, seal, unseal
from signer.keystore.hk0 import triple_key
from signer.protocol import identity_sign, public_key_of, verify


class SelfCheckFailed(SignerError):
    """A primitive gave a wrong answer: this machine must not sign."""

    code = "selfcheck.failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One known-answer test: its name and whether it held."""

    name: str
    ok: bool


_XPUB_VERSION = 0x0488B21E
_SAFE_TX = (
    "SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,"
    "uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce)"
)


def run() -> tuple[Check, ...]:
    """Every check, in order."""
    return tuple(Check(name, check()) for name, check in _CHECKS)


def require() -> None:
    """Raise SelfCheckFailed naming what is wrong."""
    failed = [check.name for check in run() if not check.ok]
    if failed:
        raise SelfCheckFailed(f"got wrong answers from {', '.join(failed)}")


def _sha256() -> bool:
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    return hashlib.sha256(b"abc").hexdigest() == expected


def _hash160() -> bool:
    key = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
    return hash160(key).hex() == "751e76e8199196d454941c45d1b3a323f1433bd6"


def _keccak() -> bool:
    domain = keccak256(b"EIP712Domain(uint256 chainId,address verifyingContract)")
    return keccak256(_SAFE_TX.encode()) == SAFE_TX_TYPEHASH and domain == DOMAIN_TYPEHASH


def _bip32() -> bool:
    """BIP-32 test vector 1, m/0h/1."""
    node = derive.master(bytes(range(16))).child(0x80000000).child(1)
    return node.xpub(_XPUB_VERSION) == (
        "xpub6ASuArnXKPbfEwhqN6e3mwBcDTgzisQN1wXN9BJcM47sSikHjJf3UFHKkNAWbWMiGj7Wf5uMash7SyYq527"
        "Hqck2AxYysAA7xmALppuCkwQ"
    )


def _rfc6979() -> bool:
    """Key 1 over SHA-256("Satoshi Nakamoto"), as published with the first implementations."""
    secret = (1).to_bytes(32, "big")
    digest = hashlib.sha256(b"Satoshi Nakamoto").digest()
    signature = secp.sign_rsv(secret, digest)
    expected = "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
    public = secp.public_key(secret)
    return signature[:32].hex() == expected and secp.verify_rs(public, digest, signature[:64])


def _low_r() -> bool:
    secret, public = (2).to_bytes(32, "big"), secp.public_key((2).to_bytes(32, "big"))
    for text in range(8):
        digest = hashlib.sha256(bytes([text])).digest()
        der = secp.sign_low_r(secret, digest)
        if len(der) > 70 or not secp.verify_der(public, digest, der):
            return False
    return True


def _bip340() -> bool:
    """Test vector 0 of BIP-340, and that it is no signature by the tweaked key."""
    secret, zeros = (3).to_bytes(32, "big"), bytes(32)
    signature, public = secp.sign_schnorr(secret, zeros, zeros), secp.xonly(secret)
    return (
        signature.hex().startswith(
            "e907831f80848d1069a5371b402410364bdf1c5f8307b0084c55f1ce2dca8215"
        )
        and taproot.verify(public, zeros, signature)
        and not taproot.verify(taproot.output_key(public), zeros, signature)
    )


def _aes_gcm() -> bool:
    """Test case 14 of the GCM specification, and that a flipped byte is noticed."""
    cipher = AES.new(bytes(32), AES.MODE_GCM, nonce=bytes(12), mac_len=16)
    ciphertext, tag = cipher.encrypt_and_digest(bytes(16))
    if (ciphertext + tag).hex() != (
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"
    ):
        return False
    sealed = bytearray(seal(bytes(32), bytes(12), b"x", b"a"))
    sealed[0] ^= 1
    try:
        unseal(bytes(32), bytes(12), bytes(sealed), b"a")
    except SignerError:
        return True
    return False


def _triple_des() -> bool:
    """The example of SP 800-67, three keys; `HK0` files of old stores are read with it."""
    key = bytes.fromhex("0123456789abcdef23456789abcdef01456789abcdef0123")
    block = DES3.new(triple_key(key), DES3.MODE_CBC, iv=bytes(8)).encrypt(b"The qufc")
    return block.hex() == "a826fd8ce53b855f"


def _hkdf() -> bool:
    """RFC 5869 test case 1."""
    output = hkdf(bytes([0x0B] * 22), bytes(range(13)), bytes(range(0xF0, 0xFA)), 42)
    return output.hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )


def _ed25519() -> bool:
    """RFC 8032 test 1."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = public_key_of(seed)
    if public.hex() != "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a":
        return False
    verify(public, b"", identity_sign(seed, b""))
    return identity_sign(seed, b"").hex().startswith("e5564300c360ac729086e2cc806e828a")


def _argon2() -> bool:
    """The floor cost gives 32 bytes, twice the same, and another passphrase gives others."""
    cost, salt = KdfCost(), bytes(16)
    first = PassphraseKek(b"a", salt, cost).wrap(bytes(32), b"", bytes)
    other = PassphraseKek(b"b", salt, cost).wrap(bytes(32), b"", bytes)
    return bool(len(first["wrapped"]) == 48 and first["wrapped"] != other["wrapped"])


_CHECKS: Sequence[tuple[str, Callable[[], bool]]] = (
    ("sha256", _sha256),
    ("hash160", _hash160),
    ("keccak256", _keccak),
    ("bip32", _bip32),
    ("rfc6979", _rfc6979),
    ("low_r", _low_r),
    ("bip340", _bip340),
    ("aes_256_gcm", _aes_gcm),
    ("triple_des", _triple_des),
    ("hkdf", _hkdf),
    ("ed25519", _ed25519),
    ("argon2id", _argon2),
)
