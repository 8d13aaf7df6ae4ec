"""What the API refuses for its content is kept, and what it takes is counted; best effort, no answer depends on it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from time import time
from typing import Any

import orjson
from django.http import HttpRequest
from django.utils import timezone

from featurememory.access import Caller
from featurememory.ingestion.operations import FieldError, subject_of
from featurememory.validation.passes import PASSES
from featurememory.validation.results import Finding, Judged, ValidationResult, summary_at
from featurememory.validation.storage import record_one
from featurememory.validation.validating import REQUEST

logger = logging.getLogger(__name__)

_REFUSALS = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)
_VALIDATORS = {"patterns": "pattern", "feature-spaces": "pattern", "recommendations": "optimization"}
_BY_THEMSELVES = ("operations", "validations")
"""What these take is counted where it is validated."""


def record_refusal(request: HttpRequest, status: int, errors: Sequence[FieldError]) -> None:
    """Keeps what was wrong, if it was the content of what somebody sent in."""
    caller = _sender(request)
    if caller is None or status not in _REFUSALS or not errors:
        return
    try:
        data = _body(request)
        findings = [
            Finding(each.code, each.field, each.message, "error", summary_at(data, each.field))
            for each in errors
        ]
        result = ValidationResult.of(findings, {"request": f"{request.method} {request.path}"[:200]})
        record_one(Judged(_validator(request), caller.actor, subject_of(data), result), timezone.now())
    except Exception:
        logger.warning("what was refused could not be kept", exc_info=True)


def count_pass(request: HttpRequest, status: int) -> None:
    """Counts what was sent in and taken."""
    caller = _sender(request)
    if caller is None or not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    if _resource(request) not in _BY_THEMSELVES or request.path.endswith("/feedback"):
        PASSES.add(_validator(request), caller.actor, 1, subject_of(_body(request)), time())


def _sender(request: HttpRequest) -> Caller | None:
    """Whose content the request brings; None where it brings none, or nobody knows whose."""
    caller = getattr(request, "auth", None)
    return caller if isinstance(caller, Caller) and request.method in ("POST", "PUT", "PATCH") else None


def _validator(request: HttpRequest) -> str:
    return _VALIDATORS.get(_resource(request), REQUEST)


def _resource(request: HttpRequest) -> str:
    """What stands behind the API's version in the address."""
    return request.path_info.removeprefix("/api/v1/").partition("/")[0]


def _body(request: HttpRequest) -> Any:
    try:
        return orjson.loads(request.body)
    except ValueError:
        return None
