"""Keys that a caller sends inside a body: into a Secret, with a reference left in their place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from evaluation_operator.resources.identity import ANNOTATION_MADE_FOR, LABEL_COMPONENT, LABEL_MANAGED_BY
from evaluation_operator.resources.secrets import MASK, PREFIX, REFERENCE_SUFFIX, SECRET_FIELDS, lift
from evaluation_operator.server.objects.masking import SECRET_NAME
from evaluation_operator.server.objects.names import new_object_name

MANAGED_BY: Final = "evaluation-api"
LABELS: Final[Mapping[str, str]] = {LABEL_MANAGED_BY: MANAGED_BY, LABEL_COMPONENT: "keys"}
SELECTOR: Final = ",".join(f"{key}={value}" for key, value in LABELS.items())
"""Selects the Secrets that evaluation-api makes."""


class KeyRefused(ValueError):
    """A key cannot be taken as it was sent. `where` is its path, as keys and indices."""

    def __init__(self, where: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.where = where
        self.message = message


@dataclass(frozen=True, slots=True)
class Kept:
    """A body with references instead of keys, and the keys."""

    body: dict[str, Any]
    secret: str
    """Name of the Secret that the references mean; made only when `values` are not empty."""
    values: Mapping[str, str] = field(repr=False)
    """From the Secret's keys to what they hold."""

    def manifest(self, made_for: str) -> dict[str, Any]:
        """Return the Secret to create, without an owner yet. `made_for` is the object: `evaluationjobs/smoke`."""
        return secret(self.secret, made_for, stringData=dict(self.values))


def secret(name: str, made_for: str, **content: Any) -> dict[str, Any]:
    """Return a Secret of evaluation-api's with this content (`data` or `stringData`), without an owner yet."""
    annotations = {ANNOTATION_MADE_FOR: made_for}
    return {"metadata": {"name": name, "labels": dict(LABELS), "annotations": annotations}, "type": "Opaque", **content}


def is_ours(secret: Mapping[str, Any]) -> bool:
    """Return whether evaluation-api made this Secret. A name that looks so proves nothing."""
    return LABELS.items() <= (secret["metadata"].get("labels") or {}).items()


def kept(body: Mapping[str, Any], old: Mapping[str, Any] | None = None, *, references: bool = False) -> Kept:
    """Take the keys out of `body`, whose top level is one part after the other (`target`, `config`, …).

    `******` means the key that `old`, the stored body, has in the same place. References to Secrets of the user's own
    are taken when `references` is set, or when they stand in `old`: who may create evaluations through the API need not
    be allowed to use every Secret of the namespace. Raises KeyRefused.
    """
    name = new_object_name(MANAGED_BY)
    settled: dict[str, Any] = _Settling(references).settled(body, old or {}, ())
    values: dict[str, str] = {}
    for part, content in settled.items():
        if isinstance(content, dict):
            lifted = lift(content, part)
            places = {reference.file: (reference.name, reference.key) for reference in lifted.references}
            places |= {file: (name, file) for file in lifted.inline}
            settled[part] = _referring(lifted.body, places)
            values |= lifted.inline
    return Kept(settled, name, values)


def secrets_of(body: Any) -> frozenset[str]:
    """Return the names of evaluation-api's own Secrets that a stored body refers to."""
    if isinstance(body, list):
        return frozenset().union(*(secrets_of(item) for item in body))
    if not isinstance(body, Mapping):
        return frozenset()
    found: frozenset[str] = frozenset()
    for key, item in body.items():
        field_ = key.removesuffix(REFERENCE_SUFFIX)
        if field_ != key and field_ in SECRET_FIELDS and isinstance(item, Mapping):
            name = item.get("name")
            found |= {name} if isinstance(name, str) and SECRET_NAME.fullmatch(name) else frozenset()
        else:
            found |= secrets_of(item)
    return found


class _Settling:
    """What each key in a body means: a value, the one that is stored, or a Secret of the user's own."""

    def __init__(self, references: bool) -> None:
        self._references = references

    def settled(self, new: Any, old: Any, where: tuple[str | int, ...]) -> Any:
        if isinstance(new, list):
            stored = old if isinstance(old, list) else []
            return [
                self.settled(item, stored[index] if index < len(stored) else None, (*where, index))
                for index, item in enumerate(new)
            ]
        if not isinstance(new, Mapping):
            return new
        before = old if isinstance(old, Mapping) else {}
        result: dict[str, Any] = {}
        for key, item in new.items():
            place = (*where, key)
            field_ = key.removesuffix(REFERENCE_SUFFIX)
            if key in SECRET_FIELDS:
                result |= self._value(key, item, new, before, place)
            elif field_ != key and field_ in SECRET_FIELDS and item is not None:
                if not self._references and item != before.get(key):
                    raise KeyRefused(place, "references to Secrets are not taken here; give the key itself")
                result[key] = item
            else:
                result[key] = self.settled(item, before.get(key), place)
        return result

    @staticmethod
    def _value(
        key: str, item: Any, new: Mapping[str, Any], old: Mapping[str, Any], place: tuple[str | int, ...]
    ) -> dict[str, Any]:
        reference = key + REFERENCE_SUFFIX
        if item is None or item == "":
            return {}
        if not isinstance(item, str):
            raise KeyRefused(place, "a key must be a string")
        if item != MASK:
            return {key: item}
        if new.get(reference) is not None:
            return {}
        if isinstance(old.get(reference), Mapping):
            return {reference: old[reference]}
        if isinstance(old.get(key), str):
            return {key: old[key]}
        raise KeyRefused(place, f"{MASK} stands for a key that is stored, and none is stored here; give the key itself")


def _referring(value: Any, places: Mapping[str, tuple[str, str]]) -> Any:
    if isinstance(value, list):
        return [_referring(item, places) for item in value]
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    for key, item in value.items():
        if key in SECRET_FIELDS and isinstance(item, str):
            name, inner = places[item.removeprefix(PREFIX)]
            result[key + REFERENCE_SUFFIX] = {"name": name, "key": inner}
        else:
            result[key] = _referring(item, places)
    return result
