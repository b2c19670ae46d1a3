"""References followed, secrets taken out: what the pod of a job will get, or why it cannot be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from evaluation_operator.lifecycle import reasons
from evaluation_operator.lifecycle.observed import JobView, Observed, ReferencedView, ReferenceKey
from evaluation_operator.resources import acceptance, references
from evaluation_operator.resources.config import ConfigBody
from evaluation_operator.resources.identity import job_id
from evaluation_operator.resources.job import EvaluationJobSpec
from evaluation_operator.resources.pinned import MAX_PINNED_BYTES, PinnedJob, digest
from evaluation_operator.resources.secrets import Lifted, SecretRef, lift
from evaluation_operator.resources.target import TargetBody

_TOO_LARGE: Final = (
    "Target and config have {size} bytes as JSON, and a pod can be given {limit}. Put the rows into a file and name it "
    "as a dataset (spec.target.dataset or the dataset of a task): on a volume of spec.run.volumes, in a bucket or on a "
    "hub. Create a new job."
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a job cannot be accepted. `fatal`: it never can; otherwise it can once somebody changes another object."""

    reason: str
    message: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class Resolution:
    """What is pinned."""

    pinned: PinnedJob
    resolved: Mapping[str, Any]
    """Value of `status.resolved`."""
    secret_values: Mapping[str, str]
    secret_references: tuple[SecretRef, ...]

    @property
    def target_digest(self) -> str:
        """Digest of the resolved target."""
        return str(self.resolved["target"]["digest"])

    @property
    def config_digest(self) -> str:
        """Digest of the resolved config."""
        return str(self.resolved["config"]["digest"])


def needed(job: JobView) -> tuple[ReferenceKey | None, ReferenceKey | None]:
    """Return where the referenced EvaluationTarget and EvaluationConfig are; None for one that is inline."""
    if job.spec is None:
        return None, None
    target, config = job.spec.target, job.spec.config
    return (
        _key(job, target) if references.target_is_reference(target) else None,
        _key(job, config) if references.config_is_reference(config) else None,
    )


def check(o: Observed) -> Problem | None:
    """Return what no change of any other object can heal: contradictions and unsupported types in the job itself."""
    spec = o.job.spec
    if spec is None:
        return Problem(reasons.INVALID_SPEC, f"{o.job.spec_error}. Create a new job.", fatal=True)
    if not references.target_is_reference(spec.target):
        wrong = references.target_problem(spec.target) or references.endpoint_problem(spec.target)
        if wrong is not None:
            return Problem(reasons.INVALID_SPEC, f"spec.target: {wrong}. Create a new job.", fatal=True)
    if not references.config_is_reference(spec.config):
        wrong = references.config_problem(spec.config)
        if wrong is not None:
            return Problem(reasons.INVALID_SPEC, f"spec.config: {wrong}. Create a new job.", fatal=True)
    if spec.config.type is not None:
        return _unsupported(o, spec.config, "spec.config")
    return None


def resolve(o: Observed) -> Resolution | Problem:
    """Return what to pin, or the first problem. Call `check` before."""
    spec = o.job.spec
    if spec is None:
        return Problem(reasons.INVALID_SPEC, str(o.job.spec_error), fatal=True)
    target_key, config_key = needed(o.job)
    target = _target(o, spec, target_key)
    if isinstance(target, Problem):
        return target
    config = _config(o, spec, config_key)
    if isinstance(config, Problem):
        return config
    apart = acceptance.pair_problem(target, config, o.settings.types.get(config.type or "", {}))
    if apart is not None:
        return Problem(reasons.UNSUPPORTED_TARGET, f"spec.config: {apart}. Create a new job.", fatal=True)
    lifted_target = lift(target.to_json(), "target")
    lifted_config = lift(config.to_json(), "config")
    resolved = {
        "target": _pin(lifted_target, o.target if target_key else None),
        "config": _pin(lifted_config, o.config if config_key else None),
    }
    changed = _changed(o.job.status, resolved)
    if changed is not None:
        return changed
    pinned = PinnedJob(
        namespace=o.job.namespace,
        name=o.job.name,
        uid=o.job.uid,
        job_id=job_id(o.job.uid),
        target=TargetBody.model_validate(lifted_target.body),
        config=ConfigBody.model_validate(lifted_config.body),
    )
    size = len(pinned.dumps().encode())
    if size > MAX_PINNED_BYTES:
        return Problem(reasons.INVALID_SPEC, _TOO_LARGE.format(size=size, limit=MAX_PINNED_BYTES), fatal=True)
    links = dict.fromkeys((*lifted_target.references, *lifted_config.references))
    return Resolution(pinned, resolved, {**lifted_target.inline, **lifted_config.inline}, tuple(links))


def _target(o: Observed, spec: EvaluationJobSpec, key: ReferenceKey | None) -> TargetBody | Problem:
    if key is None:
        return references.pin_target(spec.target)
    body = _allowed_body(o, key, o.target)
    if not isinstance(body, TargetBody):
        return _unusable(o, _TARGET, key, o.target)
    wrong = references.target_problem(body) or references.endpoint_problem(body)
    if wrong is not None:
        return Problem(reasons.TARGET_INVALID, f"EvaluationTarget {_name(key)}: {wrong}.", fatal=False)
    if spec.target.type is not None and spec.target.type != body.type:
        return _mismatch("spec.target", spec.target.type, f"EvaluationTarget {_name(key)}", body.type)
    return body


def _config(o: Observed, spec: EvaluationJobSpec, key: ReferenceKey | None) -> ConfigBody | Problem:
    if key is None:
        return references.pin_config(spec.config)
    body = _allowed_body(o, key, o.config)
    if not isinstance(body, ConfigBody):
        return _unusable(o, _CONFIG, key, o.config)
    wrong = references.config_problem(body)
    if wrong is not None:
        return Problem(reasons.CONFIG_INVALID, f"EvaluationConfig {_name(key)}: {wrong}.", fatal=False)
    if spec.config.type is not None and spec.config.type != body.type:
        return _mismatch("spec.config", spec.config.type, f"EvaluationConfig {_name(key)}", body.type)
    return _unsupported(o, body, f"EvaluationConfig {_name(key)}") or body


@dataclass(frozen=True, slots=True)
class _Kind:
    kind: str
    not_found: str
    invalid: str


_TARGET: Final = _Kind("EvaluationTarget", reasons.TARGET_NOT_FOUND, reasons.TARGET_INVALID)
_CONFIG: Final = _Kind("EvaluationConfig", reasons.CONFIG_NOT_FOUND, reasons.CONFIG_INVALID)


def _allowed_body(o: Observed, key: ReferenceKey, found: ReferencedView | None) -> TargetBody | ConfigBody | None:
    if found is None or not references.allows(list(found.allowed_namespaces), key.namespace, o.job.namespace):
        return None
    return found.body


def _unusable(o: Observed, kind: _Kind, key: ReferenceKey, found: ReferencedView | None) -> Problem:
    what = f"{kind.kind} {_name(key)}"
    if found is None:
        return Problem(kind.not_found, f"{what} does not exist. The job starts when it does.", fatal=False)
    # Before anything else is said of it: a job must not learn what is in objects that it may not use.
    if not references.allows(list(found.allowed_namespaces), key.namespace, o.job.namespace):
        message = (
            f"{what} does not allow jobs of namespace {o.job.namespace}. Add the namespace to its "
            f"spec.allowedNamespaces, or copy the object into {o.job.namespace}."
        )
        return Problem(reasons.REFERENCE_NOT_ALLOWED, message, fatal=False)
    return Problem(kind.invalid, f"{what} is invalid: {found.error}", fatal=False)


def _unsupported(o: Observed, config: ConfigBody, where: str) -> Problem | None:
    accepts = o.settings.types.get(config.type or "")
    if accepts is None:
        known = ", ".join(sorted(o.settings.types)) or "none"
        message = f"No runner is installed for config type {config.type}. Supported here: {known}."
        return Problem(reasons.UNSUPPORTED_TYPE, message, fatal=True)
    wrong = acceptance.task_problem(config, accepts)
    return None if wrong is None else Problem(reasons.UNSUPPORTED_TASK, f"{where}: {wrong}.", fatal=True)


def _mismatch(where: str, said: str, what: str, actual: str | None) -> Problem:
    message = f"{where}.type is {said} but {what} is of type {actual}. Create a new job that agrees, or leave type out."
    return Problem(reasons.TYPE_MISMATCH, message, fatal=True)


def _changed(status: Mapping[str, Any], resolved: Mapping[str, Any]) -> Problem | None:
    before = status.get("resolved")
    for part in ("target", "config"):
        pin = before.get(part) if isinstance(before, dict) else None
        known = pin.get("digest") if isinstance(pin, dict) else None
        if isinstance(known, str) and known != resolved[part]["digest"]:
            return Problem(
                reasons.REFERENCE_CHANGED,
                f"The {part} changed while the job was paused, so its run cannot go on. Create a new job.",
                fatal=True,
            )
    return None


def _pin(lifted: Lifted, found: ReferencedView | None) -> dict[str, str]:
    pin = {"digest": digest(lifted.body)}
    if found is not None:
        pin |= {
            "name": found.name,
            "namespace": found.namespace,
            "uid": found.uid,
            "resourceVersion": found.resource_version,
        }
    return pin


def _key(job: JobView, body: TargetBody | ConfigBody) -> ReferenceKey:
    return ReferenceKey(body.namespace or job.namespace, body.name or "")


def _name(key: ReferenceKey) -> str:
    return f"{key.namespace}/{key.name}"
