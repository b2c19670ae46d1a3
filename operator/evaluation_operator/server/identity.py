"""Who sends a report: from the bearer token to the EvaluationJob that its pod works for.

    token --TokenReview--> pod name, uid --> Pod --controller--> Kubernetes Job --controller--> EvaluationJob

Every link is checked by uid, so a pod of another job, a recreated job of the same name or a pod that is gone proves
nothing. The audience alone proves nothing either: whoever may create a pod may ask for a token with any audience.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evaluation_operator.cluster.errors import ClusterError, NotFound
from evaluation_operator.cluster.port import BATCH_JOBS, EVALUATION_JOBS, PODS, Body, ClusterPort, Resource
from evaluation_operator.cluster.port import Identity as TokenOwner
from evaluation_operator.resources.identity import ANNOTATION_PINNED_JOB, REPORT_AUDIENCE
from evaluation_operator.server.access import tokens
from evaluation_operator.server.access.remembered import Remembered
from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.owners import controller
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.status_writer import cluster_trouble

_POD_NAME = "authentication.kubernetes.io/pod-name"
_POD_UID = "authentication.kubernetes.io/pod-uid"

_TERMINAL_POD = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Sender:
    """A proven runner."""

    job: JobAddress
    pod: str
    pod_uid: str
    tasks: frozenset[str] | None
    """Names of the tasks that it was given; None when the job names none."""


class Senders:
    """Proves senders, and remembers those that were proven for a short time."""

    def __init__(
        self,
        cluster: ClusterPort,
        metrics: Metrics,
        *,
        cache_seconds: float,
        cache_size: int,
        max_concurrent: int,
        max_waiting: int,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._cluster = cluster
        self._cache_seconds = cache_seconds
        self._wall_clock = wall_clock
        self._proven: Remembered[bytes, Sender] = Remembered(
            "identity checks",
            size=cache_size,
            max_concurrent=max_concurrent,
            max_waiting=max_waiting,
            clock=clock,
            count=lambda outcome: metrics.identities.labels(outcome).inc(),
        )

    async def prove(self, authorization: str | None, namespace: str, name: str) -> Sender:
        """The sender, when its token proves that it works for this EvaluationJob.

        Raises Refused: 401 without a valid token, 403 when it works for something else or its pod is over, 429 or 503
        when it cannot be checked now.
        """
        token = tokens.bearer(authorization, "the one projected into the runner's pod", signed=True)

        async def ask() -> tuple[Sender, float]:
            found = await self._ask(token, namespace)
            # One that does not say when it expires is asked about each time.
            return found, min(self._cache_seconds, (tokens.expiry(token) or 0.0) - self._wall_clock())

        sender = await self._proven.get(tokens.digest(token), ask)
        if (sender.job.namespace, sender.job.name) != (namespace, name):
            raise _foreign(f"this pod works for EvaluationJob {sender.job.name}, not for {name}")
        return sender

    async def _ask(self, token: str, namespace: str) -> Sender:
        try:
            owner = await self._cluster.review_token(token, REPORT_AUDIENCE)
        except ClusterError as error:
            raise cluster_trouble(error) from error
        if owner is None:
            raise Refused(401, "token", f"the token is not valid for the audience {REPORT_AUDIENCE}, or has expired")
        pod_name, pod_uid = _bound_pod(owner, namespace)

        pod = await self._linked(PODS, namespace, pod_name, pod_uid)
        if (pod.get("status") or {}).get("phase") in _TERMINAL_POD:
            raise _foreign(f"the pod {pod_name} has ended")
        batch_job_name, batch_job_uid = _controller(pod, BATCH_JOBS, f"the pod {pod_name}")
        batch_job = await self._linked(BATCH_JOBS, namespace, batch_job_name, batch_job_uid)
        name, uid = _controller(batch_job, EVALUATION_JOBS, f"the Kubernetes Job {batch_job_name}")
        tasks = _pinned_tasks(batch_job)
        if tasks is None:
            tasks = _tasks(await self._linked(EVALUATION_JOBS, namespace, name, uid))
        return Sender(JobAddress(namespace, name, uid), pod_name, pod_uid, tasks)

    async def _linked(self, resource: Resource, namespace: str, name: str, uid: str) -> Body:
        try:
            found = await self._cluster.get(resource, namespace, name)
        except NotFound:
            found = {}
        except ClusterError as error:
            raise cluster_trouble(error) from error
        if (found.get("metadata") or {}).get("uid") != uid:
            raise _foreign(f"the {resource.kind} {name} that this token leads to does not exist any more")
        return found


def _foreign(detail: str) -> Refused:
    return Refused(403, "foreign", detail)


def _bound_pod(owner: TokenOwner, namespace: str) -> tuple[str, str]:
    parts = owner.username.split(":")
    if len(parts) != 4 or parts[:2] != ["system", "serviceaccount"]:
        raise _foreign("the token is not one of a service account")
    if parts[2] != namespace:
        raise _foreign(f"the token belongs to the namespace {parts[2]}, not to {namespace}")
    names, uids = owner.extra.get(_POD_NAME, ()), owner.extra.get(_POD_UID, ())
    if len(names) != 1 or len(uids) != 1 or not names[0] or not uids[0]:
        raise _foreign("the token is not bound to a pod: use the one projected into the runner's pod")
    return names[0], uids[0]


def _controller(child: Mapping[str, Any], kind: Resource, what: str) -> tuple[str, str]:
    owner = controller(child, kind)
    if owner is None:
        raise _foreign(f"{what} is not controlled by a {kind.kind} ({kind.group})")
    return owner


def _pinned_tasks(batch_job: Mapping[str, Any]) -> frozenset[str] | None:
    """Tasks of the copy that the pod was given; None when it does not stand in the Kubernetes Job."""
    template = (batch_job.get("spec") or {}).get("template") or {}
    text = ((template.get("metadata") or {}).get("annotations") or {}).get(ANNOTATION_PINNED_JOB)
    if not isinstance(text, str):
        return None
    try:
        config = json.loads(text)["config"]
        return frozenset(config.get("tasks") or ()) or None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _tasks(job: Mapping[str, Any]) -> frozenset[str] | None:
    config = (job.get("spec") or {}).get("config") or {}
    return frozenset(config.get("tasks") or ()) or None
