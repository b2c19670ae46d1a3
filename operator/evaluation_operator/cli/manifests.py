"""From YAML files to a pinned job: what the operator does in a cluster, for objects in files."""

from __future__ import annotations

import base64
import binascii
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from evaluation_operator.resources import outcomes
from evaluation_operator.resources.config import ConfigBody, EvaluationConfigSpec
from evaluation_operator.resources.identity import (
    API_VERSION,
    CONFIG_KIND,
    GROUP,
    JOB_KIND,
    TARGET_KIND,
    job_id,
)
from evaluation_operator.resources.job import EvaluationJobSpec
from evaluation_operator.resources.pinned import PinnedJob
from evaluation_operator.resources.references import (
    allows,
    config_is_reference,
    pin_config,
    pin_target,
    target_is_reference,
)
from evaluation_operator.resources.secrets import SecretRef, lift
from evaluation_operator.resources.target import EvaluationTargetSpec, TargetBody
from evaluation_operator.runner.errors import RunError

DEFAULT_NAMESPACE = "default"
MAX_FILE = 64 * 1024 * 1024
_SECRET_OPTION = re.compile(r"(?P<name>[^/=]+)/(?P<key>[^/=]+)=(?P<variable>[A-Za-z_][A-Za-z0-9_]*)")

Key = tuple[str, str]
"""Namespace and name."""
Stored = TypeVar("Stored", EvaluationTargetSpec, EvaluationConfigSpec)


def invalid(message: str) -> RunError:
    """Return the error of a file that cannot be run as it is written."""
    return RunError(outcomes.INVALID_SPEC, message)


@dataclass(slots=True)
class Manifests:
    """The objects found in the files, by namespace and name."""

    jobs: dict[Key, EvaluationJobSpec] = field(default_factory=dict)
    targets: dict[Key, EvaluationTargetSpec] = field(default_factory=dict)
    configs: dict[Key, EvaluationConfigSpec] = field(default_factory=dict)
    secrets: dict[Key, dict[str, str]] = field(default_factory=dict)


def read(files: Iterable[str]) -> Manifests:
    """Read YAML or JSON files with any number of documents; objects of other kinds are passed over.

    Raises ``RunError`` naming file, object and field.
    """
    found = Manifests()
    for file in files:
        for number, document in enumerate(_documents(file), 1):
            if document is not None:
                _add(found, document, f"{file}, document {number}")
    return found


def _documents(file: str) -> list[Any]:
    try:
        if file == "-":
            text = sys.stdin.read(MAX_FILE + 1)
        else:
            with Path(file).open(encoding="utf-8") as opened:
                text = opened.read(MAX_FILE + 1)
        if len(text) > MAX_FILE:
            raise invalid(
                f"{file} has more than {MAX_FILE // 2**20} Mi characters; put rows into a file of their own and "
                "give it as a dataset with a files_url"
            )
        # The C loader where PyYAML was built with it: rows make files of many MB.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return list(yaml.load_all(text, Loader=loader))
    except OSError as error:
        raise invalid(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise invalid(f"{file} is not UTF-8 text") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise invalid(f"{file} is not YAML: {error}") from error


def _add(found: Manifests, document: object, where: str) -> None:
    if not isinstance(document, dict):
        raise invalid(f"{where}: not an object but {type(document).__name__}")
    kind, version = document.get("kind"), document.get("apiVersion")
    if kind == "List" and isinstance(document.get("items"), list):
        for index, item in enumerate(document["items"]):
            _add(found, item, f"{where}, item {index}")
        return
    if kind == "Secret" and version == "v1":
        found.secrets[_key(document, where)] = _secret_values(document, where)
        return
    if not str(version).startswith(f"{GROUP}/"):
        return
    if version != API_VERSION:
        raise invalid(f"{where}: apiVersion {version} is not known; use {API_VERSION}")
    key = _key(document, where)
    spec = document.get("spec")
    try:
        # Unknown keys are errors here, as they are for kubectl: a mistyped key would silently change the run.
        if kind == JOB_KIND:
            found.jobs[key] = EvaluationJobSpec.model_validate(spec, extra="forbid")
        elif kind == TARGET_KIND:
            found.targets[key] = EvaluationTargetSpec.model_validate(spec, extra="forbid")
        elif kind == CONFIG_KIND:
            found.configs[key] = EvaluationConfigSpec.model_validate(spec, extra="forbid")
        else:
            raise invalid(f"{where}: kind {kind} is not one of {JOB_KIND}, {TARGET_KIND}, {CONFIG_KIND}")
    except ValidationError as error:
        raise invalid(f"{where}, {kind} {key[1]}: {_problems(error, 'spec.')}") from error


def _problems(error: ValidationError, prefix: str = "") -> str:
    """Return the first problems that pydantic found, each with the path of its field."""
    return "; ".join(
        f"{prefix}{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()[:5]
    )


def _key(document: Mapping[str, Any], where: str) -> Key:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str):
        raise invalid(f"{where}: metadata.name is missing")
    return str(metadata.get("namespace") or DEFAULT_NAMESPACE), name


def _secret_values(document: Mapping[str, Any], where: str) -> dict[str, str]:
    values: dict[str, str] = {}
    try:
        for name, value in (document.get("data") or {}).items():
            values[str(name)] = base64.b64decode(value, validate=True).decode().strip()
        for name, value in (document.get("stringData") or {}).items():
            values[str(name)] = str(value).strip()
    except (AttributeError, TypeError, ValueError, binascii.Error) as error:
        raise invalid(f"{where}: the Secret's data is not base64 of text") from error
    return values


def pin(
    found: Manifests,
    *,
    name: str | None = None,
    limit: int | None = None,
    endpoint: str | None = None,
    secret_options: Sequence[str] = (),
    environment: Mapping[str, str],
) -> tuple[PinnedJob, dict[str, str]]:
    """Return the pinned job, and its secrets by file name. Raises ``RunError``."""
    (namespace, job_name), spec = _choose(found.jobs, name)
    target = _target(spec.target, found, namespace)
    config = _config(spec.config, found, namespace)
    target_body, config_body = target.to_json(), config.to_json()
    if limit is not None:
        if limit < 1:
            raise invalid(f"--limit must be 1 or more, not {limit}")
        config_body["params"] = config_body.get("params", {}) | {"limit_samples": limit}
    if endpoint is not None:
        api_endpoint = target_body.get("model", {}).get("api_endpoint")
        if api_endpoint is None:
            raise invalid("--endpoint replaces the URL of a model target, and the job's target has none")
        api_endpoint["url"] = endpoint
    lifted_target, lifted_config = lift(target_body, "target"), lift(config_body, "config")
    secrets = lifted_target.inline | lifted_config.inline
    given = _secret_options(secret_options, environment)
    for reference in dict.fromkeys(lifted_target.references + lifted_config.references):
        secrets[reference.file] = _secret(reference, namespace, given, found)
    uid = f"local-{namespace}-{job_name}"[:64]
    try:
        pinned = PinnedJob.model_validate(
            {
                "namespace": namespace,
                "name": job_name,
                "uid": uid,
                "job_id": job_id(uid),
                "target": lifted_target.body,
                "config": lifted_config.body,
            }
        )
    except ValidationError as error:
        raise invalid(f"EvaluationJob {job_name}: {_problems(error)}") from error
    return pinned, secrets


def _choose(jobs: Mapping[Key, EvaluationJobSpec], name: str | None) -> tuple[Key, EvaluationJobSpec]:
    matching = [(key, spec) for key, spec in jobs.items() if name is None or key[1] == name]
    names = ", ".join(key[1] for key in jobs) or "none"
    if not matching:
        what = "no EvaluationJob in the files" if name is None else f"no EvaluationJob {name} in the files"
        raise invalid(f"{what} (found: {names})")
    if len(matching) > 1:
        raise invalid(f"several EvaluationJobs in the files ({names}); choose one with --job NAME")
    return matching[0]


def _target(body: TargetBody, found: Manifests, namespace: str) -> TargetBody:
    if not target_is_reference(body):
        return pin_target(body)
    return pin_target(_look_up(TARGET_KIND, body, found.targets, namespace))


def _config(body: ConfigBody, found: Manifests, namespace: str) -> ConfigBody:
    if not config_is_reference(body):
        return pin_config(body)
    return pin_config(_look_up(CONFIG_KIND, body, found.configs, namespace))


def _look_up(kind: str, body: TargetBody | ConfigBody, stored: Mapping[Key, Stored], namespace: str) -> Stored:
    """Return the object that a body refers to, checked as the operator checks it."""
    owner = body.namespace or namespace
    found = stored.get((owner, body.name or ""))
    if found is None:
        known = ", ".join(name for _, name in stored) or "none"
        raise invalid(
            f"the job refers to {kind} {owner}/{body.name}, which is not in the files (found: {known}); give its "
            "file as well"
        )
    if body.type is not None and body.type != found.type:
        raise invalid(f"the job refers to {kind} {body.name} with type {body.type}, but its type is {found.type}")
    if not allows(found.allowedNamespaces, owner, namespace):
        raise invalid(f"{kind} {owner}/{body.name} does not allow namespace {namespace}; add it to allowedNamespaces")
    return found


def _secret_options(options: Sequence[str], environment: Mapping[str, str]) -> dict[tuple[str, str], str]:
    values: dict[tuple[str, str], str] = {}
    for option in options:
        match = _SECRET_OPTION.fullmatch(option)
        if match is None:
            # The option itself may hold a key by mistake, so it is not repeated.
            raise invalid("--secret must look like NAME/KEY=ENVVAR, where ENVVAR names an environment variable")
        value = environment.get(match["variable"], "").strip()
        if not value:
            raise invalid(f"--secret {match['name']}/{match['key']}: the variable {match['variable']} is not set")
        values[match["name"], match["key"]] = value
    return values


def _secret(reference: SecretRef, namespace: str, given: Mapping[tuple[str, str], str], found: Manifests) -> str:
    value = given.get((reference.name, reference.key))
    if value is None:
        value = found.secrets.get((namespace, reference.name), {}).get(reference.key)
    if not value:
        raise invalid(
            f"the job needs the key {reference.key} of the Secret {reference.name}: put it into an environment "
            f"variable and give --secret {reference.name}/{reference.key}=VARIABLE"
        )
    return value
