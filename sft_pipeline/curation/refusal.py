"""How the project says no: one exception that says what is wrong and what to do about it.

Belongs here: the exception alone. Each module raises it with its own words.
"""


class Refused(Exception):
    """A user's input or configuration cannot be worked with; nothing was published.

    Args:
        what: the thing, the rule it breaks and where; never message text, user names or secrets.
        remedy: what the user can do next.
    """

    def __init__(self, what: str, *, remedy: str) -> None:
        super().__init__(f"{what}\n  -> {remedy}")
        self.what = what
        self.remedy = remedy
