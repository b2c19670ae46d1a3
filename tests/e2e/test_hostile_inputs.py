"""Templates, files and patterns that would take a pod over, or for ever: an error with a reason, no score, in time."""

import base64
from datetime import datetime
from typing import Any

import pytest

from tests.e2e.world import SLOWNESS, World
from tests.support.kubectl import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BOUND = 60
"""Seconds for a pod. A template has 10 s, and is tried twice."""
CPU = {"resources": {"requests": {"cpu": "50m"}}}
"""All of them beside each other, on a small node, too."""
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
ESCAPE = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
GROWING = "{{ 'x' * 10 ** 10 }}"
EXPLODING = "((a|a)*)[bc]"
FILES = {
    "cut.jsonl": b'{"a": "1"}\n{"a": "2"}\n{"a": \n',
    "ragged.csv": b"a,b\n1,2\n3,4,5\n",
    "latin.jsonl": b'{"a": "1"}\n{"a": "caf\xe9"}\n',
}
TEMPLATE = "config.tasks.rows.metrics.m.params.check[0]: the template cannot be used on row-0: "
PATTERN = "config.tasks.rows.metrics.m.params.scores.grade.parser.pattern: "
SAID = {
    "endless": f"{TEMPLATE}evaluating the template takes more than 10 s",
    "escape": f"{TEMPLATE}it asks for what templates may not do: access to attribute '__class__'",
    "growing": f"{TEMPLATE}evaluating the template ends with MemoryError",
    "exploding": f"{PATTERN}the pattern takes more than a second on the judge's answer to row-0",
    "cut": "/data/cut.jsonl, line 3: not JSON",
    "ragged": "/data/ragged.csv, line 3: the line has 3 values and the header 2",
    "latin": "/data/latin.jsonl, line 2: this is not UTF-8",
}
"""What the message of each job must name."""


def check(left: str) -> dict[str, Any]:
    return {"type": "string-check", "params": {"check": [left, "not equals", "x"]}}


def judge(url: str) -> dict[str, Any]:
    """A judge that repeats letters, and a pattern which tries every way of dividing them."""
    return {
        "type": "llm-judge",
        "params": {
            "model": {"api_endpoint": {"url": url, "model_id": "judge"}},
            "template": {"messages": [{"role": "user", "content": "Repeat: " + "a" * 200 + "!"}]},
            "scores": {"grade": {"type": "int", "parser": {"type": "regex", "pattern": EXPLODING}}},
        },
    }


def apply(world: World, name: str, metric: dict[str, Any], target: dict[str, Any], **run: Any) -> None:
    tasks = {"rows": {"type": "data", "metrics": {"m": metric}}}
    world.apply(name, "", type_="custom", target=target, tasks=tasks, run={**CPU, **run})


def seconds(pod: dict[str, Any]) -> float:
    """How long the container of a pod that ended had run."""
    (container,) = pod["status"]["containerStatuses"]
    ended = container["state"]["terminated"]
    assert ended["reason"] == "Error", ended
    began, finished = (datetime.fromisoformat(ended[key]) for key in ("startedAt", "finishedAt"))
    return (finished - began).total_seconds()


def test_hostile_inputs_end_in_an_error(world: World) -> None:
    rows = {"type": "rows", "rows": [{"a": "1"}]}
    for name, template in (("endless", ENDLESS), ("escape", ESCAPE), ("growing", GROWING)):
        apply(world, name, check(template), rows)
    world.kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "files"},
            "binaryData": {name: base64.b64encode(content).decode() for name, content in FILES.items()},
        }
    )
    volume = {"name": "files", "mountPath": "/data", "configMap": {"name": "files"}}
    for file in FILES:
        dataset = {"type": "dataset", "dataset": {"files_url": f"/data/{file}"}}
        apply(world, file.partition(".")[0], check("{{ item.a }}"), dataset, volumes=[volume])
    apply(world, "exploding", judge(world.shared_endpoint), rows)
    for name, said in SAID.items():
        status = world.fails(name, "InvalidSpec", within=BOUND + 60)
        assert said in status["error_details"]["message"], (name, status["error_details"])
    pods = eventually(
        world.runner_pods,
        lambda pods: all(pod["status"]["phase"] == "Failed" for pod in pods),
        30 * SLOWNESS,
        "every pod has ended",
    )
    assert len(pods) == len(SAID)
    assert max(map(seconds, pods)) < BOUND * SLOWNESS
