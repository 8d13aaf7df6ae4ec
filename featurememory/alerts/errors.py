"""What can go wrong with alerts, beside wrong settings."""

from __future__ import annotations

from featurememory.errors import FeatureMemoryError


class UnknownAlert(FeatureMemoryError):
    code = "unknown_alert"

    def __init__(self, id: int) -> None:
        super().__init__(f"There is no alert {id}.", id=id)


class UnknownSilence(FeatureMemoryError):
    code = "unknown_silence"

    def __init__(self, id: int) -> None:
        super().__init__(f"There is no silence {id}.", id=id)


class UnknownRule(FeatureMemoryError):
    code = "unknown_rule"

    def __init__(self, id: int) -> None:
        super().__init__(f"There is no alert rule {id}.", id=id)


class AlertNotOpen(FeatureMemoryError):
    """It is over, or does not fire yet: there is nothing to act on."""

    code = "alert_not_open"

    def __init__(self, id: int, state: str) -> None:
        super().__init__(
            f"Alert {id} is {state}: only what fires can be acted on like this.", id=id, state=state
        )


class RuleMoved(FeatureMemoryError):
    """Somebody has changed it since it was read."""

    code = "rule_moved"

    def __init__(self, id: int, version: int) -> None:
        super().__init__(
            f"Alert rule {id} was changed meanwhile and is at version {version}: read it again, and repeat the change.",
            id=id,
            version=version,
        )
