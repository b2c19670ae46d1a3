"""The headline (every score, rounded) and the one short text for the table of `kubectl get`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from evaluation_operator.lifecycle.text import cut
from evaluation_operator.resources.reports import Summary
from evaluation_operator.resources.results import MAX_HEADLINE_SCORES, EvaluationResult, headline

MAX_HEADLINE_BYTES: Final = 16 * 1024
"""Of all keys and values together; what does not fit is left out of the headline, never out of the results."""
_MAX_KEY_BYTES: Final = 512
_MAX_LABEL_BYTES: Final = 64
_SHOWN: Final = 3


def scores(results: object, summary: Summary | None) -> dict[str, float]:
    """Return every score as `task/metric/score`: from the stored results, else from the termination message."""
    stored = stored_result(results)
    found = headline(stored) if stored is not None else {}
    return found or (dict(summary.headline) if summary is not None else {})


def stored_result(results: object) -> EvaluationResult | None:
    """Return what evaluation-api wrote into `status.results`, or None when there is no well-formed result. A result
    that was cut may have nothing left in it; the artifact has the whole."""
    if not isinstance(results, dict):
        return None
    try:
        parsed = EvaluationResult.model_validate({key: results.get(key) for key in ("tasks", "groups")})
    except (ValidationError, RecursionError):
        return None
    return parsed if parsed.tasks or parsed.groups or results.get("truncated") is True else None


def render_headline(values: Mapping[str, float]) -> dict[str, str]:
    """Return the scores as text, sorted by name: as many as fit into `MAX_HEADLINE_BYTES`, and no more than the schema
    allows."""
    rendered: dict[str, str] = {}
    room = MAX_HEADLINE_BYTES
    for name in sorted(values)[:MAX_HEADLINE_SCORES]:
        key, text = cut(name, _MAX_KEY_BYTES), number(values[name])
        room -= len(key.encode()) + len(text)
        if room < 0:
            break
        rendered[key] = text
    return rendered


def render_score(values: Mapping[str, float]) -> str | None:
    """Return the score in short; None without one. A single score is its number. Of several, the first ones are shown
    with what they belong to, as `task1 0.95, task2 0.8` or `java 0.9, simple 0.95, sql 0.7 +4`: none is picked to
    stand for the others, as that would be a verdict which the benchmark did not give.

    The order is alphabetical: the API server does not keep the order of keys, so no other is the same for everybody.
    """
    if len(values) <= 1:
        return next((number(value) for value in values.values()), None)
    names = _labels(sorted(values))
    shown = [f"{cut(label, _MAX_LABEL_BYTES)} {number(values[name])}" for name, label in list(names.items())[:_SHOWN]]
    more = f" +{len(names) - _SHOWN}" if len(names) > _SHOWN else ""
    return ", ".join(shown) + more


def _labels(names: Sequence[str]) -> dict[str, str]:
    """From `task/metric/score` to as little of it as tells the scores apart."""
    parts = {name: name.rsplit("/", 2) for name in names}
    for picked in ((-1,), (0,), (0, -1)):
        labels = {name: "/".join(dict.fromkeys(split[index] for index in picked)) for name, split in parts.items()}
        if len(set(labels.values())) == len(names):
            return labels
    return dict(zip(names, names, strict=True))


def number(value: float) -> str:
    """Return the number for reading: four decimals without trailing zeros, at least one; tiny and huge ones in
    scientific notation."""
    if not math.isfinite(value):
        return "nan"
    if value and not 0.0001 <= abs(value) < 1e9:
        return f"{value:.3e}"
    whole, _, fraction = f"{value:.4f}".partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"


def evidence(status: Mapping[str, Any], summary: Summary | None) -> bool:
    """Say whether a valid result arrived: stored results, or a summary that says completed."""
    return stored_result(status.get("results")) is not None or (summary is not None and summary.outcome == "completed")
