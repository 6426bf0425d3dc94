"""Replay of VS Code's JSONL session logs: an initial object, then deltas in the order they were appended.

Belongs here: the four kinds of entries and how each changes the state.
Does not belong here: reading lines (fields), what the session means (vscode).
"""

from collections.abc import Mapping, Sequence
from typing import cast

from sft_pipeline.telemetry.sessions.fields import UnreadableError, entries, record

INITIAL, SET, PUSH, DELETE = range(4)


def is_log(values: Sequence[object]) -> bool:
    """Whether the lines of a file are such a log: the first holds a whole object."""
    first = record(values[0])
    return first.get("kind") == INITIAL and isinstance(first.get("v"), dict)


def replay(values: Sequence[object]) -> object:
    """The object that the log ends with.

    Raises:
        UnreadableError: an entry does not fit the state, so that what follows cannot be trusted.
    """
    state: object = None
    for number, value in enumerate(values, start=1):
        entry = record(value)
        if entry.get("kind") == INITIAL:
            state = entry.get("v")
        elif path := entries(entry.get("k")):
            try:
                _apply(state, path, entry)
            except (LookupError, TypeError):
                raise UnreadableError(f"entry {number} of the log does not fit the entries before it") from None
    return state


def _apply(state: object, path: Sequence[object], entry: Mapping[str, object]) -> None:
    holder, key = _descend(state, path[:-1]), path[-1]
    kind = entry.get("kind")
    if kind == PUSH:
        _push(holder, key, entries(entry.get("v")), entry.get("i"))
    elif kind in (SET, DELETE):
        _put(holder, key, entry.get("v") if kind == SET else None)
    else:
        raise TypeError("unknown kind of entry")


def _descend(state: object, path: Sequence[object]) -> object:
    for key in path:
        state = _get(state, key)
    return state


def _get(holder: object, key: object) -> object:
    if isinstance(holder, dict):
        return cast("dict[str, object]", holder)[str(key)]
    if isinstance(holder, list) and isinstance(key, int) and key >= 0:
        return cast("list[object]", holder)[key]
    raise TypeError("nothing to descend into")


def _put(holder: object, key: object, value: object) -> None:
    if isinstance(holder, dict):
        cast("dict[str, object]", holder)[str(key)] = value
    elif isinstance(holder, list) and isinstance(key, int) and 0 <= key <= len(cast("list[object]", holder)):
        cast("list[object]", holder)[key : key + 1] = [value]
    else:
        raise TypeError("nowhere to put it")


def _push(holder: object, key: object, added: Sequence[object], start: object) -> None:
    """Cut the array under a key to its first `start` items, when that is given, and append to it."""
    try:
        present = _get(holder, key)
    except LookupError:
        present = None
    if not isinstance(present, list):
        _put(holder, key, list(added))
        return
    items = cast("list[object]", present)
    if isinstance(start, int):
        del items[max(start, 0) :]
    items.extend(added)
