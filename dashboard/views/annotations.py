"""Deploys and notes beside the charts: all of them, writing one, removing one."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.annotation_forms import AnnotationForm
from dashboard.annotation_rows import EXPORTED, exported, list_annotations
from dashboard.views.breaker_acts import tell
from dashboard.views.downloads import list_file
from dashboard.views.signed_in import signed_in
from featurememory.audit import was_done
from featurememory.circuit_breaker.operator_actions import Done, ReasonForm
from featurememory.errors import ConfigurationError
from featurememory.models import Annotation
from featurememory.observability.annotations import remove_annotation, write_annotation

MAY_WRITE = "featurememory.operate_annotations"


@require_safe
@signed_in
def written(request: HttpRequest) -> HttpResponse:
    """The newest first."""
    return render(request, "annotations/annotations.html", {"found": list_annotations(request.GET)})


@require_safe
@signed_in
def export(request: HttpRequest) -> StreamingHttpResponse:
    """All of them, as CSV or with `?format=json`."""
    return list_file(request, "annotations", EXPORTED, exported())


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(MAY_WRITE, raise_exception=True)
def new(request: HttpRequest) -> HttpResponse:
    """GET asks, with `?operation_type=` and `?model=` filled in; POST writes, and may be repeated without harm."""
    form = AnnotationForm(request.POST or None, initial=request.GET.dict())
    if form.is_valid():
        try:
            row = write_annotation(**form.cleaned_data, actor=request.user.get_username(), now=timezone.now())
        except ConfigurationError as wrong:
            form.add_error(str(wrong.data["field"]), str(wrong))
        else:
            tell(request, Done(f"“{row.text}” stands beside the charts.", True))
            return redirect("annotations")
    return render(request, "annotations/new.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@signed_in
@permission_required(MAY_WRITE, raise_exception=True)
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """GET asks for the reason; POST removes it, and may be repeated without harm."""
    form = ReasonForm(request.POST or None)
    if form.is_valid() and was_done(form.cleaned_data["request_id"]):
        return redirect("annotations")
    found = get_object_or_404(Annotation, pk=pk)
    if form.is_valid():
        remove_annotation(pk, actor=request.user.get_username(), now=timezone.now(), **form.cleaned_data)
        tell(request, Done(f"“{found.text}” is removed.", True))
        return redirect("annotations")
    context = {"annotation": found, "form": form}
    return render(request, "annotations/remove.html", context, status=422 if form.errors else 200)
