"""A tiny Job controller and kubelet for the in-memory cluster: what becomes of a Kubernetes Job once it is there."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import BATCH_JOBS, PODS, Body


class JobSimulation:
    """Moves Kubernetes Jobs and their pods on, step by step, when told to."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster
        self._made = 0

    async def step(self) -> None:
        """What the Job controller does by itself: makes pods, and removes those of suspended Kubernetes Jobs."""
        for job in self._cluster.objects(BATCH_JOBS):
            if _finished(job) or job["metadata"].get("deletionTimestamp"):
                continue
            pods = self._pods(job)
            if job["spec"].get("suspend"):
                for pod in pods:
                    await self._cluster.delete(PODS, _namespace(job), pod["metadata"]["name"])
                self._job_status(job, {"active": 0, "startTime": None, **self._condition("Suspended")})
            elif not any(pod.get("status", {}).get("phase") in ("Pending", "Running") for pod in pods):
                await self._make_pod(job)
                started = job.get("status", {}).get("startTime") or self._stamp()
                self._job_status(job, {"active": 1, "startTime": started, "conditions": []})

    def run_pods(self) -> None:
        """Starts the container of every pending pod."""
        for pod in self._cluster.objects(PODS):
            if pod.get("status", {}).get("phase") == "Pending":
                state = {"running": {"startedAt": self._stamp()}}
                self._pod_status(pod, "Running", state)

    def end_pods(self, exit_code: int = 0, message: str = "") -> None:
        """Ends every running pod, and its Kubernetes Job with it (without retries)."""
        for pod in self._cluster.objects(PODS):
            if pod.get("status", {}).get("phase") != "Running":
                continue
            ended: Body = {"exitCode": exit_code, "message": message, "finishedAt": self._stamp()}
            running = pod["status"]["containerStatuses"][0]["state"].get("running", {})
            state = {"terminated": {**ended, "startedAt": running.get("startedAt", self._stamp())}}
            self._pod_status(pod, "Failed" if exit_code else "Succeeded", state)
            for job in self._cluster.objects(BATCH_JOBS):
                if job["metadata"]["uid"] == pod["metadata"]["ownerReferences"][0]["uid"]:
                    self._finish(job, exit_code)

    def _finish(self, job: Body, exit_code: int) -> None:
        if exit_code:
            failed = self._condition("Failed", "PodFailurePolicy", f"exit code {exit_code}")
            self._job_status(job, {"active": 0, "failed": 1, **failed})
        else:
            done = {"active": 0, "succeeded": 1, "completionTime": self._stamp()}
            self._job_status(job, {**done, **self._condition("Complete")})

    async def _make_pod(self, job: Body) -> None:
        self._made += 1
        template = job["spec"]["template"]
        owner = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": job["metadata"]["name"],
            "uid": job["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        metadata = {
            **template.get("metadata", {}),
            "name": f"{job['metadata']['name']}-{self._made}",
            "ownerReferences": [owner],
        }
        body = {"metadata": metadata, "spec": template["spec"]}
        pod = await self._cluster.create(PODS, _namespace(job), body)
        self._pod_status(pod, "Pending", {"waiting": {"reason": "ContainerCreating"}})

    def _pods(self, job: Body) -> list[Body]:
        return [
            pod
            for pod in self._cluster.objects(PODS)
            if pod["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
        ]

    def _pod_status(self, pod: Body, phase: str, state: Body) -> None:
        name = pod["spec"]["containers"][0]["name"]
        status = {"phase": phase, "containerStatuses": [{"name": name, "state": state}]}
        self._cluster.set_status(PODS, _namespace(pod), pod["metadata"]["name"], status)

    def _job_status(self, job: Body, status: Body) -> None:
        self._cluster.set_status(BATCH_JOBS, _namespace(job), job["metadata"]["name"], status)

    def _condition(self, kind: str, reason: str = "", message: str = "") -> Body:
        said = {"type": kind, "status": "True", "reason": reason, "message": message}
        return {"conditions": [{**said, "lastTransitionTime": self._stamp()}]}

    def _stamp(self) -> str:
        return self._cluster.clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _finished(job: Body) -> bool:
    conditions: list[Any] = job.get("status", {}).get("conditions") or []
    return any(one["type"] in ("Complete", "Failed") and one["status"] == "True" for one in conditions)


def _namespace(body: Body) -> str:
    return str(body["metadata"]["namespace"])
