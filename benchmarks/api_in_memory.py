"""evaluation-api as a process with its own server, before a cluster in memory: for measurements of its data path alone.

Run by `serving`; says its port and the job that it serves as one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.resources.identity import job_id
from evaluation_operator.server.app import Dependencies, create_app
from evaluation_operator.server.http_protocol import BoundedHttpProtocol
from evaluation_operator.server.settings import Settings
from evaluation_operator.server.store import ArtifactStore
from tests.unit.server.world import NAME, NAMESPACE, start_run

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Served:
    """What a client needs: the base URL, the path of the runner's requests, its token, and the job's identifiers."""

    url: str
    runner: str
    token: str
    job_id: str
    job_uid: str


@contextmanager
def serving(store: Path, log_lines: int) -> Iterator[Served]:
    """A process on a free port of loopback, with a running job whose pod has written so many lines."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.api_in_memory", str(store), str(log_lines)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'operator'}:{ROOT}"},
    )
    assert process.stdout is not None
    try:
        yield Served(**json.loads(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait()


def line(number: int) -> bytes:
    """A line as a runner writes it."""
    said = {
        "time": datetime.fromtimestamp(1_900_000_000 + number / 10, UTC).isoformat(timespec="milliseconds"),
        "level": "info",
        "logger": "evaluation_operator.runner.pod",
        "message": f"generating: {number / 100:.1f} %, {number} of 10000 samples answered, 0 failed",
        "stage": "generating",
        "progress": number / 100,
        "tasks": {"task1": "running"},
    }
    return json.dumps(said).encode()


async def _serve(store: str, log_lines: int) -> None:
    cluster = MemoryCluster()
    # Identity is asked for once: the data path is what is measured, not TokenReviews.
    settings = Settings.model_validate(
        {
            "identity": {"cacheSeconds": 600},
            "reports": {"jobRate": 1000, "jobBurst": 1000},
            # A disk that others keep busy shall show as a slow figure, not break the measurement off.
            "store": {"idleSeconds": 300},
        }
    )
    run = await start_run(cluster)
    pod = run.pod["metadata"]["name"]
    for number in range(log_lines):
        moment = datetime.fromtimestamp(1_900_000_000 + number / 10 + 0.001, UTC)
        cluster.pod_logs.write(NAMESPACE, pod, line(number), moment)
    app = create_app(Dependencies(settings, cluster, ArtifactStore.open(f"file://{store}"), wall_clock=lambda: 1.8e9))
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http=BoundedHttpProtocol, ws="none", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    serving_task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    told: dict[str, Any] = {
        "url": f"http://127.0.0.1:{port}",
        "runner": f"/internal/v1/namespaces/{NAMESPACE}/evaluationjobs/{NAME}",
        "token": run.token,
        "job_id": job_id(run.uid),
        "job_uid": run.uid,
    }
    print(json.dumps(told), flush=True)
    await serving_task


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(sys.argv[1], int(sys.argv[2])))
