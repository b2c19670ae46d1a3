"""From a caller's PATCH of a target or config to the merge patch of the custom resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from evaluation_operator.cluster.merge_patch import difference
from evaluation_operator.resources import references
from evaluation_operator.resources.config import ConfigPayload
from evaluation_operator.resources.identity import ANNOTATION_UPDATED
from evaluation_operator.resources.target import PAYLOADS, TargetPayload
from evaluation_operator.server.objects import entities, keys, requests, timestamps
from evaluation_operator.server.objects.creation import Options


class UpdateRefused(ValueError):
    """What would come of the update cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Update:
    """How to change an object, and the Secrets that come and go with it."""

    changes: dict[str, Any]
    """The merge patch of the object."""
    kept: keys.Kept
    dropped: frozenset[str]
    """Secrets of evaluation-api's that the object does not refer to any more."""


def target(body: Mapping[str, Any], request: requests.TargetUpdate, *, now: datetime, options: Options) -> Update:
    """Return the change of an EvaluationTarget. A field that is given replaces the whole of the old one; the others
    stay. With another type, what the old type named goes. Raises UpdateRefused and keys.KeyRefused."""
    old = body.get("spec") or {}
    given = entities.with_endpoints(request.payload(), options.model_endpoint)
    whole = {key: value for key, value in old.items() if key in TargetPayload.model_fields} | given
    if given.get("type") not in (None, old.get("type")):
        whole = {key: value for key, value in whole.items() if key not in PAYLOADS or key in given}
    try:
        problem = references.target_problem(TargetPayload.model_validate(whole))
    except ValidationError as error:
        # What kubectl made under another version of the definitions.
        found = error.errors(include_url=False, include_context=False, include_input=False)[0]
        problem = f"what is stored is invalid: {found['msg']} at {found['loc']}; give that part anew"
    if problem is not None:
        raise UpdateRefused(problem)
    kept = keys.kept({"target": whole}, {"target": old}, references=options.secret_references)
    return _update(old, kept.body["target"] | request.envelope(), kept, now)


def config(body: Mapping[str, Any], request: requests.ConfigUpdate, *, now: datetime, options: Options) -> Update:
    """Return the change of an EvaluationConfig, as `target` does."""
    old = body.get("spec") or {}
    whole = {key: value for key, value in old.items() if key in ConfigPayload.model_fields} | request.payload()
    kept = keys.kept({"config": whole}, {"config": old}, references=options.secret_references)
    return _update(old, kept.body["config"] | request.envelope(), kept, now)


def _update(old: Mapping[str, Any], new: dict[str, Any], kept: keys.Kept, now: datetime) -> Update:
    spec = {key: value for key, value in old.items() if key not in PAYLOADS} | new
    changes: dict[str, Any] = {}
    changed = difference(old, spec)
    if changed:
        changes = {"spec": changed, "metadata": {"annotations": {ANNOTATION_UPDATED: timestamps.stamp(now)}}}
    return Update(changes, kept, keys.secrets_of(old) - keys.secrets_of(spec))
