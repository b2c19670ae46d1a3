"""The last word of a pod: the summary in its termination message, cut to what Kubernetes keeps."""

from __future__ import annotations

from pathlib import Path

from evaluation_operator.resources.pinned import canonical_json
from evaluation_operator.resources.reports import MAX_MESSAGE, MAX_SUMMARY_BYTES, Summary
from evaluation_operator.resources.results import MAX_HEADLINE_NAME


def fit(summary: Summary) -> bytes:
    """Return the summary as JSON of at most ``MAX_SUMMARY_BYTES`` bytes.

    First the headline gives way, from its end (``truncated`` then says so), then the message; the outcome never.
    A score whose name is longer than a summary may have it is left out: with it the whole summary would be refused.
    """
    named = {name: value for name, value in summary.headline.items() if len(name) <= MAX_HEADLINE_NAME}
    if len(named) < len(summary.headline):
        summary = summary.model_copy(update={"headline": named, "truncated": True})
    content = _dump(summary)
    kept = len(summary.headline)
    while len(content) > MAX_SUMMARY_BYTES and kept:
        kept = kept * 3 // 4
        headline = dict(list(summary.headline.items())[:kept])
        content = _dump(summary := summary.model_copy(update={"headline": headline, "truncated": True}))
    while len(content) > MAX_SUMMARY_BYTES and summary.message:
        content = _dump(summary := summary.model_copy(update={"message": summary.message[: len(summary.message) // 2]}))
    return content


def write(path: Path, summary: Summary) -> None:
    """Write the termination message. In place: in a pod the path is a mounted file, which cannot be replaced."""
    path.write_bytes(fit(summary))


def one_line(message: str) -> str:
    """Return a message as one line of at most ``MAX_MESSAGE`` characters, without half surrogate pairs."""
    line = " ".join(message.encode(errors="replace").decode().split())
    return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 1] + "…"


def _dump(summary: Summary) -> bytes:
    return canonical_json(summary.to_json()).encode(errors="replace")
