"""The operations' pages: what is found by what, in which words, at what cost."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard import operation_rows
from featurememory.models import (
    Breaker,
    BreakerEvent,
    FeatureSpace,
    Feedback,
    Operation,
    Pattern,
    Recommendation,
    Series,
)
from featurememory.observability import operation_search
from featurememory.observability.rollups import add_to_rollups, tally
from featurememory.validation.results import Judged, Subject, ValidationResult, error
from featurememory.validation.storage import record_failures
from tests.browser.scenarios import Call
from tests.optimization.stored import store_study

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Client]
LIST = "/operations/"
TRACE = "ab" * 16


def store(at: datetime, kind: str = "embed", model: str = "wav", **changes: Any) -> Operation:
    series, _ = Series.objects.get_or_create(operation_type=kind, model=model, defaults={"first_seen": at})
    given: dict[str, Any] = {
        "id": uuid4(),
        "series": series,
        "operation_type": kind,
        "model": model,
        "started_at": at,
        "received_at": at + timedelta(seconds=2),
        "duration_ms": 500.0,
        "outcome": "success",
    }
    return Operation.objects.create(**given | changes)


def page_of(client: Client, path: str = LIST, **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).replace("\u00a0", " ").split())


def shown(page: str) -> list[int]:
    return [int(each) for each in re.findall(r'<tr id="operation-(\d+)"', page)]


def link(page: str, words: str) -> str:
    found = re.search(rf'href="(\?[^"]*)">{words}<', page)
    return LIST + unescape(found[1]) if found else ""


@pytest.mark.parametrize(
    "wanted",
    [
        "operation_type=transcribe",
        "model=whisper",
        "operation_type=transcribe&model=whisper",
        "outcome=timeout",
        "outcome=failed",
        "breaker=the+one",
        "breaker=transcribe:whisper",
        "pattern=1000000007",
        f"trace_id={TRACE}",
        "instance=gpu-7:1",
        "error_type=TimeoutError",
        "min_ms=900",
        "min_ms=900&outcome=timeout&instance=gpu-7:1",
    ],
)
def test_each_condition_finds_what_it_says(sign_in: SignIn, now: datetime, wanted: str) -> None:
    store(now - timedelta(minutes=2))
    breaker = {"breaker": "the one"} if "the+one" in wanted else {}
    those = store(
        now - timedelta(minutes=3), "transcribe", "whisper", outcome="timeout", error_type="TimeoutError",
        duration_ms=901.5, pattern=1_000_000_007, trace_id=TRACE, instance="gpu-7:1", **breaker,
    )  # fmt: skip
    assert shown(page_of(sign_in("viktor"), f"{LIST}?{wanted}")) == [those.pk]


def test_all_are_shown_newest_first_and_conditions_that_make_no_sense_are_left_out(
    sign_in: SignIn, now: datetime
) -> None:
    rows = [store(now - timedelta(seconds=each)).pk for each in range(3)]
    client = sign_in("viktor")
    for query in ("", "?outcome=joy&min_ms=much&pattern=x&order=best&before=then", "?min_ms=-1&min_ms=nan"):
        assert shown(page_of(client, LIST + query)) == rows


def test_time_bounds_the_list_by_range_and_by_moments(sign_in: SignIn, now: datetime) -> None:
    new, old = store(now - timedelta(minutes=5)), store(now - timedelta(hours=5))
    client = sign_in("viktor")
    assert shown(page_of(client)) == [new.pk]
    assert shown(page_of(client, f"{LIST}?range=6h")) == [new.pk, old.pk]
    start, end = (f"{now.astimezone(UTC) - timedelta(hours=each):%Y-%m-%dT%H:%MZ}" for each in (6, 4))
    page = page_of(client, f"{LIST}?from={start}&to={end}&operation_type=embed")
    assert shown(page) == [old.pk]
    assert "data-live" not in page.split("<h1>")[1]
    assert "is no range" in text_of(page_of(client, f"{LIST}?range=forever"))


def test_a_trace_and_a_pattern_are_looked_for_at_any_time(sign_in: SignIn, now: datetime) -> None:
    old = store(now - timedelta(days=20), trace_id=TRACE, pattern=1_000_000_007)
    client = sign_in("viktor")
    for query in (f"trace_id={TRACE}", "pattern=1000000007", "range=any"):
        page = page_of(client, f"{LIST}?{query}")
        assert shown(page) == [old.pk]
        assert "at any time" in text_of(page)
    assert not shown(page_of(client, f"{LIST}?trace_id={TRACE}&range=1h"))


def test_an_id_goes_straight_to_the_operation(sign_in: SignIn, now: datetime) -> None:
    one = store(now)
    client = sign_in("viktor")
    assert client.get(f"{LIST}?id={one.id}").headers["Location"] == f"/operations/{one.id}/"
    assert "“17” is no operation’s id" in text_of(page_of(client, f"{LIST}?id=17"))


def test_each_condition_is_told_and_can_be_dropped(sign_in: SignIn, now: datetime) -> None:
    space = FeatureSpace.objects.create(name="s", dimension=2, created_at=now)
    Pattern.objects.create(
        id=1_000_000_007,
        space=space,
        centroid=b"",
        count=1,
        spread=0,
        visits=1,
        seen_at=0,
        revision=1,
        label="rain",
        first_seen=now,
        last_seen=now,
    )
    page = page_of(
        sign_in("viktor"),
        f"{LIST}?operation_type=embed&outcome=failed&pattern=1000000007&min_ms=1500&range=6h&order=slowest",
    )
    part = page.split('class="conditions"')[1].split("</div>")[0]
    dropped = {
        text_of(words): unescape(query) for query, words in re.findall(r'href="\?([^"]*)">(.*?)</a>', part)
    }
    rest = "operation_type=embed&outcome=failed&pattern=1000000007&min_ms=1500&order=slowest&range=6h"
    assert dropped == {
        "type embed : drop this condition": rest.replace("operation_type=embed&", ""),
        "failed : drop this condition": rest.replace("outcome=failed&", ""),
        "“rain” : drop this condition": rest.replace("pattern=1000000007&", ""),
        "took 1.5 s or longer : drop this condition": rest.replace("min_ms=1500&", ""),
    }
    assert text_of(part).endswith("in the last 6 hours")


@pytest.mark.parametrize("query", ["", "&instance=gpu-1"])
def test_paging_never_skips_nor_doubles_what_began_at_the_same_moment(
    sign_in: SignIn, now: datetime, query: str
) -> None:
    store(now)
    for number in range(120):
        store(now - timedelta(minutes=number // 60), instance="gpu-1", duration_ms=number)
    fits = Operation.objects.filter(**{"instance": "gpu-1"} if query else {}).order_by("-started_at", "-seq")
    client, path, seen = sign_in("viktor"), f"{LIST}?range=1h{query}", []
    while path:
        page = page_of(client, path)
        seen += shown(page)
        path = link(page, "Older")
    assert seen == list(fits.values_list("pk", flat=True))


def test_the_end_of_what_was_looked_through_is_told_and_leads_on(
    sign_in: SignIn, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation_search, "LOOKED_THROUGH", 10)
    old = store(now - timedelta(minutes=30), instance="gpu-9")
    for number in range(12):
        store(now - timedelta(minutes=number), instance="gpu-1")
    client = sign_in("viktor")
    page = page_of(client, f"{LIST}?instance=gpu-9")
    assert not shown(page)
    tenth = now.astimezone(UTC) - timedelta(minutes=9)
    assert f"Looked back to {tenth:%Y-%m-%d %H:%M:%S} UTC ; nothing from before was looked at." in text_of(
        page
    )
    assert "What is older was not looked at yet." in text_of(page)
    assert shown(page_of(client, link(page, "Look further back"))) == [old.pk]
    slowest = page_of(client, f"{LIST}?order=slowest")
    assert len(shown(slowest)) == 10
    assert "These are the slowest of what was looked through" in text_of(slowest)


def test_the_slowest_of_the_range_come_first(sign_in: SignIn, now: datetime) -> None:
    rows = {ms: store(now - timedelta(seconds=ms), duration_ms=ms).pk for ms in (20, 300, 5)}
    page = page_of(sign_in("viktor"), f"{LIST}?order=slowest")
    assert shown(page) == [rows[300], rows[20], rows[5]]
    assert "Looked back" not in page


def test_nothing_yet_nothing_in_the_range_nothing_that_fits_and_nothing_older_are_told_apart(
    sign_in: SignIn, now: datetime
) -> None:
    client = sign_in("viktor")
    assert "No operation is stored yet" in text_of(page_of(client))
    store(now - timedelta(hours=3))
    assert "No operation began in the last hour. Older ones are kept." in text_of(page_of(client))
    told = text_of(page_of(client, f"{LIST}?range=6h&error_type=OSError"))
    assert "No operation fits the filter in the last 6 hours. Look at any time Drop the filter" in told
    told = text_of(page_of(client, f"{LIST}?range=any&error_type=OSError"))
    assert "No operation fits the filter, at any time that is kept." in told
    before = "before=20200101T000000.000000Z-1"
    assert "Nothing older is kept." in text_of(page_of(client, f"{LIST}?range=any&{before}"))
    assert "Nothing older fits in the last hour." in text_of(page_of(client, f"{LIST}?model=wav&{before}"))


def test_the_first_page_of_a_relative_range_refreshes_by_its_rows_alone(
    sign_in: SignIn, now: datetime
) -> None:
    one = store(now)
    client = sign_in("viktor")
    assert 'data-live="5"' in page_of(client)
    for query in ("?order=slowest", "?before=20300101T000000.000000Z-1", "?from=2026-01-01"):
        assert "data-live" not in page_of(client, LIST + query).split("<h1>")[1]
    rows = page_of(client, LIST, **{"HX-Request": "true"})
    assert "<html" not in rows
    assert shown(rows) == [one.pk]
    assert 'id="operation-rows" data-steady' in rows


def test_what_the_filter_finds_can_be_had_as_csv_and_as_json(sign_in: SignIn, now: datetime) -> None:
    one = store(now - timedelta(minutes=1), parameters={"steps": 50}, score=0.5, pattern=1_000_000_007)
    store(now, outcome="error")
    client = sign_in("viktor")
    page = page_of(client, f"{LIST}?outcome=success")
    addresses = [unescape(each) for each in re.findall(r'href="(/operations/export/[^"]*)"', page)]
    as_csv, as_json = (client.get(each) for each in addresses)
    (row,) = csv.DictReader(as_csv.getvalue().decode().splitlines())
    assert row["id"] == str(one.id)
    assert datetime.fromisoformat(row["started_at"]) == one.started_at
    assert (row["duration_ms"], row["score"], row["parameters"]) == ("500.0", "0.5", '{"steps": 50}')
    (entry,) = json.loads(as_json.getvalue())
    assert entry["id"] == str(one.id)
    assert entry["parameters"] == {"steps": 50}
    assert datetime.fromisoformat(entry["started_at"]) == one.started_at
    assert as_json.headers["Content-Disposition"].endswith('.json"')


def test_a_file_holds_so_many_of_the_newest_and_the_page_says_so(
    sign_in: SignIn, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation_rows, "MOST_ROWS", 3)
    ids = [str(store(now - timedelta(seconds=each)).id) for each in range(5)]
    client = sign_in("viktor")
    assert "at most the 10,000 newest" in text_of(page_of(client))
    rows = json.loads(client.get("/operations/export/?format=json").getvalue())
    assert [each["id"] for each in rows] == ids[:3]


def test_a_file_of_nothing_is_a_file(sign_in: SignIn, now: datetime) -> None:
    client = sign_in("viktor")
    assert json.loads(client.get("/operations/export/?format=json").getvalue()) == []
    assert len(client.get("/operations/export/").getvalue().decode().splitlines()) == 1


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_a_spreadsheet_takes_no_cell_for_a_formula(sign_in: SignIn, now: datetime, begin: str) -> None:
    text = f"{begin}HYPERLINK(1)"
    store(now, error_message=text, duration_ms=1.0)
    response = sign_in("viktor").get("/operations/export/")
    (row,) = csv.DictReader(response.getvalue().decode().splitlines(keepends=True))
    assert row["error_message"] == f"'{text}"


def test_one_says_what_it_was(sign_in: SignIn, now: datetime) -> None:
    one = store(
        now - timedelta(minutes=4), outcome="timeout", error_type="TimeoutError", error_message="no answer " * 60,
        parameters={"steps": 50, "sampler": {"name": "ddim", "eta": [0, 1]}, "on": True, "none": None},
        attributes={"prompt": "rain " * 60, "tags": [{"a": 1}], "empty": {}},
        instance="gpu-7:1", trace_id=TRACE, span_id="cd" * 8, score=0.25, duration_ms=1_500.0,
    )  # fmt: skip
    page = page_of(sign_in("viktor"), f"/operations/{one.id}/")
    told = text_of(page)
    for each in (
        "embed wav Time-out", "Took 1.5 s", "Score 0.250 as it came", "TimeoutError",
        "sampler.name ddim", "sampler.eta [0, 1]", "on true", "none null", "empty {}", "steps 50",
        "Pattern None: it came without features", "asked for no recommendation", "500 ms after its end",
        f"Trace {TRACE}", f"Span {'cd' * 8}", "gpu-7:1",
    ):  # fmt: skip
        assert each in told
    assert page.count("data-copy=") == 3
    assert ("rain " * 60).strip() in told
    assert page.count("<details") >= 4, "the prompt, the tags and the message are cut"


def test_its_duration_stands_among_those_of_its_hour(sign_in: SignIn, now: datetime) -> None:
    at = now.replace(minute=20, second=0, microsecond=0) - timedelta(hours=1)
    one = store(at, duration_ms=970.0)
    timed = [(at.timestamp(), Call("success", float(ms))) for ms in range(10, 1_010, 10)]
    add_to_rollups(tally({one.series_id: timed}))
    client = sign_in("viktor")
    told = text_of(page_of(client, f"/operations/{one.id}/"))
    assert (
        f"of the 100 operations of embed:wav that ran in the hour from {at.astimezone(UTC):%H}:00 UTC."
        in told
    )
    assert re.search(r"Slower than 9[56] % of", told)
    assert re.search(r"Half took less than (49|50)\d ms", told)
    assert re.search(r"One in twenty took more than 9[45]\d ms", told)
    refused = store(at, outcome="rejected", duration_ms=0)
    assert "It was refused and never ran" in text_of(page_of(client, f"/operations/{refused.id}/"))
    elsewhen = store(at - timedelta(days=3))
    assert "Nothing is counted any more of the time around it" in text_of(
        page_of(client, f"/operations/{elsewhen.id}/")
    )


def test_its_breaker_is_shown_as_it_stood_then(sign_in: SignIn, now: datetime) -> None:
    one, client = store(now - timedelta(minutes=10)), sign_in("viktor")
    path = f"/operations/{one.id}/"
    assert "Breaker embed:wav It is not known any more" in text_of(page_of(client, path))
    breaker = Breaker.objects.create(
        name="embed:wav", operation_type="embed", model="wav", changed_at=now, created_at=now
    )
    assert "Its state then Closed it has never changed" in text_of(page_of(client, path))
    _change(breaker, 1_000, "half_open", "open", now - timedelta(minutes=5))
    told = text_of(page_of(client, path))
    assert "Its state then Probing no change from before is known; the first one came later" in told
    _change(breaker, 900, "closed", "open", now - timedelta(minutes=20))
    page = page_of(client, path)
    assert "Its state then Open since" in text_of(page)
    assert 'href="/breaker-events/900/"' in page


def _change(breaker: Breaker, sequence: int, before: str, after: str, at: datetime) -> None:
    BreakerEvent.objects.create(
        sequence=sequence, breaker=breaker, name=breaker.name, from_state=before, to_state=after,
        computed_state=after, cause="max_failures", epoch=1, at=at,
    )  # fmt: skip


def test_what_is_counted_with_others_has_no_breaker_of_its_own(sign_in: SignIn, now: datetime) -> None:
    other = Series.objects.create(operation_type="other", model="other", first_seen=now)
    one = store(now, "rare", "odd", series=other)
    assert "counted together with others has no breaker" in text_of(
        page_of(sign_in("viktor"), f"/operations/{one.id}/")
    )


def test_it_leads_to_its_recommendation_and_its_pattern(sign_in: SignIn, now: datetime) -> None:
    store_study(now)
    kept = Recommendation.objects.exclude(belief=None).select_related("arm").latest("at")
    one = store(now, recommendation=kept.pk, pattern=kept.pattern, space="s")
    client = sign_in("viktor")
    page = page_of(client, f"/operations/{one.id}/")
    assert f'href="/recommendations/{kept.pk}/"' in page
    gone = store(now, recommendation=uuid4(), pattern=9_000_000_001)
    told = text_of(page_of(client, f"/operations/{gone.id}/"))
    assert "a recommendation that is not kept any more" in told
    assert "Pattern 1 forgotten since" in told


def test_feedback_and_validation_about_it_are_shown(sign_in: SignIn, now: datetime) -> None:
    one, other = store(now, score=0.9), store(now)
    Feedback.objects.create(operation=one.id, score=0.9, actor="key batch", at=now)
    result = ValidationResult((error("zero", "features", "is zero", 0),), (), {"operation": str(one.id)})
    record_failures([Judged("pattern", "gpu-7:1", Subject("embed"), result)], now)
    client = sign_in("viktor")
    told = text_of(page_of(client, f"/operations/{one.id}/"))
    assert "Score 0.900 told later by key batch" in told
    assert "What validation found zero pattern: is zero" in told
    assert "What validation found" not in page_of(client, f"/operations/{other.id}/")


def test_it_leads_to_its_trace_and_to_its_neighbours_in_time(
    sign_in: SignIn, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, one, after = (store(now - timedelta(seconds=each), trace_id=TRACE) for each in (9, 9, 1))
    store(now - timedelta(seconds=5), "else")
    client = sign_in("viktor")
    page = page_of(client, f"/operations/{one.id}/")
    led = re.findall(r'href="/operations/([0-9a-f-]{36})/"', page)
    assert led == [str(each.id) for each in (before, after, before, after)]
    assert "first that is kept of its series" in text_of(page_of(client, f"/operations/{before.id}/"))
    assert "newest of its series" in text_of(page_of(client, f"/operations/{after.id}/"))
    monkeypatch.setattr("dashboard.operation_page.TRACE_SHOWN", 1)
    assert "The first 1; all of the trace" in text_of(page_of(client, f"/operations/{one.id}/"))


def test_one_that_is_gone_is_told_how_long_they_are_kept(sign_in: SignIn) -> None:
    response = sign_in("viktor").get(f"/operations/{uuid4()}/")
    assert response.status_code == 404
    assert re.search(
        r"Operations are kept for \d+ days?: it was cleared away", text_of(response.content.decode())
    )


@pytest.mark.parametrize("who", ["viktor", "olga", "admin"])
def test_whoever_signed_in_may_look(sign_in: SignIn, now: datetime, who: str) -> None:
    one, client = store(now), sign_in(who)
    for path in (LIST, f"/operations/{one.id}/", "/operations/export/"):
        assert client.get(path).status_code == 200
    assert ("In the admin" in page_of(client, f"/operations/{one.id}/")) == (who != "viktor")


def test_what_a_caller_wrote_is_shown_as_text(sign_in: SignIn, now: datetime) -> None:
    evil = "<script>alert(1)</script>\"'>"
    one = store(
        now, evil, evil, outcome="error", error_type=evil, error_message=evil, parameters={evil: evil},
        attributes={evil: [{evil: evil * 20}]}, instance=evil, trace_id="<b>", span_id="<i>", space=evil,
        breaker=evil,
    )  # fmt: skip
    client = sign_in("viktor")
    query = "&".join(
        f"{name}={evil}" for name in ("operation_type", "instance", "error_type", "breaker", "id")
    )
    for path in (LIST, f"/operations/{one.id}/", f"{LIST}?{query}", f"{LIST}?trace_id=<b>"):
        page = page_of(client, path)
        assert "<script>alert" not in page
        assert "<b>" not in page


@pytest.mark.parametrize("count", [3, 120])
def test_pages_cost_the_same_however_much_there_is(sign_in: SignIn, now: datetime, count: int) -> None:
    for number in range(count):
        one = store(
            now - timedelta(seconds=number), f"type {number % 7}", trace_id=TRACE, pattern=1_000_000_000 + number,
            recommendation=uuid4(),
        )  # fmt: skip
    client = sign_in("viktor")
    page_of(client)
    for path, most in (
        (LIST, 22),
        (f"{LIST}?instance=nobody", 24),
        (f"{LIST}?operation_type=type+1&order=slowest&pattern=1000000001", 26),
        (f"/operations/{one.id}/", 20),
    ):
        with CaptureQueriesContext(connection) as captured:
            page_of(client, path)
        assert len(captured) <= most, [each["sql"] for each in captured]


def test_an_id_of_thirty_two_digits_is_an_id_too(sign_in: SignIn, now: datetime) -> None:
    one = store(now, id=UUID(int=7))
    assert sign_in("viktor").get(f"{LIST}?id={one.id.hex}").headers["Location"].endswith(f"{one.id}/")
