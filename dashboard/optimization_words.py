"""What is learned, in words: standings, causes, sources, verdicts."""

from __future__ import annotations

from dashboard.words import Look

STATUSES = {
    "candidate": Look("Candidate", "unknown", "off", "has not shown yet what it is worth"),
    "active": Look("Active", "pulse", "accent", "is tried, the more the better it does"),
    "promoted": Look("Promoted", "up", "ok", "is what operations of this pattern mostly get"),
    "quarantined": Look("Quarantined", "stop", "bad", "is not recommended until its quarantine is over"),
    "retired": Look("Retired", "pause", "off", "is not recommended any more"),
}
BASELINE = Look("Baseline", "check", "off", "is what callers would have used, and what all is compared with")
CAUSES = {
    "tried": "It was tried for the first time",
    "proven": "Its gain is beyond doubt",
    "unproven": "Its gain is no longer beyond doubt",
    "regressed": "Its outcomes fell",
    "credibly_worse": "It is worse than the baseline, beyond doubt",
    "quarantine_over": "Its quarantine is over",
    "superseded": "Another one was promoted instead",
    "operator": "An operator decided so",
    "pattern_gone": "Its pattern made room for others",
}
SOURCES = {
    "baseline": "the baseline",
    "learned": "thought best",
    "promoted": "promoted",
    "explored": "tried to learn more",
}
VERDICTS = {
    "effective": Look("Effective", "check", "ok"),
    "harmful": Look("Harmful", "stop", "bad"),
    "not enough evidence yet": Look("Not enough evidence yet", "unknown", "off"),
    "propensities do not hold": Look("Propensities do not hold", "warning", "warn"),
}
AIMS = {
    "duration": "the duration",
    "score": "the score",
    "both": "score and duration together",
}
