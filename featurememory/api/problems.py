"""Errors as problem details (RFC 9457): one shape for every answer that is not a success."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from http import HTTPStatus
from typing import Any

import orjson
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.errors import HttpError
from ninja.errors import ValidationError as NinjaValidationError
from pydantic import BaseModel

from featurememory.alerts.errors import AlertNotOpen, RuleMoved, UnknownAlert, UnknownRule, UnknownSilence
from featurememory.api.recording import count_pass, record_refusal
from featurememory.circuit_breaker.commands import EpochPassed
from featurememory.circuit_breaker.storage import UnknownBreaker
from featurememory.core.errors import UnknownPattern, UnknownSpace
from featurememory.errors import (
    ConfigurationError,
    FeatureMemoryError,
    ResourceConstraintError,
    ValidationError,
)
from featurememory.ingestion.operations import FIELD_ADVICE, FieldError, printable
from featurememory.integration.server_errors import ERRORS
from featurememory.observability.annotations import UnknownAnnotation
from featurememory.optimization.errors import (
    FeedbackRefused,
    UnknownOperation,
    UnknownOptimization,
    UnknownRecommendation,
    UnknownStudy,
)
from featurememory.scheduling.requests import BrokerAway, UnknownJob
from featurememory.validation.manager import UnknownValidator

CONTENT_TYPE = "application/problem+json"


class Problem(BaseModel):
    """What went wrong and what to do about it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] = []


@dataclass
class ProblemError(Exception):
    """Raised anywhere below an endpoint; becomes its answer."""

    status: int
    code: str
    title: str
    detail: str
    errors: list[FieldError] = field(default_factory=list)
    retry_after_s: int | None = None
    members: dict[str, Any] = field(default_factory=dict)
    """Further members of the answer, beside those of `Problem`."""

    def body(self) -> bytes:
        problem = Problem(
            title=self.title, status=self.status, detail=self.detail, code=self.code, errors=self.errors
        )
        return orjson.dumps(problem.model_dump() | self.members)

    def headers(self) -> dict[str, str]:
        headers = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = 'Bearer realm="Feature Memory"'
        return headers


def register(api: NinjaAPI) -> None:
    """Makes every error below `api` a problem."""
    handlers: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
        ProblemError: _respond,
        NinjaValidationError: _wrong_input,
        ValidationError: _invalid,
        ConfigurationError: _wrong_setting,
        EpochPassed: _epoch_passed,
        UnknownValidator: _unknown,
        UnknownBreaker: _unknown,
        UnknownSpace: _unknown,
        UnknownPattern: _unknown,
        UnknownOptimization: _unknown,
        UnknownRecommendation: _unknown,
        UnknownStudy: _unknown,
        UnknownOperation: _unknown,
        UnknownJob: _unknown,
        UnknownAlert: _unknown,
        UnknownSilence: _unknown,
        UnknownAnnotation: _unknown,
        UnknownRule: _unknown,
        AlertNotOpen: _out_of_step,
        RuleMoved: _out_of_step,
        BrokerAway: _broker_away,
        FeedbackRefused: _refused_feedback,
        ResourceConstraintError: _no_room,
        Http404: _not_found,
        HttpError: _http_error,
        Exception: _unforeseen,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)


def respond(problem: ProblemError) -> HttpResponse:
    """The problem as Django answers it."""
    return HttpResponse(problem.body(), status=problem.status, headers=problem.headers())


@csrf_exempt
def nothing_here(request: HttpRequest) -> HttpResponse:
    """Answers every address below the API that leads nowhere."""
    return respond(ProblemError(404, "not_found", "Not found", "There is nothing at this address."))


def refusing_with_problems(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """`view`; where it refuses a method, or has nothing at its address, the answer becomes a problem too."""

    @wraps(view)
    def answering(request: HttpRequest, **arguments: object) -> HttpResponse:
        try:
            answer = view(request, **arguments)
        except Http404:
            return nothing_here(request)
        if not isinstance(answer, HttpResponseNotAllowed):
            count_pass(request, answer.status_code)
            return answer
        allowed = ", ".join(sorted(answer["Allow"].split(", ")))
        detail = f"{request.method} cannot be used here; use {allowed}."
        problem = respond(ProblemError(405, "method_not_allowed", "Method not allowed", detail))
        problem["Allow"] = allowed
        return problem

    return answering


def _respond(request: HttpRequest, problem: ProblemError) -> HttpResponse:
    whole = FieldError(field="body", code=problem.code, message=problem.detail)
    record_refusal(request, problem.status, problem.errors or [whole])
    return respond(problem)


def _wrong_input(request: HttpRequest, wrong: NinjaValidationError) -> HttpResponse:
    errors = [
        FieldError(
            field=_field(error["loc"]),
            code=error["type"],
            message=str(FIELD_ADVICE.get(error["type"], error["msg"])),
        )
        for error in wrong.errors
    ]
    names = ", ".join(error.field for error in errors)
    invalid = ValidationError(f"Wrong: {names}.", [error.model_dump() for error in errors])
    ERRORS.handle(invalid, request)
    return _respond(
        request, ProblemError(422, "invalid", "The request has wrong values", str(invalid), errors)
    )


def _field(place: Sequence[object]) -> str:
    """The field's name as its caller wrote it: ninja puts the parameter's kind before it, and a body's own name."""
    names = place[2:] if place[0] == "body" else place[1:]
    return ".".join(printable(str(name)) for name in names) or "body"


def _invalid(request: HttpRequest, wrong: ValidationError) -> HttpResponse:
    ERRORS.handle(wrong, request)
    errors = [FieldError.model_validate(error) for error in wrong.errors]
    return _respond(
        request, ProblemError(422, wrong.code, "The request has wrong values", str(wrong), errors)
    )


def _wrong_setting(request: HttpRequest, wrong: ConfigurationError) -> HttpResponse:
    ERRORS.handle(wrong, request)
    error = FieldError(field=f"config.{wrong.data['field']}", code=wrong.code, message=str(wrong))
    return _respond(
        request, ProblemError(422, wrong.code, "The settings do not go together", str(wrong), errors=[error])
    )


def _epoch_passed(request: HttpRequest, passed: EpochPassed) -> HttpResponse:
    return _respond(request, ProblemError(409, passed.code, "The breaker has moved", str(passed)))


def _unknown(request: HttpRequest, unknown: FeatureMemoryError) -> HttpResponse:
    return _respond(request, ProblemError(404, unknown.code, "Not found", str(unknown)))


def _out_of_step(request: HttpRequest, passed: FeatureMemoryError) -> HttpResponse:
    return _respond(
        request, ProblemError(409, passed.code, "It is not as the request takes it to be", str(passed))
    )


def _broker_away(request: HttpRequest, away: BrokerAway) -> HttpResponse:
    problem = ProblemError(503, away.code, "The worker cannot be reached", str(away), retry_after_s=10)
    return _respond(request, problem)


def _refused_feedback(request: HttpRequest, refused: FeedbackRefused) -> HttpResponse:
    return _respond(request, ProblemError(409, refused.code, "The feedback cannot be taken", str(refused)))


def _no_room(request: HttpRequest, full: ResourceConstraintError) -> HttpResponse:
    ERRORS.handle(full, request)
    return _respond(request, ProblemError(409, full.code, "There is no room", str(full)))


def _not_found(request: HttpRequest, missing: Http404) -> HttpResponse:
    detail = str(missing) or "There is nothing at this address."
    return _respond(request, ProblemError(404, "not_found", "Not found", detail))


def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    title = HTTPStatus(error.status_code).phrase
    return _respond(request, ProblemError(error.status_code, "refused", title, str(error)))


def _unforeseen(request: HttpRequest, failure: Exception) -> HttpResponse:
    ERRORS.handle(failure, f"{request.method} {request.path}")
    detail = "The server failed on this request; its log says more."
    return _respond(request, ProblemError(500, "internal", "Internal error", detail))
