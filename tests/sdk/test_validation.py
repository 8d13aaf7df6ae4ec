"""What cannot be kept is refused before the breaker is asked, by name; without features it costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf, isfinite, nan
from timeit import repeat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory import FeatureMemory, OperationContext, ValidationError
from featurememory.core.features import checked_features
from featurememory.sdk.validation import MAX_FEATURES, faults_of
from tests.sdk.conftest import MakeMemory
from tests.sdk.peer import Peer


def context(**said: Any) -> OperationContext:
    return OperationContext("embed", model="wav2vec2", space="wav", **said)


def work() -> int:
    return 42


class Unreadable(dict[str, Any]):
    def values(self) -> Any:
        raise RuntimeError("changed during iteration")


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"features": []}, "empty", "features"),
        ({"features": [0.0] * 768}, "zero", "features"),
        ({"features": [1.0, nan]}, "finite", "features[1]"),
        ({"features": [inf, -inf]}, "finite", "features[0]"),
        ({"features": [1.0, 1e39]}, "finite", "features[1]"),
        ({"features": [1.0, "2"]}, "type", "features[1]"),
        ({"features": [1.0, None]}, "type", "features[1]"),
        ({"features": [[1.0], [2.0]]}, "type", "features[0]"),
        ({"features": [1.0] * (MAX_FEATURES + 1)}, "too_long", "features"),
        ({"parameters": {"prompt": "x" * 20_000}}, "object", "parameters"),
        ({"attributes": {"state": Unreadable(a=1)}}, "object", "attributes"),
    ],
)
def test_bad_input_is_refused_by_name_and_the_call_does_not_run(
    memory: FeatureMemory, peer: Peer, said: dict[str, Any], code: str, field: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        memory.handle_operation(lambda: pytest.fail("it ran"), context(**said))
    (error,) = refused.value.errors
    assert (error["code"], error["field"]) == (code, field)
    assert error["message"] in str(refused.value)
    assert ":" in error["message"], "with what would be right"
    assert memory.flush()
    (sent,) = peer.operations.values()
    assert (sent["outcome"], sent["error_type"]) == ("rejected", "ValidationError")
    assert sent["attributes"].get("validation_errors", [error]) == [error]
    assert "features" not in sent


def test_all_faults_are_told_at_once(memory: FeatureMemory) -> None:
    said = context(features=[nan], parameters={"a": "x" * 20_000})
    with pytest.raises(ValidationError) as refused, memory._begin(said):
        pytest.fail("it ran")
    assert [each["field"] for each in refused.value.errors] == ["features[0]", "parameters"]


def test_the_breaker_is_not_asked_and_counts_nothing(make_memory: MakeMemory) -> None:
    memory = make_memory(breaker={"max_failures": 1})
    for _ in range(5):
        with pytest.raises(ValidationError):
            memory.handle_operation(work, context(features=[nan]))
    assert memory.handle_operation(work, context(features=[1.0])) == 42
    (status,) = memory.breakers().values()
    assert (status.state, status.calls) == ("closed", 1)


def test_an_open_breaker_hides_no_bad_input(make_memory: MakeMemory) -> None:
    memory = make_memory(breaker={"max_failures": 1})
    with pytest.raises(ZeroDivisionError):
        memory.handle_operation(lambda: 1 // 0, context())
    with pytest.raises(ValidationError):
        memory.handle_operation(work, context(features=[nan]))


def test_each_way_to_call_refuses(memory: FeatureMemory) -> None:
    async def coroutine() -> int:
        return pytest.fail("it ran")

    async def main() -> None:
        with pytest.raises(ValidationError):
            await memory.handle_operation(coroutine, context(features=[nan]))
        with pytest.raises(ValidationError):
            await memory.handle_operation(coroutine(), context(features=[nan]))
        with pytest.raises(ValidationError):
            async with memory.operation("embed", features=[nan]):
                pytest.fail("it ran")

    asyncio.run(main())


def test_a_fallback_is_for_breakers_alone(memory: FeatureMemory) -> None:
    guarded: Callable[[], int] = memory.guard(
        "embed", attributes={"a": "x" * 20_000}, fallback=lambda: pytest.fail("it was asked")
    )(work)
    with pytest.raises(ValidationError):
        guarded()


def test_without_validation_bad_features_are_left_away_with_a_warning(
    make_memory: MakeMemory, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    memory = make_memory(validate=False)
    assert memory.handle_operation(work, context(features=[nan])) == 42
    assert memory.flush()
    (sent,) = peer.operations.values()
    assert (sent["outcome"], "features" in sent) == ("success", False)
    assert "features are left away" in caplog.text


def test_the_environment_may_switch_it_off(peer: Peer) -> None:
    with FeatureMemory.from_env({"FEATUREMEMORY_URL": peer.url, "FEATUREMEMORY_VALIDATE": "no"}) as memory:
        assert memory.handle_operation(work, context(features=[])) == 42


def test_a_context_is_looked_at_once() -> None:
    said = context(features=[1.0, 2.0], parameters={"a": 1})
    assert said.faults is None
    assert faults_of(said) == said.faults == ()


numbers = st.floats() | st.integers() | st.none() | st.text(max_size=2)


@given(st.lists(numbers, max_size=6) | st.lists(st.floats(width=32), max_size=6))
def test_it_refuses_what_the_server_would(features: list[Any]) -> None:
    found = faults_of(context(features=features))
    try:
        checked_features(features)
    except ValidationError as refused:
        (told,) = refused.errors
        known = {"range": "finite"}.get(told["code"], told["code"])
        assert [each.code for each in found] == [known]
        if "[" in told["field"] and known == "type":
            assert found[0].field == told["field"]
    else:
        assert found == ()
        assert all(isfinite(each) for each in features)


def test_768_numbers_cost_well_under_100_microseconds() -> None:
    features = tuple(0.001 * n for n in range(768))

    def look() -> None:
        said = context(features=None)
        said.features = features
        faults_of(said)

    assert min(repeat(look, number=20, repeat=20)) / 20 < 100e-6
