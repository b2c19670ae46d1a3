"""Jobs, targets and configs made, changed and deleted for callers of the REST API, keys and all."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError

from evaluation_operator.cluster.errors import AlreadyExists, ClusterError, Conflict, NotFound
from evaluation_operator.cluster.port import (
    EVALUATION_CONFIGS,
    EVALUATION_JOBS,
    EVALUATION_TARGETS,
    Body,
    ClusterPort,
    Resource,
)
from evaluation_operator.resources import acceptance, phases, references
from evaluation_operator.resources.config import ConfigPayload
from evaluation_operator.resources.identity import ANNOTATION_CREATED
from evaluation_operator.resources.target import TargetPayload
from evaluation_operator.server.access.callers import Caller
from evaluation_operator.server.directory import Directory
from evaluation_operator.server.key_store import KeyStore, made_for
from evaluation_operator.server.objects import creation, keys, requests, states, updates
from evaluation_operator.server.refusals import Refused, invalid
from evaluation_operator.server.rest.bodies import keys_from
from evaluation_operator.server.rest.errors import refused_by_cluster
from evaluation_operator.server.settings import Settings

_log = logging.getLogger(__name__)

_ATTEMPTS: Final = 5
_PAYLOADS: Final[Mapping[Resource, type[TargetPayload | ConfigPayload]]] = {
    EVALUATION_TARGETS: TargetPayload,
    EVALUATION_CONFIGS: ConfigPayload,
}
_WORDS: Final = {EVALUATION_JOBS: "job", EVALUATION_TARGETS: "target", EVALUATION_CONFIGS: "config"}


class Writes:
    """Every write of the three kinds. Its methods raise Refused."""

    def __init__(
        self,
        settings: Settings,
        cluster: ClusterPort,
        directory: Directory,
        key_store: KeyStore,
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._cluster = cluster
        self._directory = directory
        self._keys = key_store
        self._wall_clock = wall_clock
        self._options = creation.Options(
            model_endpoint=settings.entities.model_endpoint,
            secret_references=settings.entities.secret_references,
            allowed_namespaces=("*",) if settings.entities.shared else (),
        )

    def serves(self, namespace: str) -> bool:
        """Whether there can be anything in this namespace."""
        return self._settings.serves(namespace)

    def namespace(self, given: str | None) -> str:
        """The namespace that a request means. Raises Refused (422) for one that is not served."""
        namespace = given or self._settings.entities.default_namespace
        if not self._settings.serves(namespace):
            served = ", ".join(self._settings.namespaces) or "all that Kubernetes allows as names"
            raise invalid(
                ["body", "namespace"],
                f"the namespace {namespace} is not served here; served are: {served}",
                "namespace",
            )
        return namespace

    async def create_job(self, caller: Caller, request: requests.JobV1 | requests.JobV2) -> Body:
        """Makes an EvaluationJob: 404 for a reference to nothing, 409 for a name that is taken, 422 for what the
        operator would refuse."""
        namespace = self.namespace(request.namespace)
        await caller.require("create", EVALUATION_JOBS, namespace)
        root = ("body", "spec") if isinstance(request, requests.JobV2) else ("body",)
        target = await self._referenced(caller, EVALUATION_TARGETS, request.target, namespace, root)
        config = await self._referenced(caller, EVALUATION_CONFIGS, request.config, namespace, root)
        self._check_types(
            ConfigPayload.model_validate(config["spec"]) if config else request.config,
            TargetPayload.model_validate(target["spec"]) if target else request.target,
            root,
        )
        with keys_from(*root):
            draft = creation.job(request, target=target, config=config, now=self._now(), options=self._options)
        stored = [body for body in (target, config) if body is not None]

        async def share() -> None:
            for body in stored:
                source = body["metadata"]["namespace"]
                if source != namespace:
                    purpose = made_for(EVALUATION_JOBS, draft.body["metadata"]["name"])
                    await self._keys.copy(source, keys.secrets_of(body["spec"]), namespace, purpose)

        made = await self._create(EVALUATION_JOBS, namespace, draft, share)
        # With the job among their owners, the keys outlive the target and the config as long as the job does.
        for body in stored:
            await self._owned(namespace, keys.secrets_of(body["spec"]), EVALUATION_JOBS, made)
        return made

    async def cancel_job(self, caller: Caller, body: Body) -> Body:
        """Asks for an EvaluationJob to be stopped for good; the record stays. One that has ended is left as it is."""
        metadata = body["metadata"]
        await caller.require("patch", EVALUATION_JOBS, metadata["namespace"], metadata["name"])
        if states.phase(body) in (*phases.TERMINAL, phases.CANCELLING):
            return body
        return await self._patched(EVALUATION_JOBS, body, {"spec": {"cancel": True}})

    async def create_target(self, caller: Caller, request: requests.Target) -> Body:
        """Makes an EvaluationTarget: 409 for a name that is taken."""
        namespace = self.namespace(request.namespace)
        await caller.require("create", EVALUATION_TARGETS, namespace)
        with keys_from("body"):
            draft = creation.target(request, now=self._now(), options=self._options)
        return await self._create(EVALUATION_TARGETS, namespace, draft)

    async def create_config(self, caller: Caller, request: requests.Config) -> Body:
        """Makes an EvaluationConfig: 409 for a name that is taken."""
        namespace = self.namespace(request.namespace)
        await caller.require("create", EVALUATION_CONFIGS, namespace)
        with keys_from("body"):
            draft = creation.config(request, now=self._now(), options=self._options)
        return await self._create(EVALUATION_CONFIGS, namespace, draft)

    async def update_target(self, caller: Caller, body: Body, request: requests.TargetUpdate) -> Body:
        """Changes an EvaluationTarget."""
        return await self._update(
            caller,
            EVALUATION_TARGETS,
            body,
            lambda current: updates.target(current, request, now=self._now(), options=self._options),
        )

    async def update_config(self, caller: Caller, body: Body, request: requests.ConfigUpdate) -> Body:
        """Changes an EvaluationConfig."""
        return await self._update(
            caller,
            EVALUATION_CONFIGS,
            body,
            lambda current: updates.config(current, request, now=self._now(), options=self._options),
        )

    async def patch(self, caller: Caller, resource: Resource, body: Body, changes: Body) -> Body:
        """Merges `changes` into an object, whatever else has changed in it."""
        metadata = body["metadata"]
        await caller.require("patch", resource, metadata["namespace"], metadata["name"])
        return await self._patched(resource, body, changes)

    async def _patched(self, resource: Resource, body: Body, changes: Body) -> Body:
        metadata = body["metadata"]
        with _refusals(resource, body):
            changed = await self._cluster.patch(
                resource, metadata["namespace"], metadata["name"], changes, uid=metadata["uid"]
            )
        self._directory.took(resource, changed)
        return changed

    async def delete(self, caller: Caller, resource: Resource, body: Body) -> None:
        """Deletes an object. What it owns goes with it: a job's pod, the Secrets with its keys."""
        metadata = body["metadata"]
        await caller.require("delete", resource, metadata["namespace"], metadata["name"])
        with _refusals(resource, body):
            await self._cluster.delete(resource, metadata["namespace"], metadata["name"], uid=metadata["uid"])
        self._directory.forget(resource, body)

    async def _create(
        self,
        resource: Resource,
        namespace: str,
        draft: creation.Draft,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> Body:
        metadata = draft.body["metadata"]
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}
        body = {**kind, **draft.body, "metadata": {**metadata, "namespace": namespace}}
        with _refusals(resource, body, creating=True):
            if before is not None:
                await before()
            try:
                await self._keys.put(namespace, draft.kept, made_for(resource, metadata["name"]))
                made = await self._made(resource, namespace, body)
            except ClusterError as error:
                await self._keys.withdraw(namespace, draft.kept, error)
                raise
        self._directory.took(resource, made)
        if draft.has_keys:
            await self._owned(namespace, [draft.kept.secret], resource, made)
        return made

    async def _owned(self, namespace: str, secrets: Iterable[str], resource: Resource, owner: Body) -> None:
        try:
            await self._keys.own(namespace, secrets, resource, owner)
        except ClusterError as error:
            # The object is there, and so is its key: the caller is answered so, and the sweep does the rest.
            _log.warning("a Secret has no owner yet", extra={"error": str(error)})

    async def _made(self, resource: Resource, namespace: str, body: Body) -> Body:
        try:
            return await self._cluster.create(resource, namespace, body, strict=True)
        except AlreadyExists:
            # It may be ours, of an attempt whose answer was lost: nobody else writes this very microsecond.
            metadata = body["metadata"]
            found = await self._cluster.get(resource, namespace, metadata["name"])
            stamp = (found["metadata"].get("annotations") or {}).get(ANNOTATION_CREATED)
            if stamp != metadata["annotations"][ANNOTATION_CREATED] or found.get("spec") != body["spec"]:
                raise
            return found

    async def _update(
        self, caller: Caller, resource: Resource, body: Body, decide: Callable[[Body], updates.Update]
    ) -> Body:
        metadata = body["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        await caller.require("patch", resource, namespace, name)
        with _refusals(resource, body), keys_from("body"):
            for _ in range(_ATTEMPTS):
                current = await self._cluster.get(resource, namespace, name)
                if current["metadata"]["uid"] != metadata["uid"]:
                    raise NotFound("replaced by another of this name")
                try:
                    update = decide(current)
                except updates.UpdateRefused as error:
                    raise invalid(["body"], str(error)) from None
                try:
                    return await self._changed(resource, current, update)
                except Conflict:
                    continue
        raise Refused(409, "changed", f"the {_WORDS[resource]} {namespace}/{name} changes all the time; try again")

    async def _changed(self, resource: Resource, current: Body, update: updates.Update) -> Body:
        if not update.changes:
            return current
        metadata = current["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        await self._keys.put(namespace, update.kept, made_for(resource, name))
        try:
            changed = await self._cluster.patch(
                resource,
                namespace,
                name,
                update.changes,
                resource_version=metadata["resourceVersion"],
                uid=metadata["uid"],
                strict=True,
            )
        except ClusterError as error:
            await self._keys.withdraw(namespace, update.kept, error)
            raise
        self._directory.took(resource, changed)
        if update.kept.values:
            await self._owned(namespace, [update.kept.secret], resource, changed)
        try:
            await self._keys.release(namespace, update.dropped, changed)
        except ClusterError as error:
            _log.warning("an old Secret stays until its object goes", extra={"error": str(error)})
        return changed

    async def _referenced(
        self,
        caller: Caller,
        resource: Resource,
        given: requests.JobTarget | requests.JobConfig,
        namespace: str,
        root: tuple[str, ...],
    ) -> Body | None:
        reference, what = given.reference, _WORDS[resource]
        if reference is None:
            return None
        where = reference.namespace or namespace
        look = self._directory.target if resource == EVALUATION_TARGETS else self._directory.config
        found = await look(where, reference.name) if self._settings.serves(where) else None
        await caller.require("get", resource, where, found["metadata"]["name"] if found else "")
        if found is None:
            raise Refused(404, f"no-{what}", f"there is no evaluation {what} {where}/{reference.name}")
        spec = found["spec"]
        try:
            _PAYLOADS[resource].model_validate(spec)
        except ValidationError as error:
            # What kubectl made under another version of the definitions.
            problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
            message = f"the {what} {where}/{reference.name} is invalid: {problem['msg']} at {problem['loc']}"
            raise invalid([*root, what], message, "invalid_reference") from None
        if not references.allows(spec.get("allowedNamespaces"), where, namespace):
            message = f"the {what} {where}/{reference.name} does not allow jobs of the namespace {namespace}"
            raise invalid([*root, what], message, "not_allowed")
        if reference.type is not None and reference.type != spec.get("type"):
            message = f"the {what} {where}/{reference.name} is of type {spec.get('type')}, not {reference.type}"
            raise invalid([*root, what, "type"], message, "type_mismatch")
        return found

    def _check_types(self, config: ConfigPayload, target: TargetPayload, root: tuple[str, ...]) -> None:
        types = self._settings.entities.config_types
        if types is None:
            return
        accepts = types.get(config.type or "")
        if accepts is None:
            message = f"no runner is installed for config type {config.type}; supported: {', '.join(sorted(types))}"
            raise invalid([*root, "config", "type"], message, "unsupported_type")
        task = acceptance.task_problem(config, accepts)
        if task is not None:
            raise invalid([*root, "config", "tasks"], task, "unsupported_task")
        pair = acceptance.pair_problem(target, config, accepts)
        if pair is not None:
            raise invalid([*root, "target", "type"], pair, "type_mismatch")

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall_clock(), UTC)


@contextmanager
def _refusals(resource: Resource, body: Body, *, creating: bool = False) -> Iterator[None]:
    metadata = body["metadata"]
    try:
        yield
    except NotFound as error:
        if not creating:
            raise refused_by_cluster(error, _named(resource, metadata)) from error
        message = f"the namespace {metadata['namespace']} does not exist"
        raise invalid(["body", "namespace"], message, "namespace") from error
    except ClusterError as error:
        raise refused_by_cluster(error, _named(resource, metadata)) from error


def _named(resource: Resource, metadata: Body) -> str:
    return f"the evaluation {_WORDS[resource]} {metadata['namespace']}/{metadata['name']}"
