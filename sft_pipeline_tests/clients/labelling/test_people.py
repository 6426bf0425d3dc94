"""Labels of people are found by id before text, and a line that is none is refused by its number."""

from pathlib import Path

import orjson
import pytest

from sft_pipeline.clients.labelling.people import PeopleLabels, read_people_labels
from sft_pipeline.curation.refusal import Refused

PRIVATE = "the text that nobody may repeat"


def written(folder: Path, *lines: object) -> Path:
    """A line each; bytes stand for themselves."""
    path = folder / "people.jsonl"
    path.write_bytes(b"".join((line if isinstance(line, bytes) else orjson.dumps(line)) + b"\n" for line in lines))
    return path


def test_a_label_is_found_by_id_before_the_text(tmp_path: Path) -> None:
    people = read_people_labels(
        written(tmp_path, {"requestId": "c#1", "label": 0}, {"request": "  Fix\u00a0IT ", "label": 1})
    )
    assert people.of("c#1", "fix it") == 0
    assert people.of("d#1", "fix it") == 1
    assert people.of("d#1", "fix that") is None


def test_no_file_knows_nothing() -> None:
    assert read_people_labels(None) == PeopleLabels()
    assert PeopleLabels().of("c#1", "fix it") is None


def test_ids_alone_and_texts_alone_will_do(tmp_path: Path) -> None:
    ids = read_people_labels(written(tmp_path, {"requestId": "c#1", "request": "left aside", "label": 1}))
    assert (ids.of("c#1", "x"), ids.of("c#2", "left aside")) == (1, None)
    texts = read_people_labels(written(tmp_path, {"request": "fix it", "label": 0}))
    assert (texts.of("c#1", "Fix it"), texts.of("c#1", "x")) == (0, None)


def test_blank_lines_a_byte_order_mark_and_the_same_said_twice_are_fine(tmp_path: Path) -> None:
    line = {"requestId": "c#1", "label": 1}
    people = read_people_labels(written(tmp_path, b"\xef\xbb\xbf" + orjson.dumps(line), b"", b" \t\r", line))
    assert people.by_id == {"c#1": 1}


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"\xff\xfe",
        b"7",
        b"null",
        [PRIVATE],
        PRIVATE,
        {"request": PRIVATE},
        {"label": 1},
        {"request": 7, "label": 1},
        {"requestId": None, "label": 1},
        *({"request": PRIVATE, "label": label} for label in (2, -1, "1", None, True, False, 1.0, [0])),
    ],
)
def test_a_line_that_is_none_is_refused_by_its_number(tmp_path: Path, line: object) -> None:
    path = written(tmp_path, {"requestId": "c#1", "label": 0}, b"", line)
    with pytest.raises(Refused) as refused:
        read_people_labels(path)
    assert f"{path}:3" in refused.value.what
    assert "label" in refused.value.remedy
    assert PRIVATE not in str(refused.value)


@pytest.mark.parametrize(
    ("first", "second"),
    [({"requestId": PRIVATE},) * 2, ({"request": PRIVATE}, {"request": PRIVATE.upper()})],
)
def test_two_labels_of_a_request_are_refused_by_the_number_of_the_second(
    tmp_path: Path, first: dict[str, object], second: dict[str, object]
) -> None:
    path = written(tmp_path, {**first, "label": 0}, {**second, "label": 1})
    with pytest.raises(Refused) as refused:
        read_people_labels(path)
    assert f"{path}:2" in refused.value.what
    assert PRIVATE.lower() not in str(refused.value).lower()


def test_a_file_that_cannot_be_read_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"people\.jsonl: there is no such file"):
        read_people_labels(tmp_path / "people.jsonl")
