"""Whether and how far a text equals its references: exact match and F1 as SQuAD defines them, and plain equality."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterator, Sequence

_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def words(text: str) -> list[str]:
    """Return the words that count: lower case, without ASCII punctuation and the articles a, an, the.

    The normalization of SQuAD's evaluation script (v1.1).
    """
    return _ARTICLES.sub(" ", _plain(text)).split()


def exact_match(candidate: str, references: Sequence[str]) -> float:
    """Return 1.0 when the words that count are those of one of the references, in order."""
    return float(any(found == expected for found, expected in _pairs(candidate, references)))


def f1(candidate: str, references: Sequence[str]) -> float:
    """Return the F1 of the words that count, 0 to 1, against the reference for which it is highest.

    Two texts without a word that counts are equal (1.0), as in SQuAD 2.0's script.
    """
    return max(_f1(found, expected) for found, expected in _pairs(candidate, references))


def accuracy(candidate: str, references: Sequence[str]) -> float:
    """Return 1.0 when the text is one of the references, whitespace at both ends aside."""
    return float(candidate.strip() in {reference.strip() for reference in references})


def _pairs(candidate: str, references: Sequence[str]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the words of the candidate and of each reference.

    Of a reference without a word that counts (the letter A, a plus sign) the others count: to SQuAD's script it would
    be the same as no answer at all.
    """
    found = words(candidate)
    for reference in references:
        if (expected := words(reference)) or not reference.strip():
            yield found, expected
        elif with_articles := _plain(reference).split():
            yield _plain(candidate).split(), with_articles
        else:
            yield candidate.split(), reference.split()


def _plain(text: str) -> str:
    return text.lower().translate(_WITHOUT_PUNCTUATION)


def _f1(candidate: Sequence[str], reference: Sequence[str]) -> float:
    if not candidate or not reference:
        return float(candidate == reference)
    common = (Counter(candidate) & Counter(reference)).total()
    return 2 * common / (len(candidate) + len(reference))
