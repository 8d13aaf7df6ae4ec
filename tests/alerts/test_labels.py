"""Labels and matchers: as Alertmanager has them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurememory.alerts.labels import (
    MAX_MATCHERS,
    Matcher,
    all_fit,
    fingerprint,
    matchers_in,
    matchers_of,
)
from featurememory.errors import ConfigurationError

NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,20}", fullmatch=True)
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
LABELS = st.dictionaries(NAMES, VALUES, max_size=6)


@given(LABELS, st.randoms())
def test_a_fingerprint_minds_no_order(labels: dict[str, str], chance: object) -> None:
    shuffled = list(labels.items())
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fingerprint("rule", "a", labels) == fingerprint("rule", "a", dict(shuffled))


@given(LABELS, NAMES, VALUES)
def test_a_fingerprint_minds_every_label(labels: dict[str, str], name: str, value: str) -> None:
    changed = labels | {name: value}
    is_same = fingerprint("rule", "a", labels) == fingerprint("rule", "a", changed)
    assert is_same == (labels == changed)


@given(LABELS, NAMES, VALUES)
def test_the_negation_fits_just_what_its_opposite_does_not(
    labels: dict[str, str], name: str, value: str
) -> None:
    for operator, negated in (("=", "!="), ("=~", "!~")):
        pattern = re.escape(value) if operator == "=~" else value
        is_met = Matcher.of({"name": name, "operator": operator, "value": pattern}).fits(labels)
        assert is_met == (labels.get(name, "") == value)
        assert Matcher.of({"name": name, "operator": negated, "value": pattern}).fits(labels) != is_met


@given(NAMES, st.sampled_from(["=", "!="]), VALUES)
def test_what_is_written_reads_as_it_was(name: str, operator: str, value: str) -> None:
    matcher = Matcher.of({"name": name, "operator": operator, "value": value})
    assert Matcher.of(matcher.as_json()) == matcher
    if '"' not in value and "\\" not in value:
        assert Matcher.parsed(str(matcher)) == matcher


def test_a_pattern_must_fit_the_whole_value() -> None:
    matcher = Matcher.parsed("model=~whisper")
    assert matcher.fits({"model": "whisper"})
    assert not matcher.fits({"model": "whisper-large"})


def test_all_must_fit_and_none_fit_everything() -> None:
    matchers = matchers_in("model=whisper\n\nseverity!=info\n")
    assert all_fit(matchers, {"model": "whisper"})
    assert not all_fit(matchers, {"model": "whisper", "severity": "info"})
    assert all_fit((), {"model": "whisper"})


@pytest.mark.parametrize("text", ["model", "=x", "1a=x", "model=~(", "model==~x" * 200, "a=b\0"])
def test_what_is_no_matcher_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        matchers_in(text)
    assert refused.value.data["field"].startswith("matchers")


@pytest.mark.parametrize("given", [None, "model=x", [1], [{}], [{"name": "a", "operator": "~"}], [{}] * 99])
def test_what_is_no_list_of_matchers_is_refused(given: object) -> None:
    with pytest.raises(ConfigurationError):
        matchers_of(given)
    assert len(matchers_of([{"name": "a"}] * MAX_MATCHERS)) == MAX_MATCHERS
