"""What a plan may not say, what follows from one, and which change of it makes chunks anew."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from sft_pipeline.curation.plan import Plan, parse_plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.plans import FOLDER, plan_names, read_plan

PRODUCTION = (FOLDER / "production.toml").read_text(encoding="utf-8")


def changed(old: str, new: str) -> str:
    """The production plan with one text replaced."""
    assert PRODUCTION.count(old) == 1, f"{old!r} stands {PRODUCTION.count(old)} times in production.toml"
    return PRODUCTION.replace(old, new)


def refusal(text: str) -> str:
    with pytest.raises(Refused) as caught:
        parse_plan(text, source="mine.toml")
    assert caught.value.remedy
    return caught.value.what


def targets(plan: Plan) -> dict[str, int]:
    return {cell.key: cell.target for cell in plan.cells}


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            (changed("days = 15 ", "days = 15\nhours = 3 "), "window.hours: unknown key"),
            (changed('name = "production"', 'name = "production"\nseed = 7'), "seed: unknown key"),
            (changed("count = 40 ", "# "), "chunks.count: missing key"),
            (changed('salt = "v4"', "# "), "sample.salt: missing key"),
            (changed("allow_shortfall = false", "# "), "sample.allow_shortfall: missing key"),
            (PRODUCTION.partition("[release]")[0], "release: missing key"),
            (changed("test = 8 }", "test = 9 }"), "split.shares add up to 101, not 100"),
            (changed(", test = 8 }", " }"), "split.shares add up to 92, not 100"),
            (changed("turns = [6, 10]", "turns = [5, 10]"), "buckets 'short' and 'medium' overlap or are out of order"),
            (changed("turns = [11, 20]", "turns = [1, 2]"), "buckets 'medium' and 'long' overlap or are out of order"),
            (changed("turns = [6, 10]", "turns = [10, 6]"), "bucket 'medium': turns [10, 6] is no range"),
            (changed("turns = [3, 5]", "turns = [0, 5]"), "bucket 'short': turns [0, 5] is no range"),
            (changed("turns = [6, 10]", "turns = [6]"), "buckets.1.turns"),
            (changed('name = "medium"', 'name = "short"'), "buckets: short stands twice"),
            (changed("test = { short = 4000, medium = 4000, ", "test = { short = 4000, "), "sample.targets.test"),
            (changed("test = { short = 4000, ", "test = { tiny = 1, short = 4000, "), "in: tiny"),
            (
                changed("test = { short = 4000", "exam = { short = 4000"),
                "sample.targets name other splits than split.shares: exam",
            ),
            (changed("days = 15 ", "days = 0 "), "window.days"),
            (changed("count = 40 ", "count = 100 "), "chunks.count"),
            (changed("days = 15 ", 'days = "ago(15d)" '), "window.days"),
            (changed('by = "conversation"', 'by = "hash"'), "split.by"),
            (changed('user_names = "pseudonym"', 'user_names = "hidden"'), "privacy.user_names"),
            (changed('secrets = "redact"', "secrets = true"), "privacy.secrets"),
            (changed('secrets = "redact"', 'secrets = "redact"\nkey = "k"'), "privacy.key: unknown key"),
            (changed('testvscode_test/v4"', 'testvscode_test/v4?sig=hunter2"'), "places.releases: "),
            (changed('cluster = "https://', 'cluster = "https://me:hunter2@'), "places.cluster: "),
            (changed('by = "conversation"', 'by = "none"'), 'split.by = "none" needs split.shares = { all = 100 }'),
            (changed("train = { short = 40000", "train = { short = 0"), "sample.targets.train.short"),
            (changed('prefix = "vscodedata"', 'prefix = "../vscodedata"'), "release.prefix"),
            (changed('name = "production"', 'name = "my plan"'), "name"),
            (changed("{ train = 83", '{ "../train" = 83'), "split.shares.../train"),
        ],
    )
    def test_a_plan_that_makes_no_sense_is_refused_by_key(self, text: str, told: str) -> None:
        what = refusal(text)
        assert what.startswith("plan mine.toml: ")
        assert told in what
        assert "hunter2" not in what

    def test_all_problems_are_told_at_once(self) -> None:
        text = PRODUCTION.replace("days = 15", "days = 0").replace("count = 40", "count = 0")
        what = refusal(text)
        assert "window.days" in what
        assert "chunks.count" in what

    def test_a_missing_share_of_a_bucket_names_split_and_bucket(self) -> None:
        what = refusal(changed("val = { short = 4000, medium = 4000, long = 2000 }", "val = { short = 4000 }"))
        assert what.endswith("sample.targets.val and the buckets differ in: long, medium")

    @pytest.mark.parametrize("text", ["days = ", "\ufeff[window]", "a = 1\na = 2"])
    def test_what_is_not_toml_is_refused(self, text: str) -> None:
        assert refusal(text).startswith("plan mine.toml is not TOML")

    def test_a_plan_without_any_target_is_refused(self) -> None:
        assert "sample.targets" in refusal(re.sub(r"(?m)^(train|val|test) = .*\n", "", PRODUCTION))

    def test_a_plan_that_forgets_the_targets_of_a_split_is_refused(self) -> None:
        assert refusal(changed("val = { short = 4000, medium = 4000, long = 2000 }\n", "")) == (
            "plan mine.toml: sample.targets lacks val"
        )

    def test_the_message_says_what_to_do(self) -> None:
        with pytest.raises(Refused, match=r"(?s)window.days.*\n  -> .*production.toml"):
            parse_plan(changed("days = 15 ", "days = -1 "), source="mine.toml")


class TestReading:
    def test_an_unknown_plan_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(Refused, match=r"(?s)no plan 'prodution'.*production_100k"):
            read_plan("prodution")

    def test_a_plan_is_read_from_a_path(self, tmp_path: Path) -> None:
        mine = tmp_path / "mine.toml"
        mine.write_text(changed('name = "production"', 'name = "mine"'), encoding="utf-8")
        assert read_plan(str(mine)).name == "mine"

    def test_a_folder_or_a_binary_file_is_no_plan(self, tmp_path: Path) -> None:
        binary = tmp_path / "binary.toml"
        binary.write_bytes(b"\xff\xfe")
        for path in (tmp_path, binary):
            with pytest.raises(Refused, match="no plan"):
                read_plan(str(path))


class TestWhatFollows:
    def test_a_window_ends_at_midnight_utc_of_its_day_and_is_days_long(self) -> None:
        start, end = read_plan("production").bounds(date(2025, 8, 16))
        assert (start, end) == (datetime(2025, 8, 1, tzinfo=UTC), datetime(2025, 8, 16, tzinfo=UTC))
        assert start.utcoffset() == end.utcoffset() == timedelta(0)

    def test_a_window_over_a_clock_change_is_whole_days_of_24_hours(self) -> None:
        start, end = read_plan("test").bounds(date(2025, 10, 27))
        assert end - start == timedelta(hours=24)

    @pytest.mark.parametrize("count", [1, 4, 9, 10, 40, 99])
    def test_chunk_keys_sort_by_number_and_tell_the_count(self, count: int) -> None:
        keys = parse_plan(changed("count = 40 ", f"count = {count} "), source="mine.toml").chunk_keys
        assert list(keys) == sorted(keys)
        assert [tuple(map(int, key.split("-of-"))) for key in keys] == [(number, count) for number in range(count)]

    def test_chunk_keys_of_production(self) -> None:
        keys = read_plan("production").chunk_keys
        assert (keys[0], keys[7], keys[-1]) == ("00-of-40", "07-of-40", "39-of-40")

    def test_a_cell_is_found_by_its_key(self) -> None:
        plan = read_plan("production")
        assert [plan.cell(cell.key) for cell in plan.cells] == list(plan.cells)
        with pytest.raises(KeyError, match="train-huge"):
            plan.cell("train-huge")

    def test_a_plan_cannot_be_changed(self) -> None:
        with pytest.raises(ValueError, match="frozen"):
            read_plan("test").window.days = 2

    def test_one_split_alone_keeps_its_cells_and_its_shares(self) -> None:
        plan = read_plan("production")
        only = plan.only("val")
        assert targets(only) == {"val-short": 4000, "val-medium": 4000, "val-long": 2000}
        assert only.split == plan.split
        with pytest.raises(Refused, match=r"no split 'dev'.*\n.*train, val, test"):
            plan.only("dev")

    def test_a_shortfall_is_allowed_on_demand_alone(self) -> None:
        plan = read_plan("production")
        assert plan.with_shortfall().sample.allow_shortfall
        assert not plan.sample.allow_shortfall


class TestVersions:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('name = "production"', 'name = "other"'),
            ("val = { short = 4000", "val = { short = 4001"),
            ("allow_shortfall = false", "allow_shortfall = true"),
            ('prefix = "vscodedata"', 'prefix = "data"'),
            ('stamp_format = "%Y%m%d_%H%M%S"', 'stamp_format = "%Y%m%d"'),
            ('data_source = "vscode_1p_agent_mode"', 'data_source = "x"'),
        ],
    )
    def test_chunks_outlive_a_change_of_targets_and_names(self, old: str, new: str) -> None:
        plan, other = read_plan("production"), parse_plan(changed(old, new), source="mine.toml")
        assert other.extraction_version() == plan.extraction_version()
        assert other.version() != plan.version()

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("days = 15 ", "days = 16 "),
            ("count = 40 ", "count = 41 "),
            ("turns = [11, 20]", "turns = [11, 21]"),
            ('salt = "v4"', 'salt = "v5"'),
            ("train = 83, val = 9", "train = 82, val = 10"),
            ("train = 83, val = 9, test = 8", "test = 8, train = 83, val = 9"),
            ('by = "conversation"', 'by = "user"'),
            ('query = "production/sft_candidates_hash_chunked"', 'query = "mine"'),
            ('user_names = "pseudonym"', 'user_names = "as_is"'),
            ('secrets = "redact"', 'secrets = "keep"'),
        ],
    )
    def test_chunks_are_made_anew_after_a_change_of_what_they_hold(self, old: str, new: str) -> None:
        plan, other = read_plan("production"), parse_plan(changed(old, new), source="mine.toml")
        assert other.extraction_version() != plan.extraction_version()
        assert other.version() != plan.version()

    def test_a_plan_that_says_nothing_of_privacy_lets_the_least_leave(self) -> None:
        silent = parse_plan(
            re.sub(r"(?m)^(\[privacy\]|user_names = .*|secrets = .*)\n", "", PRODUCTION), source="mine.toml"
        )
        assert (silent.privacy.user_names, silent.privacy.secrets) == ("pseudonym", "redact")
        assert silent.version() == read_plan("production").version()

    def test_comments_change_nothing(self) -> None:
        stripped = "\n".join(line.partition("#")[0] for line in PRODUCTION.splitlines())
        assert parse_plan(stripped, source="mine.toml").version() == read_plan("production").version()

    def test_versions_of_all_plans_differ(self) -> None:
        assert len({read_plan(name).version() for name in plan_names()}) == len(plan_names())
