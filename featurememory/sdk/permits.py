"""Leave for a probe, asked of the fleet's breaker by whoever calls: at most a fraction of a second, or not at all."""

from __future__ import annotations

from json import loads
from time import monotonic
from typing import NamedTuple

from featurememory.circuit_breaker.events import RefusedAs
from featurememory.sdk.http import HttpConnection, ServerAddress, path_part

TIMEOUT_S = 0.25
_QUIET_S = 5.0
"""How long nobody asks again after an answer failed to come in time: each would cost its caller as much."""

_REFUSED_AS: dict[str, RefusedAs] = {"open": "open", "forced_open": "forced_open"}


class Grant(NamedTuple):
    """The fleet's answer; `permit` is empty where none is given."""

    allowed: bool
    state: RefusedAs
    retry_after_ms: float | None
    permit: str


class FleetPermits:
    """Asks on a connection of its own: probes are rare."""

    def __init__(self, address: ServerAddress, api_key: str) -> None:
        self._address = address
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._quiet_until = 0.0

    def ask(self, breaker: str) -> Grant | None:
        """None where there is no telling: the server is away, too slow, or does not know the breaker."""
        if monotonic() < self._quiet_until:
            return None
        connection = HttpConnection(self._address, TIMEOUT_S)
        try:
            path = f"/api/v1/breakers/{path_part(breaker)}/permits"
            response = connection.request("POST", path, self._headers, b"{}")
            return _grant(loads(response.body)) if response.status == 200 else None
        except OSError:
            self._quiet_until = monotonic() + _QUIET_S
            return None
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        finally:
            connection.close()


def _grant(answer: dict[str, object]) -> Grant:
    wait = answer["retry_after_ms"]
    return Grant(
        allowed=answer["allowed"] is True,
        state=_REFUSED_AS.get(str(answer["state"]), "half_open"),
        retry_after_ms=float(wait) if isinstance(wait, int | float) else None,
        permit=str(answer["permit"]),
    )
