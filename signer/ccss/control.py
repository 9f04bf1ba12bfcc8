"""What a row of the control table is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A control: what software gives, what people must do, and the tests that prove the first."""

    id: str
    title: str
    level: int
    provided: str = ""
    people: str = ""
    tests: tuple[str, ...] = ()
