"""What people and models said is dropped, unless the installation asks for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes

from featurememory.ingestion.otlp.attributes import is_content
from featurememory.models import Operation
from tests.otel.spans import export_json, send, span_json

CONTENT = {
    "gen_ai.completion",
    "gen_ai.evaluation.explanation",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.prompt",
    "gen_ai.retrieval.documents",
    "gen_ai.retrieval.query.text",
    "gen_ai.system_instructions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.tool.definitions",
}
NO_CONTENT = {
    "gen_ai.agent.description", "gen_ai.agent.id", "gen_ai.agent.name", "gen_ai.agent.version",
    "gen_ai.conversation.id", "gen_ai.data_source.id", "gen_ai.embeddings.dimension.count",
    "gen_ai.evaluation.name", "gen_ai.evaluation.score.label", "gen_ai.evaluation.score.value",
    "gen_ai.operation.name", "gen_ai.output.type", "gen_ai.prompt.name", "gen_ai.provider.name", "gen_ai.system",
    "gen_ai.token.type", "gen_ai.tool.call.id", "gen_ai.tool.description", "gen_ai.tool.name", "gen_ai.tool.type",
    "gen_ai.workflow.name",
}  # fmt: skip
NO_CONTENT_BELOW = ("gen_ai.openai.", "gen_ai.request.", "gen_ai.response.", "gen_ai.usage.")


def conventions() -> set[str]:
    """Every attribute that the installed semantic conventions know."""
    values = vars(gen_ai_attributes).items()
    return {str(value) for name, value in values if name.startswith("GEN_AI_") and isinstance(value, str)}


def test_each_attribute_of_the_conventions_was_judged() -> None:
    """A new one fails here until somebody has decided whether it holds content."""
    judged = CONTENT | NO_CONTENT | {name for name in conventions() if name.startswith(NO_CONTENT_BELOW)}
    assert conventions() <= judged


@pytest.mark.parametrize("name", sorted(CONTENT))
def test_content_is_known_as_such(name: str) -> None:
    assert is_content(name)


@pytest.mark.parametrize("name", sorted(NO_CONTENT))
def test_what_is_no_content_is_not_taken_for_it(name: str) -> None:
    assert not is_content(name)


@pytest.mark.parametrize(
    "name",
    [
        "gen_ai.prompt.0.content", "gen_ai.completion.0.role", "gen_ai.content.prompt", "gen_ai.input.messages.0",
        "gen_ai.retrieval.documents.0.content", "input.value", "output.value", "llm.input_messages.0.message.content",
        "llm.prompts", "retrieval.documents.3.document.content", "traceloop.entity.input",
    ],
)  # fmt: skip
def test_content_that_instrumentations_spell_their_own_way_is_known_too(name: str) -> None:
    assert is_content(name)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("switched_on", [False, True])
def test_content_is_stored_only_where_it_is_switched_on(
    api_key: str, settings: Any, switched_on: bool
) -> None:
    settings.CONFIGURATION = replace(settings.CONFIGURATION, otlp_content=switched_on)
    given = dict.fromkeys(CONTENT, "private words")
    send(api_key, export_json(span_json(given | {"server.address": "localhost"})))
    attributes = Operation.objects.get().attributes
    assert attributes["server.address"] == "localhost"
    assert {name for name in attributes if name in CONTENT} == (CONTENT if switched_on else set())
    assert ("private" in str(attributes)) is switched_on
