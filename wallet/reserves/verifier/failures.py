"""Why a publication is not believed: one class, one stable code for each check."""


class Failed(Exception):
    """A check that did not hold. `code` names it; the text says what was got and expected."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
