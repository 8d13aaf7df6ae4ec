"""Options that cannot work are named, with what would."""

from __future__ import annotations

from typing import Any

import pytest

from featurememory import ConfigurationError, FeatureMemory


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"url": "127.0.0.1:8000"}, "url"),
        ({"url": "ftp://host"}, "url"),
        ({"url": "http://"}, "url"),
        ({"url": "http://host:0"}, "url"),
        ({"url": "http://host:99999"}, "url"),
        ({"url": "http://user@host"}, "url"),
        ({"url": "http://host\r\nX: y"}, "url"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 1_001}, "batch_size"),
        ({"buffer_size": 1.5}, "buffer_size"),
        ({"flush_interval_s": "1"}, "flush_interval_s"),
        ({"request_timeout_s": float("nan")}, "request_timeout_s"),
        ({"max_breakers": True}, "max_breakers"),
        ({"breaker": {"max_failures": -1}}, "max_failures"),
        ({"api_key": "fm_\n"}, "api_key"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError, match=field) as caught:
        FeatureMemory(**options)
    assert caught.value.data["field"] == field


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("FEATUREMEMORY_URL", "nowhere"),
        ("FEATUREMEMORY_BATCH_SIZE", "many"),
        ("FEATUREMEMORY_BATCH_SIZE", "0"),
        ("FEATUREMEMORY_FLUSH_INTERVAL_S", "soon"),
        ("FEATUREMEMORY_FOLLOW_BREAKERS", "perhaps"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        FeatureMemory.from_env({variable: text})
    assert variable.removeprefix("FEATUREMEMORY_").lower() in str(caught.value).lower()
    assert text in str(caught.value)


def test_the_environment_says_all_there_is_to_say(peer: Any) -> None:
    memory = FeatureMemory.from_env(
        {
            "FEATUREMEMORY_URL": peer.url,
            "FEATUREMEMORY_API_KEY": "fm_env",
            "FEATUREMEMORY_BATCH_SIZE": "3",
            "FEATUREMEMORY_FLUSH_INTERVAL_S": "3600",
            "FEATUREMEMORY_FOLLOW_BREAKERS": "no",
        }
    )
    for _ in range(3):
        with memory.operation("a"):
            pass
    peer.wait_until(lambda: len(peer.operations) == 3)
    assert peer.requests[0].headers["authorization"] == "Bearer fm_env"
    assert memory.close(10)


def test_an_empty_environment_gives_the_defaults() -> None:
    assert FeatureMemory.from_env({}).stats().buffered == 0


def test_ports_and_paths_come_from_the_url() -> None:
    from featurememory.sdk.http import ServerAddress

    assert ServerAddress.of("https://memory.example/base/") == (True, "memory.example", 443, "/base")
    assert ServerAddress.of("http://[::1]:8000") == (False, "::1", 8000, "")
    assert ServerAddress.of("http://[::1]:8000").host_header == "[::1]:8000"
    assert ServerAddress.of("http://[::1]").port == 80
