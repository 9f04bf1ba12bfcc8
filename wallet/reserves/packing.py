"""The public package: one zip, the same bytes for the same contents, with its own verifier."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from importlib import resources

from wallet.reserves.verifier.package import MANIFEST, PROOFS, STATEMENT, canonical

_TIME = (1980, 1, 1, 0, 0, 0)
"""No file's time is told: the package depends on what it says alone."""

_MODE = 0o644 << 16
_MAIN = b'''"""python PACKAGE.zip check PACKAGE.zip"""

import sys

from verifier.__main__ import main

sys.exit(main())
'''


def package_bytes(statement: bytes, proofs: object) -> bytes:
    """A package of a statement's exact bytes and the proofs of its claims, in their order."""
    files = {STATEMENT: statement, PROOFS: canonical(proofs), "__main__.py": _MAIN}
    files |= _verifier()
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    return _zipped({**files, MANIFEST: canonical(digests)})


def _verifier() -> dict[str, bytes]:
    """The sources of the verifier, to be read and run by whoever gets the package."""
    folder = resources.files("wallet.reserves.verifier")
    return {
        f"verifier/{one.name}": one.read_bytes()
        for one in folder.iterdir()
        if one.name.endswith(".py")
    }


def _zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = _MODE
            archive.writestr(info, files[name])
    return buffer.getvalue()
