"""Statements about releases and what speaks against them, in words that hold no text of a person.

Belongs here: the finding, and telling where two JSON values differ.
Does not belong here: the statements (audit, sft_audit).
"""

import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard, TypeVar

from sft_pipeline.curation.validating import IDS_SHOWN

ABSENT = "(absent)"
_SHORT = reprlib.Repr()
_SHORT.maxstring = 100

Evidence = TypeVar("Evidence")


@dataclass(frozen=True)
class Finding:
    """A statement about a release, and what speaks against it, by path, line or id: nothing when it is true."""

    name: str
    statement: str
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether the statement is true."""
        return not self.detail


def finding(check: Callable[[Evidence], Iterable[str]], evidence: Evidence) -> Finding:
    """What a function finds that is named as its statement and yields what speaks against it."""
    oddities = list(check(evidence))
    return Finding(check.__name__, (check.__doc__ or "").rstrip("."), enumerated(oddities, len(oddities)))


def enumerated(oddities: Sequence[str], count: int) -> str:
    """The first few of so many oddities."""
    shown = ", ".join(oddities[:IDS_SHOWN])
    return f"{shown} and more, {count:,} in all" if count > IDS_SHOWN else shown


def differences(at: str, claimed: object, found: object) -> Iterator[str]:
    """Where two JSON values differ, by path."""
    if _is_object(claimed) and _is_object(found):
        for key in dict.fromkeys([*found, *claimed]):
            yield from differences(f"{at}.{key}", claimed.get(key, ABSENT), found.get(key, ABSENT))
    elif claimed != found or type(claimed) is not type(found):
        yield f"{at} says {_SHORT.repr(claimed)}, is {_SHORT.repr(found)}"


def _is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, Mapping)
