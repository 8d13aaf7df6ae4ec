"""Parameters from the server, or the baseline in time; what came of them goes back with the operation."""

from __future__ import annotations

import asyncio
import socket
from random import Random
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest

from featurememory import FeatureMemory
from featurememory.sdk import recommendations
from featurememory.sdk.encoding import Finished
from tests.sdk.conftest import MakeMemory
from tests.servers import RunningServer, wait_until

BASELINE, BETTER, WORSE = {"steps": 50}, {"steps": 20}, {"steps": 90}
SCORES = {50: 0.6, 20: 0.9, 90: 0.2}


@pytest.fixture
def kind() -> str:
    """An operation type of the test's own."""
    return f"t{uuid4().hex[:8]}"


def connected(server: RunningServer, **options: Any) -> FeatureMemory:
    key = server.create_key("ingest", "read", "control")
    return FeatureMemory(
        server.url, key, **({"flush_interval_s": 0.01, "recommend_timeout_s": 5.0} | options)
    )


def play(memory: FeatureMemory, kind: str, count: int) -> list[Any]:
    random, given = Random(1), []
    for _ in range(count):
        with memory.operation(kind, model="m") as op:
            parameters = op.recommend(BASELINE, [BETTER, WORSE])
            op.score(SCORES[parameters["steps"]] + random.uniform(-0.05, 0.05))
        given.append(op.recommended)
        assert memory.flush()
    return given


def study(server: RunningServer, kind: str) -> dict[str, Any]:
    key = server.create_key("ingest", "read", "control")
    status, _, found = server.request("GET", f"/api/v1/learning/study?operation_type={kind}&model=m", key=key)
    assert status == 200, found
    assert isinstance(found, dict)
    return found


def test_what_works_is_recommended_and_most_of_it_without_a_round_trip(
    shared_server: RunningServer, kind: str
) -> None:
    with connected(shared_server, follow_breakers=False, keep_beliefs_s=600) as memory:
        given = play(memory, kind, 90)
    late = [each.parameters["steps"] for each in given[40:]]
    assert late.count(20) > late.count(50) + late.count(90)
    assert sum(each.choice is not None for each in given) > 30, "made here, from what was believed"
    found = study(shared_server, kind)
    assert found["operations"] == 90
    assert found["effectiveness"]["operations"] == 90
    assert found["objective"] == "score"


def test_a_choice_made_here_can_be_asked_why_and_made_again(shared_server: RunningServer, kind: str) -> None:
    with connected(shared_server, follow_breakers=False, keep_beliefs_s=600) as memory:
        given = play(memory, kind, 30)
    local = [each for each in given if each.choice is not None]
    key = shared_server.create_key("ingest", "read", "control")
    for each in local[:5] + local[-5:]:
        _, _, why = shared_server.request("GET", f"/api/v1/recommendations/{each.id}", key=key)
        assert why["same_again"] is True
        assert why["parameters"] == each.parameters
        assert why["source"] == each.source
        assert why["reward"] is not None


def test_a_quarantine_reaches_processes_that_choose_by_themselves_at_once(
    shared_server: RunningServer, kind: str
) -> None:
    key = shared_server.create_key("ingest", "read", "control")
    with connected(shared_server, keep_beliefs_s=600) as memory:
        play(memory, kind, 60)
        wait_until(lambda: memory.following, "following")
        _, _, found = shared_server.request("GET", f"/api/v1/optimizations?operation_type={kind}", key=key)
        (better,) = (each for each in found["items"] if each["parameters"] == BETTER)
        shared_server.request(
            "POST", f"/api/v1/optimizations/{better['id']}/quarantine", {"reason": "a test"}, key=key
        )

        def is_avoided() -> bool:
            return not any(each.parameters == BETTER for each in play(memory, kind, 12))

        wait_until(is_avoided, "the quarantine's arrival", 20)


def test_the_round_trip_is_no_part_of_the_operation(
    make_memory: MakeMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        memory = make_memory(url=f"http://127.0.0.1:{silent.getsockname()[1]}", recommend_timeout_s=0.2)
        recorded: list[Finished] = []
        monkeypatch.setattr(memory, "_record", recorded.append)
        asked_in_time(memory)
    (finished,) = recorded
    assert finished.duration_s < 0.1
    assert finished.parameters == BASELINE


def asked_in_time(memory: FeatureMemory) -> None:
    began = monotonic()
    with memory.operation("t") as op:
        assert op.recommend(BASELINE, [BETTER]) == BASELINE
    waited = monotonic() - began
    assert 0.15 < waited < 2
    assert op.recommended is not None
    assert op.recommended.source == "fallback"


def test_after_a_time_out_nobody_waits_again_for_a_while(make_memory: MakeMemory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        memory = make_memory(url=f"http://127.0.0.1:{silent.getsockname()[1]}", recommend_timeout_s=0.2)
        began = monotonic()
        for _ in range(200):
            with memory.operation("t") as op:
                assert op.recommend(BASELINE) == BASELINE
        assert monotonic() - began < 2


def test_without_a_server_the_baseline_comes_back() -> None:
    with FeatureMemory(url="") as memory, memory.operation("t") as op:
        assert op.recommend(BASELINE, [BETTER]) == BASELINE
        assert op.recommended is None


@pytest.mark.parametrize("wrong", [[7], [{"other": 1}], "no list", [{"steps": float("nan")}], [object()]])
def test_candidates_that_make_no_sense_cost_the_caller_nothing(
    shared_server: RunningServer, kind: str, wrong: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with connected(shared_server, follow_breakers=False) as memory, memory.operation(kind, model="m") as op:
        assert op.recommend(BASELINE, wrong) == BASELINE
    assert "no parameters are recommended" in caplog.text


def test_coroutines_are_not_held_up(shared_server: RunningServer, kind: str) -> None:
    async def run(memory: FeatureMemory) -> dict[str, Any]:
        async with memory.operation(kind, model="m") as op:
            return await op.recommend_async(BASELINE, [BETTER])

    with connected(shared_server, follow_breakers=False) as memory:
        assert asyncio.run(run(memory)) == BASELINE


def test_what_is_kept_is_bounded(
    monkeypatch: pytest.MonkeyPatch, shared_server: RunningServer, kind: str
) -> None:
    monkeypatch.setattr(recommendations, "_KEPT_BELIEFS", 3)
    with connected(shared_server, follow_breakers=False) as memory:
        play(memory, kind, 6)
        for step in range(8):
            with memory.operation(kind, model="m") as op:
                op.recommend({"steps": step})
        recommender = memory._recommender
        assert recommender is not None
        assert len(recommender._kept) <= 3
        recommender.forget(kind, "m")
        assert not recommender._kept


def test_a_score_may_come_later(shared_server: RunningServer, kind: str) -> None:
    key = shared_server.create_key("ingest", "read", "control")
    body = {"values": {"aim": "score"}, "reason": "scores come later"}
    shared_server.request("PUT", f"/api/v1/learning/settings?operation_type={kind}", body, key=key)
    with connected(shared_server, follow_breakers=False) as memory:
        with memory.operation(kind, model="m") as op:
            op.recommend(BASELINE)
        memory.feedback(op.id, score=0.8)
        assert memory.flush()
        with pytest.raises(ValueError, match="lies in"):
            memory.feedback(op.id, score=1.2)
        with pytest.raises(ValueError, match="failed=True"):
            memory.feedback(op.id)
    assert study(shared_server, kind)["operations"] == 1


def test_feedback_for_an_operation_that_is_on_its_way_is_sent_again(
    shared_server: RunningServer, kind: str
) -> None:
    key = shared_server.create_key("ingest", "read", "control")
    body = {"values": {"aim": "score"}, "reason": "scores come later"}
    shared_server.request("PUT", f"/api/v1/learning/settings?operation_type={kind}", body, key=key)
    with connected(shared_server, follow_breakers=False, flush_interval_s=3_600) as memory:
        with memory.operation(kind, model="m") as op:
            op.recommend(BASELINE)
        memory.feedback(op.id, score=0.8)
        assert memory.flush(20)
    assert study(shared_server, kind)["operations"] == 1
