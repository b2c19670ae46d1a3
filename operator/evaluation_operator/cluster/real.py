"""The port to a real cluster: raw JSON over one aiohttp session, with bounded time, connections and
retries.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, cast

import aiohttp
import orjson
from yarl import URL

from evaluation_operator.cluster import shallow
from evaluation_operator.cluster.connection import CONNECT_SECONDS, Connection, connect, unreachable
from evaluation_operator.cluster.errors import (
    ClusterError,
    Conflict,
    Invalid,
    NotFound,
    Unavailable,
    from_status,
)
from evaluation_operator.cluster.paths import describe, path_of
from evaluation_operator.cluster.port import (
    ACCESS_REVIEWS,
    PODS,
    TOKEN_REVIEWS,
    Body,
    Change,
    Identity,
    Page,
    Propagation,
    RequestHook,
    Resource,
)
from evaluation_operator.cluster.watching import changes

ATTEMPTS = 4
ATTEMPT_SECONDS = 15.0
#: The longest that one call may take, all attempts and pauses together.
CALL_SECONDS = 40.0
MAX_PAUSE_SECONDS = 10.0
CONNECTIONS = 32

_JSON = {"Content-Type": "application/json"}
_MERGE = {"Content-Type": "application/merge-patch+json"}
_METADATA = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
_TIMEOUT = aiohttp.ClientTimeout(total=ATTEMPT_SECONDS, sock_connect=CONNECT_SECONDS)


class RealCluster:
    """`ClusterPort` on a connection. `hook`, when given, is told of every request that was answered or
    given up.
    """

    def __init__(self, connection: Connection, hook: RequestHook | None = None) -> None:
        self._server = connection.server
        self._hook = hook
        self._session = connection.session(limit=CONNECTIONS)
        # Each watch holds a connection for minutes: they must not take those of the calls.
        self._watches = connection.session(limit=0)

    @classmethod
    async def open(
        cls, kubeconfig: str | None = None, *, context: str | None = None, hook: RequestHook | None = None
    ) -> RealCluster:
        """A cluster from a kubeconfig file, or from the surroundings (see `connect`)."""
        return cls(await connect(kubeconfig, context), hook)

    async def close(self) -> None:
        await self._watches.close()
        await self._session.close()

    async def get(self, resource: Resource, namespace: str, name: str) -> Body:
        return await self._ask("GET", path_of(resource, namespace, _named(name)))

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 500,
        resume: str = "",
    ) -> Page:
        query = _selection(labels, fields, limit, resume)
        return await self._page(resource, path_of(resource, namespace, query=query))

    async def list_metadata(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        limit: int = 500,
        resume: str = "",
    ) -> Page:
        query = _selection(labels, "", limit, resume)
        return await self._page(resource, path_of(resource, namespace, query=query), _METADATA)

    def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        resource_version: str,
        labels: str = "",
        seconds: float,
    ) -> AsyncGenerator[Change, None]:
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "labelSelector": labels,
            "timeoutSeconds": str(max(1, round(seconds))),
        }
        path = path_of(resource, namespace, query=query)
        return changes(self._watches, self._server, path, resource, self._answered)

    async def create(
        self, resource: Resource, namespace: str, body: Mapping[str, Any], *, strict: bool = False
    ) -> Body:
        path = path_of(resource, namespace, query={"fieldValidation": "Strict" if strict else ""})
        # The server knows what a path means, but wants custom resources to say it themselves.
        named = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        return await self._ask("POST", path, named, _JSON)

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        changes: Mapping[str, Any],
        *,
        resource_version: str | None = None,
        uid: str | None = None,
        strict: bool = False,
    ) -> Body:
        fences = {"resourceVersion": resource_version, "uid": uid}
        metadata = {
            **changes.get("metadata", {}),
            **{key: value for key, value in fences.items() if value is not None},
        }
        body = {**changes, "metadata": metadata}
        query = {"fieldValidation": "Strict" if strict else ""}
        try:
            return await self._ask("PATCH", path_of(resource, namespace, _named(name), query=query), body, _MERGE)
        except Invalid as error:
            # A wrong uid in a patch is told as a field that must not change.
            if uid is None or "metadata.uid" not in error.message:
                raise
            raise Conflict(error.message, status=409, reason="Conflict", request=error.request) from error

    async def patch_status(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        status: Mapping[str, Any],
        *,
        resource_version: str,
    ) -> Body:
        body = {"metadata": {"resourceVersion": resource_version}, "status": status}
        return await self._ask("PATCH", path_of(resource, namespace, _named(name), "status"), body, _MERGE)

    async def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        propagation: Propagation = "Background",
        uid: str | None = None,
    ) -> None:
        body: Body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        await self._ask("DELETE", path_of(resource, namespace, _named(name)), body, _JSON)

    async def logs(
        self, namespace: str, pod: str, *, container: str, limit_bytes: int, since: datetime | None = None
    ) -> bytes:
        query = {"container": container, "timestamps": "true", "limitBytes": str(limit_bytes)}
        if since is not None:
            query["sinceTime"] = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            raw, _ = await self._fetch("GET", path_of(PODS, namespace, _named(pod), "log", query))
        except Invalid:
            # 400: the container is waiting to start, or never will; there is nothing to read.
            return b""
        return raw[:limit_bytes]

    async def review_token(self, token: str, audience: str) -> Identity | None:
        body = {
            "apiVersion": TOKEN_REVIEWS.api_version,
            "kind": TOKEN_REVIEWS.kind,
            "spec": {"token": token} | ({"audiences": [audience]} if audience else {}),
        }
        status = (await self._ask("POST", path_of(TOKEN_REVIEWS), body, _JSON)).get("status", {})
        # A server that knows nothing of audiences leaves the list empty: its "yes" says nothing about ours.
        if not status.get("authenticated") or (audience and audience not in status.get("audiences", ())):
            return None
        user = status.get("user", {})
        extra = {key: tuple(values) for key, values in (user.get("extra") or {}).items()}
        return Identity(user.get("username", ""), user.get("uid", ""), tuple(user.get("groups") or ()), extra)

    async def review_access(
        self, who: Identity, verb: str, resource: Resource, namespace: str = "", name: str = ""
    ) -> bool:
        asked = {"namespace": namespace, "verb": verb, "group": resource.group, "resource": resource.plural}
        spec: Body = {"user": who.username, "uid": who.uid, "groups": who.groups, "extra": who.extra}
        spec["resourceAttributes"] = asked | ({"name": name} if name else {})
        body = {"apiVersion": ACCESS_REVIEWS.api_version, "kind": ACCESS_REVIEWS.kind, "spec": spec}
        status = (await self._ask("POST", path_of(ACCESS_REVIEWS), body, _JSON)).get("status", {})
        return status.get("allowed") is True

    async def served(self, api_version: str) -> frozenset[str]:
        root = "/apis" if "/" in api_version else "/api"
        try:
            found = await self._ask("GET", f"{root}/{api_version}")
        except NotFound:
            return frozenset()
        return frozenset(entry["name"] for entry in found.get("resources", ()) if "/" not in entry["name"])

    async def _page(self, resource: Resource, path: str, headers: Mapping[str, str] | None = None) -> Page:
        found = await self._ask("GET", path, None, headers)
        metadata = found.get("metadata", {})
        items = found.get("items") or []
        for item in items:
            # The items of a list lack what the list itself says.
            item["apiVersion"], item["kind"] = resource.api_version, resource.kind
        return Page(items, metadata.get("resourceVersion", ""), metadata.get("continue", ""))

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Body:
        raw, status = await self._fetch(method, path, body, headers)
        found = shallow.value_of(raw, path)
        if not isinstance(found, dict):
            raise Unavailable(
                "the answer was not a JSON object: is this the Kubernetes API?",
                status=status,
                request=_asked(method, path),
            )
        return cast(Body, found)

    async def _fetch(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[bytes, int]:
        """The body of a successful answer and its status."""
        asked = _asked(method, path)
        data = None if body is None else orjson.dumps(body)
        try:
            async with asyncio.timeout(CALL_SECONDS):
                for attempt in range(ATTEMPTS):
                    try:
                        return await self._once(method, path, data, headers, asked)
                    except ClusterError as error:
                        again = error.status == 429 or isinstance(error, Unavailable)
                        if not again or attempt == ATTEMPTS - 1:
                            raise
                        await asyncio.sleep(pause(attempt, error.retry_after))
        except TimeoutError as error:
            raise unreachable(error, asked) from error
        raise AssertionError("unreachable")

    async def _once(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str] | None, asked: str
    ) -> tuple[bytes, int]:
        url = URL(self._server + path, encoded=True)
        status, started = 0, perf_counter()
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                status = response.status
                raw = await response.read()
                wait = response.headers.get("Retry-After")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise unreachable(error, asked) from error
        except RuntimeError as error:  # what aiohttp says of a closed session
            raise unreachable(error, asked) from error
        finally:
            # Here and not by aiohttp's tracing, which costs a third of the request.
            self._answered(method, path, status, perf_counter() - started)
        if not 200 <= status < 300:
            raise from_status(status, shallow.value_of(raw, path), request=asked, retry_after=_seconds(wait))
        return raw, status

    def _answered(self, method: str, path: str, code: int, seconds: float) -> None:
        if self._hook is None:
            return
        told = describe(method, path, code, seconds)
        if told is not None:
            self._hook(told)


def _asked(method: str, path: str) -> str:
    return f"{method} {path.partition('?')[0]}"


def pause(attempt: int, asked: float | None) -> float:
    """Seconds to wait before the next attempt (counted from 0): what the server asked, else doubling, with
    jitter.
    """
    if asked is not None:
        return min(asked, MAX_PAUSE_SECONDS) + random.uniform(0, 0.25)  # noqa: S311
    return min(0.1 * 2.0**attempt, MAX_PAUSE_SECONDS) * random.uniform(0.5, 1.5)  # noqa: S311


def _selection(labels: str, fields: str, limit: int, resume: str) -> Mapping[str, str]:
    return {
        "labelSelector": labels,
        "fieldSelector": fields,
        "limit": str(limit) if limit else "",
        "continue": resume,
    }


def _named(name: str) -> str:
    if not name:
        # An empty name would turn the request into one for the whole collection.
        raise ValueError("a name is needed")
    return name


def _seconds(value: str | None) -> float | None:
    try:
        return max(0.0, float(value)) if value is not None else None
    except ValueError:
        return None
