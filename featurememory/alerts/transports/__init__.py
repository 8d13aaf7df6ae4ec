"""How a message reaches each kind of channel, one file each. None follows a redirect, none takes longer than 10 s."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from featurememory.alerts.channels import without_secrets
from featurememory.alerts.messages import Answer, Message
from featurememory.alerts.targets import TargetRefused
from featurememory.alerts.transports import alertmanager, email, slack, webhook
from featurememory.models import AlertChannel

logger = logging.getLogger(__name__)

Transport = Callable[[Message, Mapping[str, Any], Sequence[str]], Answer]
TRANSPORTS: Mapping[str, Transport] = {
    AlertChannel.Kind.EMAIL: email.send,
    AlertChannel.Kind.WEBHOOK: webhook.send,
    AlertChannel.Kind.SLACK: slack.send,
    AlertChannel.Kind.ALERTMANAGER: alertmanager.send,
}
MAX_TEXT = 500


def send(kind: str, settings: Mapping[str, Any], message: Message, allowed: Sequence[str]) -> Answer:
    """Never raises: what went wrong is the answer. Nothing secret is in it."""
    try:
        answer = TRANSPORTS[kind](message, settings, allowed)
    except TargetRefused as refused:
        answer = Answer(False, error=str(refused))
    except Exception as failure:
        logger.info("delivery %s failed: %s", message.id, type(failure).__name__)
        answer = Answer(False, error=_words_of(failure))
    return Answer(
        answer.is_taken,
        answer.status,
        _told(answer.text, kind, settings),
        _told(answer.error, kind, settings),
        answer.retry_after_s,
    )


def _words_of(failure: Exception) -> str:
    """As somebody who set the channel up can understand it."""
    if isinstance(failure, TimeoutError):
        return "It did not answer in time."
    if isinstance(failure, OSError) and failure.strerror:
        return f"No connection: {failure.strerror}."
    return f"{type(failure).__name__}: {failure}"


def _told(text: str, kind: str, settings: Mapping[str, Any]) -> str:
    return without_secrets(text.replace("\0", ""), kind, settings)[:MAX_TEXT]
