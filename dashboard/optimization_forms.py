"""What an operator is asked before something is done to an optimization or to a study's parameter sets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from json import JSONDecodeError, dumps, loads
from typing import Any

from django import forms
from django.db.models import Max, Q

from dashboard.parameter_sets import compared
from featurememory.audit import was_done
from featurememory.circuit_breaker.operator_actions import NOT_HANDED_ON, Done, ReasonForm
from featurememory.errors import FeatureMemoryError, ResourceConstraintError, ValidationError
from featurememory.models import Arm, Optimization, OptimizationEvent, Study
from featurememory.optimization.operator_actions import OperatorAction, add_candidate, order, retire_arm

MAX_TYPED = 20_000


class OptimizationActForm(ReasonForm):
    """And the newest change that the page knew of: nobody undoes unseen what another operator has done since."""

    looked_at = forms.IntegerField(required=False, min_value=0, max_value=2**62, widget=forms.HiddenInput)

    def __init__(self, found: Optimization, data: Mapping[str, Any] | None = None) -> None:
        self._changes = OptimizationEvent.objects.filter(
            Q(pattern=found.pattern) | Q(pattern=None), arm=found.arm_id
        )
        super().__init__(data, initial={"looked_at": self._newest()} if data is None else {})
        self._found = found

    def carry_out(self, action: OperatorAction, actor: str, now: datetime) -> Done | None:
        """None where it was refused, which the form then says. UnknownOptimization."""
        given = self.cleaned_data
        if other := self._act_of_another(given):
            self.add_error(
                "reason",
                f"{other.actor} has acted on it meanwhile: “{other.reason}”. Submit again if you still mean it.",
            )
            self.data = dict(self.data.items()) | {"looked_at": self._newest()}
            return None
        try:
            done = order(
                self._found.pk,
                action,
                actor=actor,
                reason=given["reason"],
                now=now,
                request_id=given["request_id"],
            )
        except ValidationError as refused:
            self.add_error("reason", in_words(refused))
            return None
        return _done(f"The optimization {action.done}", was_handed_on=done.was_handed_on)

    def _newest(self) -> int:
        return self._changes.aggregate(newest=Max("id"))["newest"] or 0

    def _act_of_another(self, given: Mapping[str, Any]) -> OptimizationEvent | None:
        looked_at = given.get("looked_at")
        if looked_at is None or was_done(given["request_id"]):
            return None
        return self._changes.filter(id__gt=looked_at).exclude(actor="").order_by("-id").first()


class RetirementForm(ReasonForm):
    """Why a parameter set goes from all patterns."""

    def carry_out(self, arm: Arm, actor: str, now: datetime) -> Done | None:
        """None where it was refused, which the form then says."""
        given = self.cleaned_data
        try:
            done = retire_arm(
                arm.pk, actor=actor, reason=given["reason"], now=now, request_id=given["request_id"]
            )
        except ValidationError as refused:
            self.add_error("reason", in_words(refused))
            return None
        return _done("The parameter set is retired everywhere.", was_handed_on=done.was_handed_on)


class ProposalForm(ReasonForm):
    """A parameter set, as JSON, for a study to try."""

    field_order = ("parameters", "reason")

    parameters = forms.CharField(
        max_length=MAX_TYPED,
        widget=forms.Textarea(
            attrs={"rows": 8, "class": "mono", "spellcheck": "false", "autocomplete": "off"}
        ),
        help_text="A JSON object with the baseline’s names; change the values.",
        error_messages={"required": "Write the parameters as a JSON object."},
    )

    def __init__(self, baseline: Mapping[str, Any], data: Mapping[str, Any] | None = None) -> None:
        typed = dumps(baseline, indent=2, ensure_ascii=False, sort_keys=True)
        super().__init__(data, initial={"parameters": typed} if data is None else {})
        self._baseline = baseline
        del self.fields["reason"].widget.attrs["autofocus"]
        self.fields["parameters"].widget.attrs["autofocus"] = True

    def clean_parameters(self) -> Any:
        return read_json(self.cleaned_data["parameters"])

    def carry_out(self, study: Study, actor: str, now: datetime) -> Done | None:
        """None where it was refused, which the form then says. UnknownStudy."""
        given = self.cleaned_data
        try:
            arm = add_candidate(
                study.operation_type,
                study.model,
                given["parameters"],
                actor=actor,
                reason=given["reason"],
                now=now,
                request_id=given["request_id"],
            )
        except (ValidationError, ResourceConstraintError) as refused:
            self.add_error("parameters", in_words(refused))
            return None
        told = compared(arm.parameters, self._baseline).words
        was_made = was_done(given["request_id"])
        if was_made:
            return Done(f"{told} was proposed to {study}: it is tried from now on.", went_well=True)
        return Done(f"{study} compares {told} already; nothing was changed.", went_well=False)


def read_json(text: str) -> Any:
    """forms.ValidationError says where it cannot be read."""
    try:
        return loads(text, parse_constant=_refuse_constant)
    except JSONDecodeError as wrong:
        raise forms.ValidationError(
            f"This is no JSON: {wrong.msg} in line {wrong.lineno}, column {wrong.colno}."
        ) from None
    except (ValueError, RecursionError) as wrong:
        raise forms.ValidationError(f"This is no JSON that can be kept: {wrong}.") from None


def in_words(refused: FeatureMemoryError) -> str:
    """What is wrong, as a sentence at a field."""
    errors = refused.errors if isinstance(refused, ValidationError) else []
    if not errors:
        return str(refused)
    return f"{refused} Give {errors[0]['message']}." if errors[0]["code"] != "missing" else str(refused)


def _done(text: str, *, was_handed_on: bool) -> Done:
    return Done(text if was_handed_on else f"{text} {NOT_HANDED_ON}", was_handed_on)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number that JSON has")
