"""What a metric refuses to compute, so that no answer, however long, holds a run up."""

from __future__ import annotations

LONGEST_TEXT = 1_000_000
"""Characters of a text that is compared word by word."""


class Unscorable(ValueError):
    """This pair has no score within bounded time and memory. The text says why; the value is "no number"."""


def check_length(*texts: str) -> None:
    """Raise ``Unscorable`` when one of the texts is too long to be compared word by word."""
    longest = max(map(len, texts))
    if longest > LONGEST_TEXT:
        raise Unscorable(f"a text of {longest} characters is compared with another; the limit is {LONGEST_TEXT}")
