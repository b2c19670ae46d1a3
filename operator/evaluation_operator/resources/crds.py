"""The three CustomResourceDefinitions: schemas from the models, and what a model cannot say (rules, columns, names).

Rules are CEL. A rule that compares with the old object stands on the parent and tests presence first, because the API
server does not evaluate a rule on an optional field that is being added or removed.
"""

from typing import Any, Final

from . import identity
from .base import Model
from .config import EvaluationConfigSpec
from .job import EvaluationJobSpec, EvaluationJobStatus
from .schema import Schema, structural
from .target import PAYLOADS, EvaluationTargetSpec

Column = tuple[str, str, str, str]
"""Name, JSON path, type, description."""

_NEW_JOB: Final = "cannot change after creation; create an EvaluationJob with another name to evaluate something else"
_GIVEN: Final = "[{}]".format(", ".join(f"has(self.{key})" for key in PAYLOADS))
_MATCHING: Final = " || ".join(f"(self.type == '{key}' && has(self.{key}))" for key in PAYLOADS)
_ONE_PAYLOAD: Final = {
    "rule": f"{_GIVEN}.filter(given, given).size() <= 1",
    "message": f"give only one of {', '.join(PAYLOADS)}",
}
_PAYLOAD_MATCHES_TYPE: Final = {
    "rule": f"!{_GIVEN}.exists(given, given) || (has(self.type) && ({_MATCHING}))",
    "message": "type must name the one key that is given beside it, for example type: model with model: {…}",
}
_TARGET_RULES: Final = [
    _ONE_PAYLOAD,
    _PAYLOAD_MATCHES_TYPE,
    {
        "rule": f"has(self.name) || {_GIVEN}.exists(given, given)",
        "message": "give what to evaluate (type and the key of that name), or the name of an EvaluationTarget",
    },
]
_CONFIG_RULES: Final = [
    {
        "rule": "has(self.name) || has(self.type)",
        "message": "give how to evaluate (type, and params or tasks), or the name of an EvaluationConfig",
    },
]
_STORED_TARGET_RULES: Final = [
    _ONE_PAYLOAD,
    {
        "rule": f"has(self.type) && ({_MATCHING})",
        "message": "give type and the key of that name, for example type: model with model: {…}",
    },
]
_STORED_CONFIG_RULES: Final = [
    {"rule": "has(self.type)", "message": "give type, for example bfclv3"},
]
_JOB_RULES: Final = [
    {"rule": "self.target == oldSelf.target", "message": f"spec.target {_NEW_JOB}"},
    {"rule": "self.config == oldSelf.config", "message": f"spec.config {_NEW_JOB}"},
    {
        "rule": "has(self.run) == has(oldSelf.run) && (!has(self.run) || self.run == oldSelf.run)",
        "message": f"spec.run {_NEW_JOB}",
    },
    {
        "rule": "!(has(oldSelf.cancel) && oldSelf.cancel) || (has(self.cancel) && self.cancel)",
        "message": "spec.cancel cannot be taken back; create an EvaluationJob with another name to run it again",
    },
]
_VOLUME_SOURCES: Final = "[has(self.persistentVolumeClaim), has(self.configMap), has(self.secret), has(self.emptyDir)]"
_VOLUME_RULES: Final = [
    {
        "rule": f"{_VOLUME_SOURCES}.filter(given, given).size() == 1",
        "message": "give exactly one of persistentVolumeClaim, configMap, secret, emptyDir",
    },
    {
        "rule": "(self.name == 'output') != has(self.mountPath)",
        "message": "give mountPath, under /data, /models or /cache; only the volume named output has its own place",
    },
]
_ENV_RULES: Final = [
    {
        "rule": "!self.name.startsWith('EVALUATION_')",
        "message": "names that start with EVALUATION_ are the operator's; choose another",
    },
]

_JOB_COLUMNS: Final[tuple[Column, ...]] = (
    ("Type", ".spec.config.type", "string", "Config type"),
    ("Model", ".spec.target.model.api_endpoint.model_id", "string", "Model that is evaluated"),
    ("Phase", ".status.phase", "string", "State of the job"),
    ("Progress", ".status.status_details.progress", "number", "Per cent of the samples processed"),
    ("Score", ".status.score", "string", "Score in short"),
    ("Age", ".metadata.creationTimestamp", "date", "Time since creation"),
)
_TARGET_COLUMNS: Final[tuple[Column, ...]] = (
    ("Type", ".spec.type", "string", "Target type"),
    ("Model", ".spec.model.api_endpoint.model_id", "string", "Model behind the endpoint"),
    ("Age", ".metadata.creationTimestamp", "date", "Time since creation"),
)
_CONFIG_COLUMNS: Final[tuple[Column, ...]] = (
    ("Type", ".spec.type", "string", "Config type"),
    ("Age", ".metadata.creationTimestamp", "date", "Time since creation"),
)


def custom_resource_definitions() -> dict[str, dict[str, Any]]:
    """Return the three definitions by plural name, as the API server takes them."""
    return {
        identity.JOB_PLURAL: _definition(
            identity.JOB_KIND, identity.JOB_PLURAL, "evaljob", _job_schema(), _JOB_COLUMNS, has_status=True
        ),
        identity.TARGET_PLURAL: _definition(
            identity.TARGET_KIND,
            identity.TARGET_PLURAL,
            "evaltarget",
            _schema(EvaluationTargetSpec, _STORED_TARGET_RULES, "What an evaluation evaluates, kept under a name."),
            _TARGET_COLUMNS,
        ),
        identity.CONFIG_PLURAL: _definition(
            identity.CONFIG_KIND,
            identity.CONFIG_PLURAL,
            "evalconfig",
            _schema(EvaluationConfigSpec, _STORED_CONFIG_RULES, "How an evaluation evaluates, kept under a name."),
            _CONFIG_COLUMNS,
        ),
    }


def _job_schema() -> Schema:
    schema = _schema(EvaluationJobSpec, _JOB_RULES, "An evaluation of a model or of its outputs, run in a pod.")
    spec = schema["properties"]["spec"]["properties"]
    spec["target"]["x-kubernetes-validations"] = _TARGET_RULES
    spec["config"]["x-kubernetes-validations"] = _CONFIG_RULES
    run = spec["run"]["properties"]
    for name, rules in (("volumes", _VOLUME_RULES), ("env", _ENV_RULES)):
        run[name]["items"]["x-kubernetes-validations"] = rules
        run[name] |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    schema["properties"]["status"] = structural(EvaluationJobStatus)
    return schema


def _schema(spec: type[Model], rules: list[dict[str, str]], description: str) -> Schema:
    spec_schema = structural(spec)
    spec_schema["x-kubernetes-validations"] = rules
    return {
        "type": "object",
        "description": description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec_schema,
        },
    }


def _definition(
    kind: str, plural: str, short_name: str, schema: Schema, columns: tuple[Column, ...], *, has_status: bool = False
) -> dict[str, Any]:
    version: dict[str, Any] = {
        "name": identity.VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "additionalPrinterColumns": [
            {"name": name, "jsonPath": path, "type": type_, "description": description}
            for name, path, type_, description in columns
        ],
    }
    if has_status:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{identity.GROUP}"},
        "spec": {
            "group": identity.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short_name],
                "categories": ["evaluation"],
            },
            "versions": [version],
        },
    }
