"""A signed POST in the shape of Alertmanager's webhook, version 4."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from featurememory.alerts.messages import Answer, Message, webhook_body
from featurememory.alerts.transports.http import post

SIGNATURE = "X-FeatureMemory-Signature"


def send(message: Message, settings: Mapping[str, Any], allowed: Sequence[str]) -> Answer:
    body = json.dumps(webhook_body(message), ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": message.id,
        "X-FeatureMemory-Delivery": message.id,
        "X-FeatureMemory-Kind": message.kind,
        SIGNATURE: signature(body, settings["secret"], int(time.time())),
    }
    return post(settings["url"], body, headers, allowed)


def signature(body: bytes, secret: str, at: int) -> str:
    """`t=` the seconds since 1970, `v1=` HMAC-SHA256 of `t.body`."""
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={signed.hexdigest()}"


def is_signed(header: str, body: bytes, secret: str, now: float, tolerance_s: float = 300) -> bool:
    """Whether the body is ours and was sent just now: what a receiver asks before it believes it."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    stamp = parts.get("t", "")
    if not stamp.isascii() or not stamp.isdigit() or abs(now - int(stamp)) > tolerance_s:
        return False
    return hmac.compare_digest(signature(body, secret, int(stamp)).encode(), header.encode())
