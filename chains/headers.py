"""What is wrong with the headers that a node shows; each lie has its own code."""

from chains.errors import NodeError


class HeaderError(NodeError):
    """Headers that no honest node of this chain shows."""

    code = "header.error"


class WrongStart(HeaderError):
    """Another first block than the one that the configuration pins."""

    code = "header.wrong_start"


class BrokenChain(HeaderError):
    """A block that does not name the block before it as its parent."""

    code = "header.broken_chain"


class WrongDifficulty(HeaderError):
    """Another target than the blocks before it ask for."""

    code = "header.wrong_difficulty"


class TooEarly(HeaderError):
    """A time that the blocks before it rule out."""

    code = "header.too_early"


class TooLate(HeaderError):
    """A time further ahead of ours than nodes accept."""

    code = "header.too_late"


class LessWork(HeaderError):
    """Another branch than the scanned one, without more work in it: never followed."""

    code = "header.less_work"
