"""Names of the API, which may be anything that a URL holds, and names of Kubernetes objects, which may not.

A name that Kubernetes allows is the object's name. Any other becomes its readable part and a hash of the whole, and the
object's annotation keeps it; the mapping is a function of the name alone, so an object is found by either, and a
name is as unique in its namespace as the object's name is.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from evaluation_operator.resources.identity import ANNOTATION_NAME

MAX_NAME: Final = 255
NAME_PATTERN: Final = r"^[\w\-\+.@:]*$"
"""The API's own rule for a name."""

_MAX_OBJECT_NAME: Final = 253
_MAX_READABLE: Final = 40
_OBJECT_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MADE: Final = re.compile(r"(.*-)?[gn][0-9a-f]{20}", re.DOTALL)
"""What `object_name` and `new_object_name` make: `n` before a hash, `g` before a random number."""


def object_name(nemo_name: str) -> str:
    """Return the name of the Kubernetes object for a name of the API."""
    if len(nemo_name) <= _MAX_OBJECT_NAME and _OBJECT_NAME.fullmatch(nemo_name) and not _MADE.fullmatch(nemo_name):
        return nemo_name
    readable = re.sub(r"[^a-z0-9]+", "-", nemo_name.lower())[:_MAX_READABLE].strip("-")
    digest = hashlib.sha256(nemo_name.encode(errors="surrogatepass")).hexdigest()[:20]
    return f"{readable}-n{digest}" if readable else f"n{digest}"


def new_object_name(prefix: str) -> str:
    """Return a name for an object that has none in the API, different each time. `prefix` is part of a DNS label."""
    return f"{prefix}-g{secrets.token_hex(10)}"


def nemo_name(body: Mapping[str, Any], identifier: str) -> str:
    """Return the name that the API shows for an object: what its annotation keeps, the identifier where it was made
    without a name, or the object's own name."""
    metadata = body["metadata"]
    own: str = metadata["name"]
    kept = (metadata.get("annotations") or {}).get(ANNOTATION_NAME)
    if kept == "" and _MADE.fullmatch(own):
        return identifier
    # An annotation that somebody changed would be a name under which the object cannot be found.
    return kept if isinstance(kept, str) and kept and object_name(kept) == own else own


def naming(nemo_name: str | None, prefix: str) -> tuple[str, dict[str, str]]:
    """Return the object's name and the annotations that go with it. None and "": an object without a name."""
    if not nemo_name:
        return new_object_name(prefix), {ANNOTATION_NAME: ""}
    name = object_name(nemo_name)
    return name, {} if name == nemo_name else {ANNOTATION_NAME: nemo_name}
