"""Making the signer's process a poor place to steal from, as far as Python can."""

import ctypes
import os
import resource
import sys
from pathlib import Path

_PR_SET_DUMPABLE = 4
_MCL_CURRENT_AND_FUTURE = 3


def harden() -> tuple[str, ...]:
    """No core dumps, no tracing by the same user, memory locked where allowed.

    Gives what could not be done, in words; `bytes` in Python cannot be wiped, which no call here
    changes.
    """
    warnings = []
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
            warnings.append("the process can be traced: PR_SET_DUMPABLE was refused")
        if _swap_in_use() and libc.mlockall(_MCL_CURRENT_AND_FUTURE) != 0:
            warnings.append("swap is on and memory cannot be locked: secrets may reach the disk")
    return tuple(warnings)


def _swap_in_use() -> bool:
    swaps = Path("/proc/swaps")
    return swaps.exists() and len(swaps.read_text().splitlines()) > 1
