"""Secrets in answers: a key that is set reads ``******``, wherever and however it is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from evaluation_operator.resources.secrets import MASK, REFERENCE_SUFFIX, SECRET_FIELDS

SECRET_NAME: Final = re.compile(r"evaluation-api-g[0-9a-f]{20}")
"""Names of the Secrets that evaluation-api makes for the keys in a body."""
_REFERENCES: Final = {field + REFERENCE_SUFFIX: field for field in SECRET_FIELDS}


def masked(body: Any) -> Any:
    """Return a copy in which every key reads ``******``. A reference to a Secret of the user's own stays beside it."""
    if isinstance(body, list):
        return [masked(item) for item in body]
    if not isinstance(body, Mapping):
        return body
    shown: dict[str, Any] = {}
    for key, item in body.items():
        if key in SECRET_FIELDS and item is not None:
            shown[key] = MASK
        elif key in _REFERENCES and isinstance(item, Mapping):
            shown[_REFERENCES[key]] = MASK
            if not SECRET_NAME.fullmatch(str(item.get("name"))):
                shown[key] = dict(item)
        else:
            shown[key] = masked(item)
    return shown
