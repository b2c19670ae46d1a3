"""Secrets in a spec: found wherever the API lets people put them, and taken out before anything is pinned.

In a pinned job each secret value is the word ``secret:<file>``; the file is in the directory of keys that only the
runner's pod mounts. ``SECRET_FIELDS`` lists the keys under which the API accepts a secret; everything else is data.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

#: Keys whose string value is a secret, at any depth of a target or config.
SECRET_FIELDS: Final = frozenset(
    {
        "api_key",
        "hf_token",
        "rapid_api_key",
        "exchangerate_api_key",
        "omdb_api_key",
        "geocode_api_key",
    }
)
#: ``<field>_secret: {name, key}`` beside it names a Secret key instead.
REFERENCE_SUFFIX: Final = "_secret"
PREFIX: Final = "secret:"
MASK: Final = "******"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A key of a Secret in the job's namespace that becomes the file ``file`` in the pod."""

    name: str
    key: str
    file: str


@dataclass(frozen=True, slots=True)
class Lifted:
    """A body without secrets, and what was taken out of it."""

    body: dict[str, Any]
    """The body; each secret is ``secret:<file>``."""
    inline: dict[str, str]
    """From file name to the secret value that stood inline. Goes into a Secret owned by the job."""
    references: tuple[SecretRef, ...]
    """Keys of the user's own Secrets."""


def lift(body: dict[str, Any], root: str) -> Lifted:
    """Take every secret out of a target or config body (JSON form). The input is not changed.

    ``root`` (``target`` or ``config``) keeps the file names of the two bodies apart.
    """
    inline: dict[str, str] = {}
    references: dict[str, SecretRef] = {}

    def walk(value: Any, path: str) -> Any:
        if isinstance(value, list):
            return [walk(item, f"{path}/{index}") for index, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        cleaned: dict[str, Any] = {}
        for key, item in value.items():
            field = key.removesuffix(REFERENCE_SUFFIX)
            if key in SECRET_FIELDS and isinstance(item, str):
                if not _is_reference(value.get(key + REFERENCE_SUFFIX)):
                    file = file_name(f"{path}/{key}")
                    inline[file] = item
                    cleaned[key] = PREFIX + file
            elif field != key and field in SECRET_FIELDS and _is_reference(item):
                file = file_name(f"ref/{item['name']}/{item['key']}")
                references[file] = SecretRef(item["name"], item["key"], file)
                cleaned[field] = PREFIX + file
            else:
                cleaned[key] = walk(item, f"{path}/{key}")
        return cleaned

    return Lifted(walk(body, root), inline, tuple(references.values()))


def mask(body: Any) -> Any:
    """Return a copy in which every inline secret reads ``******``."""
    if isinstance(body, list):
        return [mask(item) for item in body]
    if isinstance(body, dict):
        return {
            key: MASK if key in SECRET_FIELDS and isinstance(item, str) else mask(item) for key, item in body.items()
        }
    return body


def files(body: Any) -> Iterator[str]:
    """Yield the file names that a pinned body refers to."""
    if isinstance(body, list):
        for item in body:
            yield from files(item)
    elif isinstance(body, dict):
        for key, item in body.items():
            if key in SECRET_FIELDS and isinstance(item, str) and item.startswith(PREFIX):
                yield item.removeprefix(PREFIX)
            else:
                yield from files(item)


def file_name(path: str) -> str:
    """Return a stable file name for the secret at this place: valid as a Secret key, and saying nothing of
    the value."""
    return "key-" + hashlib.sha256(path.encode()).hexdigest()[:16]


def _is_reference(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("name"), str)
        and isinstance(value.get("key"), str)
        and bool(value["name"])
        and bool(value["key"])
    )
