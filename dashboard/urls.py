"""The dashboard's addresses.

A breaker's name may hold slashes; the addresses that act on one therefore stand before the one that shows it.
"""

from django.contrib.auth import views as accounts
from django.urls import path, reverse_lazy

from dashboard.views import breakers, overview
from featurememory.circuit_breaker.operator_actions import ACTIONS

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("overview/status/", overview.overview_status, name="overview-status"),
    path("overview/signals/", overview.overview_signals, name="overview-signals"),
    path("overview/first-operation/", overview.first_operation, name="first-operation"),
    path("overview/chart.csv", overview.chart_csv, name="chart-csv"),
    path("breakers/", breakers.breakers, name="breakers"),
    *(
        path(f"breakers/<path:name>/{slug}/", breakers.act, {"action": slug}, name=f"breaker-{slug}")
        for slug in ACTIONS
    ),
    path("breakers/<path:name>/", breakers.breaker, name="breaker"),
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
