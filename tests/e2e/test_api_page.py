"""The two Python samples and the two curl commands of the API page, run as they stand in `examples/rest-api/`.

Placeholders are filled with names that exist, the namespaces with the test's own; the answers are those of the page.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.world import SLOWNESS, TERMINAL, World
from tests.support.kubectl import Kubectl, eventually
from tests.support.port_forward import port_forward
from tests.support.sdk import VERSIONS, environment
from tools.install import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SAMPLES = ROOT / "examples" / "rest-api"
V2_ANSWER: dict[str, Any] = {
    "spec": {
        "config": {"type": "bfclv3", "params": {"limit_samples": 10}, "tasks": {"task1": {"type": "simple"}}},
        "target": {
            "type": "model",
            "model": {
                "api_endpoint": {
                    "url": "http://nemo-nim-proxy:8000/v1/chat/completions",
                    "model_id": "meta/llama-3.1-8b-instruct",
                    "format": "nim",
                }
            },
        },
    },
    "status": "created",
    "status_details": {},
    "error_details": None,
    "ownership": None,
    "custom_fields": None,
}
"""As the page shows it, but for identifier, times and the address of the endpoint."""
V2_KEYS = {"id", "created_at", "updated_at", *V2_ANSWER, "name", "namespace", "description", "project"}
"""Those of the page, and the rest of what the SDK's type has (its `name` is required)."""
V1_ANSWER: dict[str, Any] = {
    "description": None,
    "result": None,
    "output_files_url": None,
    "status_details": {"message": None, "task_status": {}, "progress": None},
    "status": "created",
    "project": None,
    "custom_fields": {},
    "ownership": None,
}
"""As the page shows it, but for identifier, times, namespace and the «details» of target and config."""
V1_KEYS = {"id", "created_at", "updated_at", "namespace", "target", "config", *V1_ANSWER}


@pytest.fixture
def url(world: World) -> Iterator[str]:
    with port_forward(world.system, "service/evaluation-api", 7331) as found:
        yield found


@pytest.fixture
def stored(world: World, url: str) -> dict[str, str]:
    """A stored target and config, and what each placeholder stands for."""
    with httpx.Client(base_url=url) as client:
        target = {
            "type": "model",
            "name": "my-target",
            "namespace": world.namespace,
            "model": {"api_endpoint": {"url": world.endpoint(), "model_id": "demo"}},
        }
        client.post("/v1/evaluation/targets", json=target).raise_for_status()
        config = {
            "type": "bfclv3",
            "name": "my-config",
            "namespace": world.namespace,
            "params": {"limit_samples": 2},
            "tasks": {"task1": {"type": "simple"}},
        }
        client.post("/v1/evaluation/configs", json=config).raise_for_status()
    return {
        "<my-target-name>": "my-target",
        "<my-config-name>": "my-config",
        "<my-target-namespace>": world.namespace,
        "<my-config-namespace>": world.namespace,
        "<my-target-type>": "model",
        "<my-config-type>": "bfclv3",
        "my-organization": world.namespace,
    }


def filled(sample: str, values: dict[str, str], folder: Path) -> Path:
    """Return a copy of the sample with its placeholders filled."""
    text = (SAMPLES / sample).read_text()
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    assert not re.search(r"<my-", text)
    copy = folder / sample
    copy.write_text(text)
    return copy


def run(words: list[str], url: str) -> str:
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "EVALUATOR_BASE_URL": url}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_order(answer: dict[str, Any]) -> bool:
    made, changed = (datetime.fromisoformat(answer[key]) for key in ("created_at", "updated_at"))
    return made.tzinfo is None and made <= changed


@pytest.mark.parametrize("sample", ["create_v2.py", "create_v1.py"])
def test_the_python_samples(world: World, url: str, stored: dict[str, str], tmp_path: Path, sample: str) -> None:
    python = environment(VERSIONS[-1])
    printed = run([str(python), str(filled(sample, stored, tmp_path))], url)
    found = re.fullmatch(r"Job ID: (\S+)\nJob status: created\n", printed)
    assert found, printed
    with httpx.Client(base_url=url) as client:
        path = f"/v2/evaluation/jobs/{found[1]}"

        def look() -> dict[str, Any]:
            job: dict[str, Any] = client.get(path).raise_for_status().json()
            return job

        job = eventually(look, lambda job: job["status"] in TERMINAL, 120 * SLOWNESS, "the job's end")
        old = client.get(f"/v1/evaluation/jobs/{found[1]}").raise_for_status().json()
        listed = Kubectl(world.kubectl.config).find("evaljob", "--all-namespaces")
        client.delete(path).raise_for_status()
    assert job["status"] == "completed", job
    assert job["spec"] == {"target": f"{world.namespace}/my-target", "config": f"{world.namespace}/my-config"}
    assert job["namespace"] == (world.namespace if sample == "create_v1.py" else "default")
    assert (set(job), set(old)) == (V2_KEYS, V1_KEYS)
    assert (old["target"]["name"], old["config"]["name"]) == ("my-target", "my-config")
    assert found[1] == (old if sample == "create_v1.py" else job)["id"]
    assert job["id"] in {each.get("status", {}).get("job_id") for each in listed}


def test_the_v2_curl_command(world: World, url: str, tmp_path: Path) -> None:
    """Its target has a payload, so the names beside it may be anything, and its answer is the page's."""
    values = {
        "<my-target-name>": "a",
        "<my-target-namespace>": "b",
        "<my-config-name>": "c",
        "<my-config-namespace>": "d",
    }
    answer = json.loads(run(["sh", str(filled("create_v2.sh", values, tmp_path))], url))
    with httpx.Client(base_url=url) as client:
        client.delete(f"/v2/evaluation/jobs/{answer['id']}").raise_for_status()
    assert re.fullmatch(r"job-[a-z0-9]{22}", answer["id"])
    assert in_order(answer)
    assert {key: answer[key] for key in V2_ANSWER} == V2_ANSWER
    assert answer.keys() == V2_KEYS


def test_the_v1_curl_command(world: World, url: str, stored: dict[str, str], tmp_path: Path) -> None:
    answer = json.loads(run(["sh", str(filled("create_v1.sh", stored, tmp_path))], url))
    assert answer["id"].startswith("eval-")
    assert answer["namespace"] == world.namespace
    assert in_order(answer)
    assert {key: answer[key] for key in V1_ANSWER} == V1_ANSWER
    assert answer["target"]["model"]["api_endpoint"]["model_id"] == "demo"
    assert answer["config"]["params"]["limit_samples"] == 2
    assert answer.keys() == V1_KEYS
