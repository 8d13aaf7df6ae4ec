"""The dashboard's addresses.

A breaker's name may hold slashes; the addresses that act on one therefore stand before the one that shows it, and
what belongs to no single breaker has a path of its own.
"""

from django.contrib.auth import views as accounts
from django.urls import path, register_converter, reverse_lazy
from django.urls.converters import PathConverter

from dashboard.views import (
    breaker_acts,
    breaker_settings,
    breakers,
    learning_settings,
    optimization_acts,
    optimizations,
    overview,
    pattern_acts,
    patterns,
)
from featurememory.circuit_breaker.configuration import Scope
from featurememory.circuit_breaker.operator_actions import ACTIONS
from featurememory.optimization.operator_actions import ACTIONS as OPTIMIZATION_ACTIONS


class NameConverter(PathConverter):
    """The name of a breaker or an operation type: any text that a database can hold."""

    regex = r"[^\x00]+"


register_converter(NameConverter, "name")

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("overview/status/", overview.overview_status, name="overview-status"),
    path("overview/signals/", overview.overview_signals, name="overview-signals"),
    path("overview/first-operation/", overview.first_operation, name="first-operation"),
    path("overview/chart.csv", overview.chart_csv, name="chart-csv"),
    path("breakers/", breakers.breakers, name="breakers"),
    *(
        path(f"breakers/<name:name>/{slug}/", breaker_acts.act, {"action": slug}, name=f"breaker-{slug}")
        for slug in ACTIONS
    ),
    path("breakers/<name:name>/", breakers.breaker, name="breaker"),
    path("breaker-events/<int:sequence>/", breakers.event, name="breaker-event"),
    path("breaker-resets/", breaker_acts.reset_many, name="breaker-resets"),
    path("breaker-settings/", breaker_settings.settings, {"scope": Scope.DEFAULT}, name="breaker-settings"),
    path(
        "breaker-settings/operation-type/<name:name>/",
        breaker_settings.settings,
        {"scope": Scope.OPERATION_TYPE},
        name="breaker-settings-of-type",
    ),
    path(
        "breaker-settings/breaker/<name:name>/",
        breaker_settings.settings,
        {"scope": Scope.BREAKER},
        name="breaker-settings-of",
    ),
    path("optimizations/", optimizations.optimizations, name="optimizations"),
    path("optimizations/gains/", optimizations.learning_gains, name="optimization-gains"),
    path("optimizations/<int:pk>/", optimizations.optimization, name="optimization"),
    path("optimizations/<int:pk>/rewards.csv", optimizations.rewards_csv, name="optimization-rewards-csv"),
    *(
        path(
            f"optimizations/<int:pk>/{slug}/",
            optimization_acts.act,
            {"action": slug},
            name=f"optimization-{slug}",
        )
        for slug in OPTIMIZATION_ACTIONS
    ),
    path("studies/<int:study>/propose/", optimization_acts.propose, name="optimization-propose"),
    path("parameter-sets/<int:pk>/retire/", optimization_acts.retire_set, name="optimization-retire-set"),
    path("recommendations/<uuid:pk>/", optimizations.recommendation, name="optimization-why"),
    path("learning-settings/", learning_settings.learning_settings, name="optimization-settings"),
    path(
        "learning-settings/operation-type/<name:name>/",
        learning_settings.learning_settings,
        name="optimization-settings-of-type",
    ),
    path("patterns/", patterns.patterns, name="patterns"),
    path("patterns/map/", patterns.pattern_map, name="pattern-map"),
    path("patterns/map.csv", patterns.pattern_map_csv, name="pattern-map-csv"),
    path("patterns/<int:id>/", patterns.pattern, name="pattern"),
    path("patterns/<int:id>/change/", pattern_acts.change, name="pattern-change"),
    path("patterns/<int:id>/merge/", pattern_acts.merge, name="pattern-merge"),
    path("patterns/<int:id>/forget/", pattern_acts.forget, name="pattern-forget"),
    path("login/", accounts.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", accounts.LogoutView.as_view(), name="logout"),
    path(
        "account/password/",
        accounts.PasswordChangeView.as_view(
            template_name="registration/password.html", success_url=reverse_lazy("overview")
        ),
        name="account-password",
    ),
]
