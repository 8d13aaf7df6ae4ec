"""Intervals and parameter sets in templates; lists show so many that templates of their own would take too long."""

from __future__ import annotations

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from dashboard.effects import WIDTH, Bar
from dashboard.parameter_sets import ParameterSet
from featurememory.models.pattern import PATTERNS_A_SPACE

register = template.Library()

_BAR = (
    '<svg class="effect-bar" viewBox="0 0 {} 16" preserveAspectRatio="none" role="img" aria-label="{}">'
    '<rect class="ground" x="0" y="7.5" width="200" height="1"></rect>'
    '<rect class="zero" x="99.5" y="0" width="1" height="16"></rect>'
    '<rect class="interval tone-{}" x="{}" y="5" width="{}" height="6"></rect>{}'
    '<rect class="estimate tone-{}" x="{}" y="1.5" width="2" height="13"></rect></svg>'
)
_CUT_LOW = '<path class="tone-{}" d="M6 3 0 8l6 5z"></path>'
_CUT_HIGH = '<path class="tone-{}" d="m194 3 6 5-6 5z"></path>'


@register.simple_tag
def effect_bar(bar: Bar) -> SafeString:
    """An interval beside the baseline, with its words for those who cannot see it."""
    cut = _CUT_LOW * bar.is_cut_low + _CUT_HIGH * bar.is_cut_high
    return format_html(
        _BAR,
        WIDTH,
        bar.words,
        bar.tone,
        bar.x,
        bar.width,
        format_html(cut, *[bar.tone] * 2) if cut else "",
        bar.tone,
        bar.estimate_x,
    )


@register.filter
def number_in_space(pattern: int) -> int:
    """What people call a pattern that has no label."""
    return pattern % PATTERNS_A_SPACE


@register.simple_tag
def parameters(those: ParameterSet) -> SafeString:
    """What differs from the baseline; where nothing does, all of it, quietly."""
    if not those.changed:
        return format_html('<span class="parameter quiet">{}</span>', those.words)
    return format_html_join(
        " ",
        '<span class="parameter">{}=<strong>{}</strong></span>',
        ((each.name, each.value) for each in those.changed),
    )
