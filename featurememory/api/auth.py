"""Our keys as ninja's security: one authenticator per scope."""

from __future__ import annotations

from django.http import HttpRequest
from ninja.security.base import AuthBase

from featurememory.access import KEYS, Caller
from featurememory.api.problems import ProblemError


def allow(caller: Caller | None, scope: str) -> Caller:
    """`caller` if it may do what `scope` stands for; a problem (401, 403) otherwise."""
    if caller is None:
        raise ProblemError(
            401,
            "unauthorized",
            "A key is needed",
            "Send `Authorization: Bearer fm_...` with a key that was not revoked; "
            f"`manage.py createapikey NAME --scope {scope}` makes one.",
        )
    if scope not in caller.scopes:
        raise ProblemError(
            403,
            "missing_scope",
            "The key may not do this",
            f"This call needs a key with the scope `{scope}`.",
        )
    return caller


class ScopedKey(AuthBase):
    """Passes requests whose bearer key has `scope`."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.scope = scope

    def __call__(self, request: HttpRequest) -> Caller:
        return allow(KEYS.caller(request.headers.get("Authorization", "")), self.scope)


class AnyScopedKey(AuthBase):
    """Passes requests whose bearer key has one of the scopes."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __init__(self, *scopes: str) -> None:
        super().__init__()
        self.scopes = scopes

    def __call__(self, request: HttpRequest) -> Caller:
        caller = KEYS.caller(request.headers.get("Authorization", ""))
        held = [scope for scope in self.scopes if caller is not None and scope in caller.scopes]
        return allow(caller, held[0] if held else self.scopes[0])


def actor_of(request: HttpRequest) -> str:
    """How the request's key is named in audit rows."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    return caller.actor
