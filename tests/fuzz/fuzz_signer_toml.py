"""`signer.toml` and `policy.toml`, as a person activates them."""

from collections.abc import Iterable

from signer.config import load_config
from signer.errors import SignerError
from tests.signer_world import CONFIG, POLICY


def one_input(data: bytes) -> None:
    """The bytes as either of the two files beside a good other one."""
    for texts in ((data, POLICY.encode()), (CONFIG.encode(), data)):
        try:
            load_config(*texts)
        except SignerError:
            continue


def seeds() -> Iterable[bytes]:
    """Both files."""
    yield CONFIG.encode()
    yield POLICY.encode()
