"""What the index keeps of an object: all of it as bytes, and beside them the small fields that lists look at."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from evaluation_operator.cluster.cache import Body, Entry, Key
from evaluation_operator.cluster.port import EVALUATION_CONFIGS, EVALUATION_TARGETS, Resource
from evaluation_operator.resources.identity import job_id
from evaluation_operator.server.objects import entities, identifiers, states, timestamps, user_results, v1, v2
from evaluation_operator.server.objects.names import nemo_name
from evaluation_operator.server.objects.notes import api_fields

PARTS: Final[Mapping[str, Resource]] = {"target": EVALUATION_TARGETS, "config": EVALUATION_CONFIGS}
"""What a job holds, or refers to: the name of the field, and of what kind the stored ones are."""
STORED: Final = "stored"
"""In the fields of a job's target or config: namespace and object name of the stored one that is meant."""
OWN_RESULT: Final = "own_result"
"""In the fields of a job: those of its result."""
_OF_A_RESULT: Final = (
    "created_at",
    "updated_at",
    "description",
    "project",
    "custom_fields",
    "ownership",
    "files_url",
    "tasks",
    "groups",
)
_COMPRESSED_BYTES: Final = 2048
_INLINE_NAMESPACE: Final = "default"
_MAX_MAP_BYTES: Final = 4096
_MAX_TEXT: Final = 1024
_MAX_TEXTS: Final = 64


@dataclass(slots=True, frozen=True)
class Row(Entry):
    """One object. `id` is its identifier in v2 (a job) or v1 (a target, a config), `place` its namespace and Kubernetes
    name; `fields` are what lists filter, search and sort by, named as in the API, without those that it does not have.
    """

    id: str
    place: Key
    fields: Mapping[str, Any]
    size: int
    """Bytes of the object as JSON."""

    @property
    def body(self) -> Body:
        """The object as a new dictionary, `managedFields` left out."""
        raw = zlib.decompress(self.raw) if self.raw[:1] != b"{" else self.raw
        body: Body = orjson.loads(raw)
        return body


def job(uid: str, version: str, owner: str, body: Mapping[str, Any]) -> Row:
    """The row of an EvaluationJob."""
    fields = _fields(body, job_id(uid))
    noted = api_fields(body)
    times = {key: fields[key] for key in ("created_at", "updated_at")}
    fields |= {
        "v1_id": identifiers.v1_job_id(uid),
        "status": states.phase(body),
        "target": _part(body, "target", noted, times),
        "config": _part(body, "config", noted, times),
        "output_files_url": noted.get("output_files_url"),
    }
    if v1.has_result(body):
        own = v1.result(body, {})
        fields["result"] = own["id"]
        # What `results` is made of, without what the job's own fields tell already.
        fields[OWN_RESULT] = {key: value for key, value in _of_result(own).items() if key in _OF_A_RESULT and value}
    return _row(uid, version, owner, body, fields)


def target(uid: str, version: str, owner: str, body: Mapping[str, Any]) -> Row:
    """The row of an EvaluationTarget."""
    fields = _fields(body, identifiers.target_id(uid)) | _content(body.get("spec") or {})
    return _row(uid, version, owner, body, fields)


def config(uid: str, version: str, owner: str, body: Mapping[str, Any]) -> Row:
    """The row of an EvaluationConfig."""
    fields = _fields(body, identifiers.config_id(uid)) | _content(body.get("spec") or {})
    return _row(uid, version, owner, body, fields)


def result(uid: str, version: str, owner: str, body: Mapping[str, Any]) -> Row:
    """The row of the ConfigMap that holds a result of a caller's."""
    return _row(uid, version, owner, body, _of_result(user_results.shown(body)))


def own_result(row: Row) -> Mapping[str, Any] | None:
    """The fields of a job's own result as lists look at them; None while it has none."""
    own: Mapping[str, Any] | None = row.fields.get(OWN_RESULT)
    if own is None:
        return None
    job = row.fields["v1_id"]
    return {"id": row.fields["result"], "job": job, "job_id": job, "namespace": row.fields["namespace"], **own}


def _of_result(shown: Mapping[str, Any]) -> dict[str, Any]:
    maps = {key: _map(shown[key]) for key in ("custom_fields", "ownership")}
    names = {key: " ".join(shown[key])[:_MAX_TEXT] for key in ("tasks", "groups")}
    own = {key: shown[key] for key in ("id", "job", "namespace", *_OF_A_RESULT)}
    return own | maps | names | {"job_id": shown["job"]}


def _row(uid: str, version: str, owner: str, body: Mapping[str, Any], fields: dict[str, Any]) -> Row:
    raw = orjson.dumps(timestamps.without_managers(body))
    size = len(raw)
    if size >= _COMPRESSED_BYTES:
        raw = zlib.compress(raw, 1)
    place = fields["namespace"], body["metadata"]["name"]
    kept = {key: value for key, value in fields.items() if value}
    return Row(uid, version, owner, raw, fields["id"], place, kept, size)


def _fields(body: Mapping[str, Any], identifier: str) -> dict[str, Any]:
    spec = body.get("spec") or {}
    return {
        "project": spec.get("project"),
        "description": spec.get("description"),
        "custom_fields": _map(spec.get("custom_fields")),
        "ownership": _map(spec.get("ownership")),
        "id": identifier,
        "name": nemo_name(body, identifier),
        "namespace": body["metadata"]["namespace"],
        "created_at": timestamps.created_at(body),
        "updated_at": timestamps.updated_at(body),
    }


def _part(body: Mapping[str, Any], part: str, noted: Mapping[str, Any], times: Mapping[str, str]) -> dict[str, Any]:
    given = (body.get("spec") or {}).get(part) or {}
    about = noted.get(part)
    said: Mapping[str, Any] = about if isinstance(about, Mapping) else {}
    stored = v2.reference(body, part)
    if stored is not None:
        known = {
            "namespace": stored[0],
            "name": said.get("name") or stored[1],
            "type": said.get("type"),
            "id": said.get("id"),
            STORED: stored,
        }
        return known | {key: value for key, value in _content(given).items() if value}
    prefix = identifiers.TARGET if part == "target" else identifiers.CONFIG
    identifier = identifiers.nested_id(prefix, body["metadata"]["uid"], part)
    return {
        "namespace": said.get("namespace") or _INLINE_NAMESPACE,
        "name": said.get("name") or identifier,
        "id": identifier,
        "project": said.get("project"),
        "description": said.get("description"),
        "custom_fields": _map(said.get("custom_fields")),
        "ownership": _map(said.get("ownership")),
        **times,
        **_content(given),
    }


def _map(given: Any) -> dict[str, Any]:
    """What can be asked for of a free-form map: all of a small one; of another its texts, numbers and truth values."""
    if not isinstance(given, Mapping):
        return {}
    if len(orjson.dumps(given)) <= _MAX_MAP_BYTES:
        return dict(given)
    found: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, (str, int, float)) and len(found) < _MAX_TEXTS and len(str(value)) <= _MAX_TEXT:
            found[key] = value
    return found


def _content(given: Mapping[str, Any]) -> dict[str, Any]:
    """What lists look at of a target or a config itself."""
    model = given.get("model")
    found: dict[str, Any] = {"type": given.get("type")}
    if isinstance(model, Mapping):
        endpoint = model.get("api_endpoint")
        named = endpoint.get("model_id") if isinstance(endpoint, Mapping) else None
        found["model"] = entities.reference(model) or named
    return found
