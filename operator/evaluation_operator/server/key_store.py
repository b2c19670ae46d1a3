"""The Secrets that evaluation-api makes for keys which came inside a body: made, owned, shared, copied and swept away.

A Secret is there before the object that refers to it, and gets that object as its owner afterwards, so that it goes
with the object. What a crash leaves between the two is mended or removed by the sweep.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from evaluation_operator.cluster.errors import AlreadyExists, ClusterError, Conflict, Invalid, NotFound, Unavailable
from evaluation_operator.cluster.port import (
    EVALUATION_CONFIGS,
    EVALUATION_JOBS,
    EVALUATION_TARGETS,
    SECRETS,
    Body,
    ClusterPort,
    Resource,
)
from evaluation_operator.lifecycle import clock
from evaluation_operator.resources.identity import ANNOTATION_MADE_FOR
from evaluation_operator.server.objects import keys
from evaluation_operator.server.refusals import conflict

_log = logging.getLogger(__name__)

_OWNERS: Final = {kind.plural: kind for kind in (EVALUATION_JOBS, EVALUATION_TARGETS, EVALUATION_CONFIGS)}
_ATTEMPTS: Final = 5
_EVERY_SECONDS: Final = 300.0
UNOWNED_SECONDS: Final = 600.0
"""How old a Secret without an owner must be before it is taken for a leftover."""


class KeyStore:
    """All that is done to these Secrets, and to no others. Its methods raise ClusterError."""

    def __init__(self, cluster: ClusterPort, namespaces: tuple[str, ...], *, wall_clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._namespaces = namespaces
        self._wall_clock = wall_clock

    async def put(self, namespace: str, kept: keys.Kept, made_for: str) -> None:
        """Makes the Secret for the keys of a body; nothing when it has none."""
        if kept.values:
            await self._cluster.create(SECRETS, namespace, kept.manifest(made_for))

    async def copy(self, source: str, names: Iterable[str], namespace: str, made_for: str) -> None:
        """Makes the same Secrets in another namespace, or brings those that are there up to date. One that is missing
        in `source` is missing in the copy too: the operator tells of it. Raises Refused (409) for one of that name that
        is somebody else's: the copy can have no other name, because what refers to it stays as it is."""
        for name in names:
            try:
                content = (await self._cluster.get(SECRETS, source, name)).get("data") or {}
            except NotFound:
                continue
            await self._make_or_renew(namespace, name, made_for, content)

    async def own(self, namespace: str, names: Iterable[str], resource: Resource, owner: Body) -> None:
        """Makes an object one of the owners of Secrets: each goes when its last owner has gone."""
        for name in names:
            await self._change_owners(namespace, name, owner, [_reference(resource, owner)])

    async def release(self, namespace: str, names: Iterable[str], owner: Body) -> None:
        """Takes an object from the owners of Secrets that it does not refer to any more. What nobody owns then is left
        to the sweep: a job that is just being created may be about to own it."""
        for name in names:
            await self._change_owners(namespace, name, owner, [])

    async def withdraw(self, namespace: str, kept: keys.Kept, why: ClusterError) -> None:
        """Removes the Secret of an object that could not be written. What fails here is left to the sweep, and so is
        what the object may refer to: without an answer (or with a conflict after it, of the client's own repetition)
        the write may have happened."""
        if kept.values and not isinstance(why, (Unavailable, Conflict)):
            try:
                await self._cluster.delete(SECRETS, namespace, kept.secret)
            except ClusterError as error:
                _log.warning("a Secret without an owner stays for now", extra={"error": str(error)})

    async def run(self) -> None:
        """Sweeps every few minutes, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            try:
                removed = await self.sweep()
                if removed:
                    _log.info("removed Secrets that belonged to nothing", extra={"secrets": removed})
            except ClusterError as error:
                _log.warning("could not look for Secrets that belong to nothing", extra={"error": str(error)})
            except Exception:
                _log.exception("the sweep of Secrets failed")

    async def sweep(self) -> int:
        """Gives every old Secret without an owner to the object that refers to it, or removes it. Returns how many were
        removed."""
        before = datetime.fromtimestamp(self._wall_clock() - UNOWNED_SECONDS, UTC)
        removed = 0
        for namespace in self._namespaces or ("",):
            resume = ""
            while True:
                page = await self._cluster.list_metadata(SECRETS, namespace, labels=keys.SELECTOR, resume=resume)
                for found in page.items:
                    removed += await self._swept(found["metadata"], before)
                resume = page.resume
                if not resume:
                    break
        return removed

    async def _swept(self, metadata: Body, before: datetime) -> bool:
        created = clock.parse(metadata.get("creationTimestamp"))
        if metadata.get("ownerReferences") or created is None or created >= before:
            return False
        namespace, name = metadata["namespace"], metadata["name"]
        plural, _, made_for = str((metadata.get("annotations") or {}).get(ANNOTATION_MADE_FOR)).partition("/")
        resource = _OWNERS.get(plural)
        owner = None if resource is None else await self._referring(resource, namespace, made_for, name)
        try:
            if resource is not None and owner is not None:
                await self.own(namespace, [name], resource, owner)
                return False
            await self._cluster.delete(SECRETS, namespace, name, uid=metadata["uid"])
        except (NotFound, Conflict):
            return False
        return True

    async def _referring(self, resource: Resource, namespace: str, name: str, secret: str) -> Body | None:
        try:
            body = await self._cluster.get(resource, namespace, name)
        except (NotFound, Invalid):
            return None
        spec = body.get("spec") or {}
        # What was copied for a job is not named in the job itself, but in what it refers to.
        refers = resource == EVALUATION_JOBS and any(
            (spec.get(part) or {}).get("name") for part in ("target", "config")
        )
        return body if refers or secret in keys.secrets_of(spec) else None

    async def _make_or_renew(self, namespace: str, name: str, made_for: str, content: Body) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                await self._cluster.create(SECRETS, namespace, keys.secret(name, made_for, data=content))
            except AlreadyExists:
                try:
                    await self._renew(namespace, name, content)
                except (NotFound, Conflict):
                    # It went with its last owner, and may have been made anew.
                    if attempt + 1 == _ATTEMPTS:
                        raise
                    continue
            return

    async def _renew(self, namespace: str, name: str, content: Body) -> None:
        there = await self._cluster.get(SECRETS, namespace, name)
        if not keys.is_ours(there):
            message = f"the namespace {namespace} has a Secret {name} that evaluation-api did not make, where a key of "
            message += "the target or config must be copied to; delete that Secret, or give the key anew where it is "
            raise conflict("foreign-secret", f"{message}stored")
        if there.get("data") != content:
            await self._cluster.patch(SECRETS, namespace, name, {"data": content}, uid=there["metadata"]["uid"])

    async def _change_owners(self, namespace: str, name: str, owner: Body, instead: list[Body]) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                secret = await self._cluster.get(SECRETS, namespace, name)
                if not keys.is_ours(secret):
                    # Somebody else's, who refers to it by such a name: with an owner of ours it would go with that.
                    return
                metadata = secret["metadata"]
                owners = metadata.get("ownerReferences") or []
                wanted = [each for each in owners if each.get("uid") != owner["metadata"]["uid"]] + instead
                if wanted != owners:
                    await self._cluster.patch(
                        SECRETS,
                        namespace,
                        name,
                        {"metadata": {"ownerReferences": wanted}},
                        resource_version=metadata["resourceVersion"],
                    )
            except NotFound:
                return
            except Conflict:
                if attempt + 1 == _ATTEMPTS:
                    raise
            else:
                return


def made_for(resource: Resource, name: str) -> str:
    """How a Secret names the object that it was made for."""
    return f"{resource.plural}/{name}"


def _reference(resource: Resource, owner: Body) -> Body:
    metadata = owner["metadata"]
    kind = {"apiVersion": resource.api_version, "kind": resource.kind}
    return kind | {"name": metadata["name"], "uid": metadata["uid"]}
