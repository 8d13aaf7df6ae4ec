"""Where patterns lie on their space's map: by their centroids alone, and for good."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from django.apps import apps

from featurememory.core.operator_actions import merge_pattern
from featurememory.core.spaces import vector_from_bytes
from featurememory.core.storage import read_plane
from featurememory.models import FeatureSpace, Pattern, PatternMap
from tests.core.test_registry import BY_OLGA, learn, ready

pytestmark = pytest.mark.django_db(transaction=True)


def drawn() -> dict[int, tuple[float, float]]:
    return {row.pk: (row.x, row.y) for row in Pattern.objects.all()}


def _all_lie_where_their_centroids_are() -> bool:
    plane = read_plane(FeatureSpace.objects.get())
    rows = list(Pattern.objects.all())
    places = plane.places(np.stack([vector_from_bytes(bytes(row.centroid)) for row in rows]))
    return bool(np.allclose(places, [(row.x, row.y) for row in rows], atol=1e-6))


def test_new_patterns_move_no_other_on_the_map() -> None:
    ours, vectors = ready()
    axes, before = bytes(PatternMap.objects.get().axes), drawn()

    learn(ours, -50 * vectors[:5])

    after = drawn()
    assert len(after) > len(before)
    assert {pattern: after[pattern] for pattern in before} == before
    assert bytes(PatternMap.objects.get().axes) == axes


def test_a_pattern_lies_where_its_centroid_is_however_it_got_there() -> None:
    ours, vectors = ready()
    learn(ours, vectors[:80])
    assert _all_lie_where_their_centroids_are()
    assert len(set(drawn().values())) == Pattern.objects.count()

    first, second = Pattern.objects.values_list("pk", flat=True)[:2]
    merge_pattern(first, second, **BY_OLGA)

    assert _all_lie_where_their_centroids_are()


def test_an_upgrade_draws_the_patterns_that_are_there() -> None:
    ready()
    PatternMap.objects.all().delete()
    Pattern.objects.update(x=0, y=0)

    import_module("featurememory.migrations.0006_pattern_map").draw_maps(apps, None)

    assert _all_lie_where_their_centroids_are()
    assert len(set(drawn().values())) == Pattern.objects.count()


def test_an_upgrade_draws_a_space_whose_patterns_are_all_gone() -> None:
    ready()
    PatternMap.objects.all().delete()
    Pattern.objects.all().delete()

    import_module("featurememory.migrations.0006_pattern_map").draw_maps(apps, None)

    axes = read_plane(FeatureSpace.objects.get()).axes
    assert axes @ axes.T == pytest.approx(np.eye(2))
