"""Messages do not go into the private network of the server, unless the installation says so."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import datetime
from ipaddress import ip_address
from typing import Any

import pytest

from featurememory.alerts.channel_actions import save_channel
from featurememory.alerts.delivering import deliver_due
from featurememory.alerts.planning import plan_deliveries
from featurememory.alerts.targets import TargetRefused, connect, may_be_reached, resolve
from featurememory.audit import By
from featurememory.configuration import ConfigurationProblem, read_configuration
from featurememory.errors import ConfigurationError
from featurememory.models import AlertChannel, AlertDelivery, AuditEntry
from tests.alerts.rows import SECRET, alert, route, webhook
from tests.alerts.sink import Sink

PRIVATE = [
    "127.0.0.1",
    "127.9.9.9",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused_in_every_clothing(address: str) -> None:
    assert not may_be_reached("example.com", ip_address(address), ())


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_not(address: str) -> None:
    assert may_be_reached("example.com", ip_address(address), ())


@pytest.mark.parametrize("allowed", ["10.0.0.0/8", "10.1.2.3", "hooks.internal"])
def test_what_the_installation_allows_may_be_reached(allowed: str) -> None:
    assert may_be_reached("Hooks.Internal", ip_address("10.1.2.3"), (allowed,))
    assert not may_be_reached("other", ip_address("192.168.0.1"), (allowed,))


def answering(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
    """The name server's answers, one after another."""
    left = list(answers)

    def resolved(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in left.pop(0)]

    monkeypatch.setattr("featurememory.alerts.targets.socket.getaddrinfo", resolved)


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, ["8.8.8.8", "10.0.0.1"])

    with pytest.raises(TargetRefused, match=r"10\.0\.0\.1.*FEATUREMEMORY_PRIVATE_TARGETS"):
        resolve("two-faced.example.com", 443, ())


def test_a_name_that_changes_its_mind_leads_nowhere_else(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked once: the second answer, a private address, is never heard."""
    answering(monkeypatch, ["127.0.0.1"])
    target = resolve("rebound.example.com", sink.port, ("127.0.0.1",))
    monkeypatch.undo()

    with connect(target, 5) as connection:
        assert connection.getpeername() == ("127.0.0.1", sink.port)


@pytest.mark.django_db(transaction=True)
def test_a_channel_into_the_private_network_cannot_be_saved(now: datetime) -> None:
    for url in ("http://127.0.0.1:9000/", "http://[::1]/", "http://localhost/", "http://0x7f000001/"):
        with pytest.raises(TargetRefused):
            save_channel(
                None,
                name="hook",
                kind="webhook",
                given={"url": url, "secret": SECRET},
                is_enabled=True,
                by=By("anna", "try", now),
            )
    assert not AlertChannel.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_one_that_leads_there_since_is_not_sent_to(sink: Sink, now: datetime, settings: Any) -> None:
    route(webhook(now, sink.url))
    alert(now)
    settings.CONFIGURATION = replace(settings.CONFIGURATION, private_targets=())
    plan_deliveries(now)

    deliver_due(now)

    assert not sink.posts
    assert "private address 127.0.0.1" in AlertDelivery.objects.get().error


@pytest.mark.django_db(transaction=True)
def test_secrets_are_kept_when_left_empty_and_stand_in_no_audit(sink: Sink, now: datetime) -> None:
    def save(row: AlertChannel | None, **given: str) -> AlertChannel:
        return save_channel(
            row, name="hook", kind="webhook", given=given, is_enabled=True, by=By("anna", "why", now)
        )

    row = save(None, url=sink.url, secret=SECRET)
    row = save(row, url=f"{sink.url}/new", secret="")

    assert row.settings == {"url": f"{sink.url}/new", "secret": SECRET}
    told = [[each.before, each.after] for each in AuditEntry.objects.all()]
    assert SECRET not in str(told)
    after = AuditEntry.objects.first().after  # type: ignore[union-attr]
    assert after["settings"] == {"url": f"{sink.url}/…", "secret": "set"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [
        ("webhook", {"url": "ftp://example.com", "secret": SECRET}, "url"),
        ("webhook", {"url": "https://user:pass@example.com", "secret": SECRET}, "url"),
        ("webhook", {"url": "https://example.com", "secret": "short"}, "secret"),
        ("webhook", {"url": "https://example.com:99999", "secret": SECRET}, "url"),
        ("slack", {}, "url"),
        ("pigeon", {}, "kind"),
        ("alertmanager", {"url": "http://a", "feathers": "2"}, "feathers"),
        ("email", {"host": "mail.example.com", "sender": "nobody", "recipients": "a@b.c"}, "sender"),
        ("email", {"host": "mail.example.com", "sender": "a@b.c", "recipients": "a@b.c, d"}, "recipients"),
        ("email", {"host": "h", "sender": "a@b.c", "recipients": "a@b.c", "port": "0"}, "port"),
        ("email", {"host": "h", "sender": "a@b.c", "recipients": "a@b.c", "user": "u"}, "password"),
        ("email", {"host": "h", "sender": "a@b.c\r\nBcc: x@y.z", "recipients": "a@b.c"}, "sender"),
    ],
)
def test_wrong_settings_name_their_field(kind: str, given: dict[str, str], field: str, now: datetime) -> None:
    with pytest.raises(ConfigurationError) as refused:
        save_channel(None, name="c", kind=kind, given=given, is_enabled=True, by=By("anna", "try", now))

    assert refused.value.data["field"] == field


def test_the_environment_names_hosts_and_networks() -> None:
    read = read_configuration({"FEATUREMEMORY_PRIVATE_TARGETS": "Mail.Internal, 10.0.0.0/8"})
    assert read.private_targets == ("mail.internal", "10.0.0.0/8")

    with pytest.raises(ConfigurationProblem, match=r"10\.0\.0\.0/99"):
        read_configuration({"FEATUREMEMORY_PRIVATE_TARGETS": "10.0.0.0/99"})
