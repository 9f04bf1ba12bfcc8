"""How deep JSON nests, told before a parser that recurses sees it."""

import re

from chains.errors import CodecError

DEPTH_MAX = 32
"""No document of ours nests deeper."""

_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class TooDeep(CodecError, ValueError):
    """JSON that nests deeper than anything we read: a parser's stack is what it is after."""

    code = "json.too_deep"


def check_nesting(document: bytes, depth_max: int = DEPTH_MAX) -> None:
    """Raise TooDeep for JSON, well-formed or not, that opens more than it may."""
    depth = 0
    # Reduced to brackets at the speed of C: documents may have megabytes.
    for byte in _TEXTS.sub(b"", document).translate(None, _NO_BRACKETS):
        if byte in b"[{":
            depth += 1
            if depth > depth_max:
                raise TooDeep(f"got JSON nested over {depth_max} deep, expected a flat document")
        else:
            depth -= 1
