"""The shape of Slack's incoming webhooks, which Mattermost, Rocket.Chat and Discord (at /slack) take too."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from featurememory.alerts.messages import Answer, Message, link_to, sentence_of, subject_of
from featurememory.alerts.transports.http import post

COLOURS: Final = {"critical": "#c0392b", "warning": "#d68910", "info": "#2e86c1", "resolved": "#1e8449"}
MOST_SHOWN = 20


def send(message: Message, settings: Mapping[str, Any], allowed: Sequence[str]) -> Answer:
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": message.id,
        "X-FeatureMemory-Delivery": message.id,
    }
    return post(settings["url"], json.dumps(body_of(message)).encode(), headers, allowed)


def body_of(message: Message) -> dict[str, Any]:
    """A line that reads well as a notification, and an attachment for each alert."""
    shown = message.alerts[:MOST_SHOWN]
    attachments = [
        {
            "fallback": sentence_of(each),
            "color": COLOURS["resolved" if each["status"] == "resolved" else each["severity"]],
            "title": escaped(f"{each['status'].capitalize()}: {each['name']}"),
            "title_link": link_to(each, message.address),
            "text": escaped(each["summary"]) + _runbook(each["runbook_url"]),
            "mrkdwn_in": ["text"],
            "footer": "acknowledged"
            if each["is_acknowledged"]
            else "flapping"
            if each["is_flapping"]
            else "",
        }
        for each in shown
    ]
    if len(message.alerts) > MOST_SHOWN:
        attachments.append({"text": f"and {len(message.alerts) - MOST_SHOWN} more"})
    return {"text": escaped(subject_of(message)), "attachments": attachments}


def escaped(text: str) -> str:
    """Nothing in it is a link or calls anybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _runbook(url: str) -> str:
    if not url.startswith(("https://", "http://")) or set(url) & set("|<> "):
        return ""
    return f"\n<{url}|Runbook>"
