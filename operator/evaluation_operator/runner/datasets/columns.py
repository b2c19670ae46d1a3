"""Names of columns as templates and metrics see them: the rules of the NeMo Evaluator API. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_OTHER = re.compile(r"[\W]", re.ASCII)


@lru_cache(maxsize=256)
def column_names(given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names under which columns are used, in the same order.

    Lower-cased; every character that is no ASCII letter or digit becomes ``_``; a name that is taken already gets
    ``_1``, ``_2`` and so on. A column without a name is called ``column``.
    """
    used: set[str] = set()
    found = []
    for name in given:
        plain = _OTHER.sub("_", name.lower()) or "column"
        found.append(_free(plain, used))
        used.add(found[-1])
    return tuple(found)


def _free(name: str, used: Iterable[str]) -> str:
    candidate, number = name, 0
    while candidate in used:
        number += 1
        candidate = f"{name}_{number}"
    return candidate
