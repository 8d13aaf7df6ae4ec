"""The dashboard's addresses.

A breaker's name may hold slashes; the addresses that act on one therefore stand before the one that shows it, and
what belongs to no single breaker has a path of its own.
"""

from django.contrib.auth import views as accounts
from django.urls import path, register_converter
from django.urls.converters import PathConverter

from dashboard.views import (
    account,
    alert_channels,
    alert_rules,
    alert_silences,
    alerts,
    annotations,
    api_keys,
    audit,
    breaker_acts,
    breaker_settings,
    breakers,
    health,
    jobs,
    learning_settings,
    models,
    operations,
    optimization_acts,
    optimizations,
    overview,
    pattern_acts,
    patterns,
    people,
    resources,
    saved_views,
    settings_index,
    validations,
)
from featurememory.alerts.operator_actions import ACTIONS as ALERT_ACTIONS
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
    path("alerts/", alerts.alerts, name="alerts"),
    path("alerts/export/", alerts.export, name="alerts-export"),
    path("alerts/<int:pk>/", alerts.alert, name="alert"),
    *(
        path(f"alerts/<int:pk>/{slug}/", alerts.act, {"action": slug}, name=f"alert-{slug}")
        for slug in ALERT_ACTIONS
    ),
    path("alerts/<int:pk>/log/export/", alerts.export_log, name="alert-log-export"),
    path("alerts/<int:pk>/chart.csv", alerts.chart_csv, name="alert-csv"),
    path("alerts/history/", alerts.history, name="alert-history"),
    path("alerts/history/export/", alerts.export_history, name="alert-history-export"),
    path("alerts/silences/", alert_silences.silences, name="alert-silences"),
    path("alerts/silences/export/", alert_silences.export, name="alert-silences-export"),
    path("alerts/silences/new/", alert_silences.new, name="alert-silence-new"),
    path("alerts/silences/<int:pk>/", alert_silences.silence, name="alert-silence"),
    path("alerts/silences/<int:pk>/end/", alert_silences.end, name="alert-silence-end"),
    path("alerts/rules/", alert_rules.rules, name="alert-rules"),
    path("alerts/rules/export/", alert_rules.export, name="alert-rules-export"),
    path("alerts/rules/new/", alert_rules.new, name="alert-rule-new"),
    path("alerts/rules/<int:pk>/", alert_rules.rule, name="alert-rule"),
    path("alerts/rules/<int:pk>/switch/", alert_rules.switch, name="alert-rule-switch"),
    path("alerts/rules/<int:pk>/delete/", alert_rules.delete, name="alert-rule-delete"),
    *(
        path(f"alert-acts/{slug}/", alerts.act_on_many, {"action": slug}, name=f"alerts-{slug}")
        for slug in ALERT_ACTIONS
    ),
    path("models/", models.models, name="models"),
    path("models/export/", models.export, name="models-export"),
    path("models/compare/", models.compare, name="models-compare"),
    path("models/compare/chart.csv", models.compare_csv, name="models-compare-csv"),
    path("models/<int:pk>/", models.model, name="model"),
    path("models/<int:pk>/chart.csv", models.chart_csv, name="model-csv"),
    path("annotations/", annotations.written, name="annotations"),
    path("annotations/export/", annotations.export, name="annotations-export"),
    path("annotations/new/", annotations.new, name="annotation-new"),
    path("annotations/<int:pk>/remove/", annotations.remove, name="annotation-remove"),
    path("views/save/", saved_views.save, name="view-save"),
    path("views/<int:pk>/forget/", saved_views.forget, name="view-forget"),
    path("breakers/", breakers.breakers, name="breakers"),
    *(
        path(f"breakers/<name:name>/{slug}/", breaker_acts.act, {"action": slug}, name=f"breaker-{slug}")
        for slug in ACTIONS
    ),
    path("breakers/<name:name>/", breakers.breaker, name="breaker"),
    path("breaker-events/<int:sequence>/", breakers.event, name="breaker-event"),
    path("breaker-resets/", breaker_acts.reset_many, name="breaker-resets"),
    path("breaker-export/", breakers.export, name="breakers-export"),
    path("breaker-history-export/<name:name>/", breakers.export_history, name="breaker-history-export"),
    path("breaker-states-export/<name:name>/", breakers.export_states, name="breaker-states-export"),
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
    path("operations/", operations.operations, name="operations"),
    path("operations/chart.csv", operations.chart_csv, name="operations-csv"),
    path("operations/export/", operations.export, name="operations-export"),
    path("operations/<uuid:id>/", operations.operation, name="operation"),
    path("optimizations/", optimizations.optimizations, name="optimizations"),
    path("optimizations/gains/", optimizations.learning_gains, name="optimization-gains"),
    path("optimizations/export/", optimizations.export, name="optimizations-export"),
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
    path(
        "optimizations/<int:pk>/trials/export/",
        optimizations.export_trials,
        name="optimization-trials-export",
    ),
    path(
        "optimizations/<int:pk>/history/export/",
        optimizations.export_history,
        name="optimization-history-export",
    ),
    path("studies/<int:study>/sets/export/", optimizations.export_sets, name="study-sets-export"),
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
    path("patterns/export/", patterns.export, name="patterns-export"),
    path("patterns/<int:id>/", patterns.pattern, name="pattern"),
    path("patterns/<int:id>/nearest/export/", patterns.export_nearest, name="pattern-nearest-export"),
    path("patterns/<int:id>/change/", pattern_acts.change, name="pattern-change"),
    path("patterns/<int:id>/merge/", pattern_acts.merge, name="pattern-merge"),
    path("patterns/<int:id>/forget/", pattern_acts.forget, name="pattern-forget"),
    path("resources/", resources.resources, name="resources"),
    path("resources/panels/", resources.panels, name="resource-panels"),
    path("resources/chart.csv", resources.chart_csv, name="resource-chart-csv"),
    path("resources/limits/", resources.change_limits, name="resource-limits"),
    path("resources/cleanup/", resources.clean_up, name="resource-cleanup"),
    path("resources/cleanups/export/", resources.export_cleanups, name="resource-cleanups-export"),
    path("resources/cleanups/<int:pk>/", resources.cleanup_run, name="resource-cleanup-run"),
    path("health/", health.health, name="health"),
    path("health/watch/", health.watch, name="health-watch"),
    path("health/components/export/", health.export_components, name="health-components-export"),
    path("health/history/export/", health.export_history, name="health-history-export"),
    path("health/states/export/", health.export_states, name="health-states-export"),
    path("health/check/", health.check, name="health-check"),
    path("jobs/", jobs.jobs, name="jobs"),
    path("jobs/export/", jobs.export, name="jobs-export"),
    path("jobs/runs/export/", jobs.export_runs, name="job-runs-export"),
    path("jobs/<slug:name>/run/", jobs.run, name="job-run"),
    path("alerts/channels/", alert_channels.channels, name="alert-channels"),
    path("alerts/channels/export/", alert_channels.export_channels, name="alert-channels-export"),
    path("alerts/deliveries/export/", alert_channels.export_deliveries, name="alert-deliveries-export"),
    path("alerts/channels/add/<slug:kind>/", alert_channels.add_channel, name="alert-channel-add"),
    path("alerts/channels/<int:pk>/change/", alert_channels.change_channel, name="alert-channel-change"),
    path("alerts/channels/<int:pk>/delete/", alert_channels.delete_channel, name="alert-channel-delete"),
    path("alerts/channels/<int:pk>/test/", alert_channels.test_channel, name="alert-channel-test"),
    path("alerts/routes/add/", alert_channels.add_route, name="alert-route-add"),
    path("alerts/routes/<int:pk>/change/", alert_channels.change_route, name="alert-route-change"),
    path("alerts/routes/<int:pk>/delete/", alert_channels.delete_route, name="alert-route-delete"),
    path("validation/", validations.validations, name="validations"),
    path("validation/signals/", validations.signals, name="validation-signals"),
    path("validation/export/", validations.export, name="validations-export"),
    path("validation/codes/export/", validations.export_codes, name="validation-codes-export"),
    path("validation/sources/export/", validations.export_sources, name="validation-sources-export"),
    path("validation/chart.csv", validations.chart_csv, name="validations-csv"),
    path("validation/<int:pk>/", validations.validation, name="validation"),
    path("login/", accounts.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", accounts.LogoutView.as_view(), name="logout"),
    path("account/", account.account, name="account"),
    path("account/password/", account.ChangePassword.as_view(), name="account-password"),
    path("account/password/later/", account.password_later, name="account-password-later"),
    path("account/sessions/<int:pk>/end/", account.sign_out_one, name="account-session-end"),
    path("account/sessions/end-others/", account.sign_out_others, name="account-sessions-end"),
    path("settings/", settings_index.settings, name="settings"),
    path("settings/keys/", api_keys.keys, name="settings-keys"),
    path("settings/keys/export/", api_keys.export, name="settings-keys-export"),
    path("settings/keys/new/", api_keys.new, name="settings-key-new"),
    path("settings/keys/<int:pk>/revoke/", api_keys.revoke, name="settings-key-revoke"),
    path("settings/people/", people.people, name="settings-people"),
    path("settings/people/export/", people.export, name="settings-people-export"),
    path("settings/people/add/", people.add, name="settings-person-add"),
    path("settings/people/<int:pk>/role/", people.role, name="settings-person-role"),
    path("settings/people/<int:pk>/password/", people.password, name="settings-person-password"),
    *(
        path(
            f"settings/people/<int:pk>/{slug}/", people.act, {"action": slug}, name=f"settings-person-{slug}"
        )
        for slug in people.ACTS
    ),
    path("settings/lockouts/<int:pk>/release/", people.release, name="settings-lockout-release"),
    path("settings/audit/", audit.audit, name="settings-audit"),
    path("settings/audit/export/", audit.export, name="settings-audit-export"),
]
