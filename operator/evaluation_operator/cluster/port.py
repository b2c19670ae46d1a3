"""The one door to the Kubernetes API: what the operator and evaluation-api ask of a cluster, and nothing
more.

Bodies are plain dictionaries, as the API sends them: turning watch and list data into typed models costs
fifty times the CPU of reading the JSON (docs/performance.md), and the models of our own kinds are applied
where they are needed.

`real.py` speaks to a cluster, `memory.py` is one for tests; `tests/conformance` holds both to the same
behaviour.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from evaluation_operator.cluster.errors import ClusterError
from evaluation_operator.resources.identity import GROUP, VERSION

Body = dict[str, Any]
Propagation = Literal["Background", "Foreground", "Orphan"]


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object of the Kubernetes API. `group` is empty for the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As it stands in an object: `batch/v1`, `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return f"{self.group}/{self.plural}" if self.group else self.plural


EVALUATION_JOBS = Resource(GROUP, VERSION, "evaluationjobs", "EvaluationJob")
EVALUATION_TARGETS = Resource(GROUP, VERSION, "evaluationtargets", "EvaluationTarget")
EVALUATION_CONFIGS = Resource(GROUP, VERSION, "evaluationconfigs", "EvaluationConfig")
BATCH_JOBS = Resource("batch", "v1", "jobs", "Job")
PODS = Resource("", "v1", "pods", "Pod")
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
EVENTS = Resource("", "v1", "events", "Event")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False)
ACCESS_REVIEWS = Resource("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `resume` is the token for the next page, empty on the last one.

    `resource_version` is that of the list as a whole: the moment that all pages of it show.
    """

    items: list[Body]
    resource_version: str
    resume: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a watch. A BOOKMARK holds nothing but `metadata.resourceVersion`: all that came before it
    was shown.
    """

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    body: Body

    @property
    def resource_version(self) -> str:
        """Where the next watch may go on."""
        return str(self.body["metadata"]["resourceVersion"])


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a token belongs to, as the cluster says (TokenReview). `extra` holds the bound pod's name and
    uid, if any: `authentication.kubernetes.io/pod-name` and `authentication.kubernetes.io/pod-uid`.
    """

    username: str
    uid: str
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """One request that was answered (or given up), in the words of RBAC. `code` is the HTTP status, 0 for
    no answer.
    """

    verb: Literal["get", "list", "watch", "create", "patch", "delete"]
    group: str
    resource: str
    subresource: str
    namespace: str
    code: int
    seconds: float


RequestHook = Callable[[Request], None]


class ClusterPort(Protocol):
    """The Kubernetes API. Every method raises `ClusterError` (see `errors.py`) and nothing else; each is
    bounded in time.

    `namespace` is "" for objects without one; for lists, "" means all namespaces. Implementations retry by
    themselves what is safe to repeat (429, 5xx, lost connections), a bounded number of times. A `create`
    whose first answer was lost can therefore end in `AlreadyExists` though it was our own: use
    deterministic names and look at the owner.
    """

    async def get(self, resource: Resource, namespace: str, name: str) -> Body:
        """The object. Raises NotFound."""
        ...

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
        """A page of at most `limit` objects that match the label and field selectors (in kubectl's syntax).

        Items are completed with `apiVersion` and `kind`. Raises Gone when `resume` is too old.
        """
        ...

    async def list_metadata(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        limit: int = 500,
        resume: str = "",
    ) -> Page:
        """As `list`, but the items hold `metadata` only (PartialObjectMetadata)."""
        ...

    def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        resource_version: str,
        labels: str = "",
        seconds: float,
    ) -> AsyncGenerator[Change, None]:
        """What changed after `resource_version` (of a list, or of the last change seen), as it changes.

        Ends after `seconds`, or earlier when the server wants it. An object that stops matching the selector
        is DELETED. Nothing is retried: Gone when the version is too old (list again), Unavailable when the
        connection breaks or is silent for longer than bookmarks are apart. Close it (`aclosing`) when it is
        left before its end.
        """
        ...

    async def create(
        self, resource: Resource, namespace: str, body: Mapping[str, Any], *, strict: bool = False
    ) -> Body:
        """Creates the object, which need not say its kind, and returns it.

        With `strict`, a field that the schema does not know is Invalid, else dropped.
        Raises AlreadyExists, Invalid, Forbidden (also for quotas and admission).
        """
        ...

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
        """Merge patch (RFC 7386) of the object, its status excepted.

        Preconditions: `resource_version` and `uid`; Conflict when one is not the current one.
        """
        ...

    async def patch_status(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        status: Mapping[str, Any],
        *,
        resource_version: str,
    ) -> Body:
        """Merge patch of `.status` through the status subresource; `status` is the content of that field.

        The resourceVersion is the only fence there is (the API does not look at a uid here): Conflict when
        it is not current, also when the object was deleted and made anew. A patch that changes nothing
        writes nothing.
        """
        ...

    async def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        propagation: Propagation = "Background",
        uid: str | None = None,
    ) -> None:
        """Asks for deletion. NotFound when it is gone already, Conflict when another uid has the name now."""
        ...

    async def logs(
        self, namespace: str, pod: str, *, container: str, limit_bytes: int, since: datetime | None = None
    ) -> bytes:
        """What a container wrote since a moment (None: as far back as the node has it), from there on, at most
        `limit_bytes`: lines that each begin with the time of writing (RFC 3339 with nanoseconds) and a space.

        The server counts `since` in whole seconds. The last line may be cut. Empty while the container has not
        started. Raises NotFound when the pod is gone, Unavailable when its node does not answer.
        """
        ...

    async def review_token(self, token: str, audience: str) -> Identity | None:
        """Whose token this is, or None when it is not valid for this audience ("": that of the Kubernetes API)."""
        ...

    async def review_access(
        self, who: Identity, verb: str, resource: Resource, namespace: str = "", name: str = ""
    ) -> bool:
        """Whether the server would let `who` do this: to all such objects of the namespace without a `name`, in all
        namespaces without a `namespace`."""
        ...

    async def served(self, api_version: str) -> frozenset[str]:
        """The plural names that the server serves under this group and version; empty when it does not know
        it.
        """
        ...

    async def close(self) -> None:
        """Closes connections. Requests under way fail with Unavailable."""
        ...


async def each_metadata(
    cluster: ClusterPort, resource: Resource, namespaces: tuple[str, ...], *, labels: str = ""
) -> AsyncGenerator[Body, None]:
    """The metadata of every object of a kind (with these labels) in these namespaces (none: in all), page by page.

    Raises ClusterError, also when the list became too old on the way: what was given so far is then no whole list.
    """
    for namespace in namespaces or ("",):
        resume = ""
        while True:
            page = await cluster.list_metadata(resource, namespace, labels=labels, resume=resume)
            for found in page.items:
                yield found["metadata"]
            if not page.resume:
                break
            resume = page.resume


async def list_all(
    cluster: ClusterPort, resource: Resource, namespace: str = "", *, labels: str = "", limit: int = 500
) -> list[Body]:
    """All pages of a list, begun again once when the list changed too much meanwhile (Gone)."""
    for final in (False, True):
        items: list[Body] = []
        resume = ""
        try:
            while True:
                page = await cluster.list(resource, namespace, labels=labels, limit=limit, resume=resume)
                items.extend(page.items)
                if not page.resume:
                    return items
                resume = page.resume
        except ClusterError as error:
            if final or error.status != 410:
                raise
    raise AssertionError("unreachable")


__all__ = [
    "ACCESS_REVIEWS",
    "BATCH_JOBS",
    "CONFIG_MAPS",
    "EVALUATION_CONFIGS",
    "EVALUATION_JOBS",
    "EVALUATION_TARGETS",
    "EVENTS",
    "LEASES",
    "NAMESPACES",
    "PODS",
    "SECRETS",
    "TOKEN_REVIEWS",
    "Body",
    "Change",
    "ClusterError",
    "ClusterPort",
    "Identity",
    "Page",
    "Propagation",
    "Request",
    "RequestHook",
    "Resource",
    "each_metadata",
    "list_all",
]
