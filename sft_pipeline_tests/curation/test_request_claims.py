"""Every claim about requests and files is kept by those that are made, and broken by what it is there to find."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest

from sft_pipeline.curation import request_claims
from sft_pipeline.curation.claims import Outcome
from sft_pipeline.curation.requests import choose_conversations, requests_of
from sft_pipeline.curation.routers import ROUTERS, RouterName
from sft_pipeline.curation.sampling import aggregate
from sft_pipeline_tests.conversations_world import candidate, conversation, conversations, light_rows, turn
from sft_pipeline_tests.curation.labels_world import PLAN, request, requests

TURNS = {f"c-{number}": 3 + number % 3 for number in range(40)}
CANDIDATES = aggregate(light_rows(*[candidate(name, turns=turns) for name, turns in TURNS.items()])).candidates
BOTH = pytest.mark.parametrize("router", ROUTERS)


def made(router: RouterName, split: str = "train") -> pl.DataFrame:
    """The requests of a split: every conversation of which has a first message of its own, and an empty one."""
    chosen = choose_conversations(CANDIDATES, PLAN, router, split)["conversationId"]
    rows = [
        conversation(name, turns=TURNS[name], turnsArray=[_turn(name, index) for index in range(1, TURNS[name] + 1)])
        for name in chosen
    ]
    return requests_of(conversations(*rows), PLAN, router, split, {})


def _turn(name: str, index: int) -> dict[str, Any]:
    return turn(index, userMessage="" if index == 2 else f"{name} asks {index if index < 3 else 'the same'}")


def every_outcome(table: pl.DataFrame, router: RouterName) -> list[Outcome]:
    return [
        request_claims.requests_are_in_priority_order(table, PLAN),
        no_turn_lost(table, router),
        request_claims.no_text_is_judged_twice(table),
    ]


def no_turn_lost(table: pl.DataFrame, router: RouterName, split: str = "train") -> Outcome:
    return request_claims.no_turn_is_lost(table, CANDIDATES, PLAN, (router, split))


@BOTH
def test_requests_as_they_are_made_keep_every_claim(router: RouterName) -> None:
    table = made(router)
    outcomes = every_outcome(table, router)
    assert table.height >= 10
    assert table["leftOut"].n_unique() == (1 if router == "session_router" else 3)
    assert [outcome.name for outcome in outcomes] == [claim.name for claim in request_claims.REQUEST_CLAIMS]
    assert [outcome for outcome in outcomes if outcome.broken] == []


def test_all_of_them_stop_what_is_downstream() -> None:
    assert {claim.severity for claim in (*request_claims.REQUEST_CLAIMS, *request_claims.FILE_CLAIMS)} == {"fatal"}


class TestOrder:
    TABLE = made("session_router")

    def broken(self, table: pl.DataFrame) -> Outcome:
        return request_claims.requests_are_in_priority_order(table, PLAN)

    def test_two_rows_in_the_wrong_order_are_found(self) -> None:
        first, second, *others = range(self.TABLE.height)
        outcome = self.broken(self.TABLE[[second, first, *others]])
        assert (outcome.broken, set(outcome.ids)) == (2, set(self.TABLE["requestId"].head(2)))

    def test_a_priority_that_is_not_the_hash_is_found(self) -> None:
        lowest = pl.when(pl.int_range(pl.len()) == 0).then(0).otherwise("priority")
        outcome = self.broken(self.TABLE.with_columns(priority=lowest))
        assert (outcome.broken, outcome.ids) == (1, (self.TABLE["requestId"][0],))

    def test_a_request_that_stands_twice_is_found(self) -> None:
        outcome = self.broken(pl.concat([self.TABLE.head(1), self.TABLE]))
        assert not outcome.passed
        assert self.TABLE["requestId"][0] in outcome.ids

    def test_another_salt_is_another_order(self) -> None:
        assert self.broken(made("session_router")).passed
        routers = PLAN.routers
        assert routers
        salted = PLAN.model_copy(update={"routers": routers.model_copy(update={"salt": "other"})})
        outcome = request_claims.requests_are_in_priority_order(self.TABLE, salted)
        assert outcome.broken == self.TABLE.height

    def test_no_requests_are_in_order(self) -> None:
        assert self.broken(self.TABLE.clear()).passed


class TestTurns:
    def lost(self, table: pl.DataFrame, router: RouterName = "conversation_router") -> tuple[int, tuple[str, ...]]:
        outcome = no_turn_lost(table, router)
        return outcome.broken, outcome.ids

    @BOTH
    def test_a_request_that_is_missing_is_found(self, router: RouterName) -> None:
        table = made(router)
        assert self.lost(table.tail(-1), router) == (1, (table["conversationId"][0],))

    @BOTH
    def test_a_conversation_that_is_missing_is_found(self, router: RouterName) -> None:
        table = made(router)
        gone = table["conversationId"][3]
        assert self.lost(table.filter(pl.col("conversationId") != gone), router) == (1, (gone,))

    @BOTH
    def test_a_conversation_of_another_split_is_found(self, router: RouterName) -> None:
        other = made(router, "test")
        outcome = no_turn_lost(pl.concat([made(router), other]), router)
        assert outcome.broken == other["conversationId"].n_unique() > 0

    def test_a_turn_in_the_place_of_another_is_found(self) -> None:
        table = made("session_router")
        second = pl.when(pl.int_range(pl.len()) == 0).then(2).otherwise("turnIndex")
        outcome = self.lost(table.with_columns(turnIndex=second), "session_router")
        assert outcome == (1, (table["conversationId"][0],))

    def test_a_turn_that_stands_for_two_is_found(self) -> None:
        table = made("conversation_router")
        name = table["conversationId"][0]
        of_it = pl.col("conversationId") == name
        doubled = pl.when(of_it & (pl.col("turnIndex") == 2)).then(1).otherwise("turnIndex")
        assert self.lost(table.with_columns(turnIndex=doubled)) == (1, (name,))

    def test_later_turns_are_none_of_the_session_router(self) -> None:
        both = made("conversation_router")
        wanted = made("session_router")["conversationId"].n_unique()
        assert self.lost(both, "session_router")[0] == wanted

    def test_left_out_requests_count(self) -> None:
        table = made("conversation_router")
        judgeable = table.filter(pl.col("leftOut").is_null())
        assert self.lost(judgeable)[0] == table.filter(pl.col("leftOut").is_not_null())["conversationId"].n_unique()


class TestTexts:
    def test_a_text_that_could_be_judged_twice_is_found(self) -> None:
        twice = requests([request(name, request="the same") for name in ("a", "b", "c")] + [request("d")])
        outcome = request_claims.no_text_is_judged_twice(twice)
        first, *others = twice.filter(request="the same")["requestId"]
        assert (outcome.broken, outcome.ids) == (2, tuple(others))
        assert first not in outcome.ids
        assert "the same" not in outcome.detail

    def test_one_that_is_left_out_is_not_judged(self) -> None:
        rows = [request("a", request="the same"), request("b", request="the same", leftOut="same_text")]
        assert request_claims.no_text_is_judged_twice(requests(rows)).passed


def artifact(kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "path": f"session_router/{kind}",
        "origin": f"artifacts/{kind}",
        "bytes": 7,
        "md5": "m",
        "sha256": "s",
        "trainingVersion": "v" * 64,
        **fields,
    }


class TestFiles:
    CLAIMED = (artifact("sft"), artifact("labels"))
    FOUND: Mapping[str, Mapping[str, Any]] = {row["origin"]: row for row in CLAIMED}

    def test_files_as_they_were_written_keep_both_claims(self) -> None:
        outcomes = [
            request_claims.files_have_their_hashes(self.CLAIMED, self.FOUND),
            request_claims.files_are_of_this_training_set([row["trainingVersion"] for row in self.CLAIMED], "v" * 64),
        ]
        assert [outcome.name for outcome in outcomes] == [claim.name for claim in request_claims.FILE_CLAIMS]
        assert [outcome.broken for outcome in outcomes] == [0, 0]

    @pytest.mark.parametrize("field", ["bytes", "md5", "sha256"])
    def test_a_file_with_other_bytes_is_found(self, field: str) -> None:
        changed = {**self.FOUND, "artifacts/labels": artifact("labels", **{field: "other"})}
        outcome = request_claims.files_have_their_hashes(self.CLAIMED, changed)
        assert (outcome.broken, outcome.detail) == (1, f"session_router/labels: other {field} than claimed")

    def test_a_file_that_is_gone_is_found(self) -> None:
        outcome = request_claims.files_have_their_hashes(self.CLAIMED, {"artifacts/labels": self.CLAIMED[1]})
        assert (outcome.broken, outcome.detail) == (1, "session_router/sft: the file is not there")

    def test_of_two_that_claim_one_path_neither_hides_the_other(self) -> None:
        twice = (artifact("sft", md5="other"), artifact("sft"))
        assert request_claims.files_have_their_hashes(twice, self.FOUND).broken == 1

    @pytest.mark.parametrize(
        ("versions", "broken"), [(("now", "before"), 1), (("before", "before"), 2), (("now",), 1), ((), 2)]
    )
    def test_a_file_of_an_earlier_training_set_or_none_is_found(self, versions: tuple[str, ...], broken: int) -> None:
        assert request_claims.files_are_of_this_training_set(versions, "now").broken == broken
