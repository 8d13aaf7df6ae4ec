"""What the page shows while nobody has asked for a recommendation: how to."""

from __future__ import annotations

from dashboard.first_steps import Way


def read_optimization_steps(base_url: str) -> tuple[Way, ...]:
    """`base_url` is where the person's browser reached us: the commands work as pasted."""
    return (
        Way("sdk", "With the Python SDK", _SDK.replace("BASE", base_url)),
        Way("curl", "With curl", _CURL.replace("BASE", base_url)),
    )


_SDK = """\
from featurememory import FeatureMemory

memory = FeatureMemory("BASE", api_key="fm_...")
with memory.operation("text_to_audio", model="audioldm") as op:
    parameters = op.recommend({"steps": 50, "guidance": 3.5})  # the baseline, while nothing better is known
    ...  # the call, with these parameters
    op.score(0.8)  # or leave it out: then the duration counts"""
_CURL = """\
curl -sS BASE/api/v1/recommendations \\
  -H "Authorization: Bearer $FEATUREMEMORY_API_KEY" -H "Content-Type: application/json" \\
  -d '{"operation_type": "text_to_audio", "model": "audioldm",
       "baseline": {"steps": 50, "guidance": 3.5}, "candidates": [{"steps": 20, "guidance": 3.5}]}'
# send the answer's "id" with the operation, as its "recommendation\""""
