"""Reading variables of the environment that are numbers.

Belongs here: what several groups of settings read alike. Does not belong here: which variables there are.
"""

from collections.abc import Mapping

from sft_pipeline.curation.refusal import Refused


def whole_number(environment: Mapping[str, str], name: str, default: int, *, most: int) -> int:
    """A variable's number, from 1 to `most`; the default where it says nothing.

    Raises:
        Refused: it is no such number.
    """
    told = environment.get(name, "").strip()
    if not told:
        return default
    if not told.isascii() or not told.isdigit() or not 1 <= int(told) <= most:
        raise Refused(f"{name} is {told!r}", remedy=f"set it to a whole number from 1 to {most}; default: {default}")
    return int(told)
