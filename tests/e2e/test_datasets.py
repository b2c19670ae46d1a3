"""Rows in a bucket and on a hub, read by a job's pod with credentials from a Secret."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.world import World
from tests.support import hub
from tests.support.s3 import ACCESS, REGION, SECRET, available
from tools.install import tool

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROWS = [
    {"question": "capital of France", "given": "Paris", "right": "Paris"},
    {"question": "capital of Italy", "given": "Rome", "right": "Rome"},
    {"question": "capital of Spain", "given": "Lisbon", "right": "Madrid"},
    {"question": "capital of Japan", "given": "Tokyo", "right": "Tokyo"},
]
SCORE = 0.75
"""Three of the four are what they should be."""
FILE = "".join(json.dumps(row) + "\n" for row in ROWS)
WRONG = "wrong-credential-value"
TOKEN = "hf_right-token-value"

BUCKET = "sets"
#: The program is as large as a whole image: it is sent into the pod, which waits for it.
WHEN_SENT = """
import os, sys, time
while not os.path.exists("/tmp/s3"):
    time.sleep(0.1)
os.execv("/tmp/s3/versitygw", ["versitygw", *sys.argv[1:]])
"""
RECEIVE = """
import os, sys, tarfile
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as sent:
    sent.extractall("/tmp/coming")
os.rename("/tmp/coming", "/tmp/s3")
"""


def bucket(world: World) -> str:
    """Serve versitygw with the rows in a bucket; returns its URL."""
    words = ["--port", "0.0.0.0:8000", "--region", REGION, "--health", "/health", "--quiet", "posix", "/tmp/s3/root"]
    environment = {"ROOT_ACCESS_KEY_ID": ACCESS, "ROOT_SECRET_ACCESS_KEY": SECRET}
    url = world.serve(
        "s3",
        command=["python3", "-c", WHEN_SENT, *words],
        env=[{"name": name, "value": value} for name, value in environment.items()],
    )
    sent = io.BytesIO()
    with tarfile.open(fileobj=sent, mode="w") as tar:
        tar.add(Path(tool("versitygw")).resolve(), "versitygw")
        rows = tarfile.TarInfo(f"root/{BUCKET}/rows.jsonl")
        rows.size = len(FILE)
        tar.addfile(rows, io.BytesIO(FILE.encode()))
    world.kubectl("wait", "--for=jsonpath={.status.phase}=Running", "pod/s3", "--timeout=60s", timeout=90)
    world.kubectl("exec", "-i", "s3", "--", "python3", "-c", RECEIVE, stdin=sent.getvalue())
    world.ready("s3")
    return url


def hugging_face(world: World) -> str:
    """Serve a hub that has the rows in a private dataset; returns its URL."""
    data = {"hub.py": Path(hub.__file__).read_text(), "rows.jsonl": FILE}
    world.kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hub"}, "data": data})
    url = world.serve(
        "hub",
        command=["python3", "/given/hub.py", "/given", "8000"],
        env=[{"name": "HUB_TOKEN", "value": TOKEN}],
        given={"configMap": {"name": "hub"}},
    )
    world.ready("hub")
    return url


def secret(world: World, name: str, **values: str) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}
    world.kubectl.apply(body)


def evaluate(world: World, name: str, dataset: dict[str, Any], **more: Any) -> None:
    """Apply a job that compares two columns of the dataset."""
    check = {"type": "string-check", "params": {"check": ["{{ item.given }}", "equals", "{{ item.right }}"]}}
    world.apply(
        name,
        "",
        type_="custom",
        target={"type": "dataset", "dataset": dataset},
        tasks={"rows": {"type": "data", "metrics": {"right": check}}},
        **more,
    )


def completes(world: World, name: str) -> None:
    status = world.ended(name)
    assert status["phase"] == "completed", status
    score = status["results"]["tasks"]["rows"]["metrics"]["right"]["scores"]["string-check"]
    assert (score["value"], score["stats"]["count"]) == (SCORE, len(ROWS))


def is_refused(world: World, name: str, said: str) -> None:
    status = world.fails(name, "InvalidSpec")
    assert said in status["error_details"]["message"]
    assert WRONG not in world.everything() + world.logs()


@pytest.mark.skipif(not available(), reason="no S3 server: python3 -m devcluster tools versitygw")
def test_rows_in_a_bucket(world: World) -> None:
    url = bucket(world)
    for name, key in (("right", SECRET), ("wrong", WRONG)):
        given = {
            "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": key,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": url,
        }
        secret(world, name, **given)
        env = [{"name": each, "secret": {"name": name, "key": each}} for each in given]
        evaluate(world, name, {"files_url": f"s3://{BUCKET}/rows.jsonl"}, run={"env": env})
    completes(world, "right")
    is_refused(world, "wrong", "s3://sets/rows.jsonl: the bucket refuses access; give AWS_ACCESS_KEY_ID")


def test_rows_on_a_hub(world: World) -> None:
    url = hugging_face(world)
    dataset = {"files_url": f"hf://datasets/{hub.REPOSITORY}/rows.jsonl", "hf_endpoint": url}
    for name, token in (("right", TOKEN), ("wrong", WRONG)):
        secret(world, name, token=token)
        extra = {"hf_token_secret": {"name": name, "key": "token"}}
        evaluate(world, name, dataset, params={"extra": extra})
    completes(world, "right")
    is_refused(world, "wrong", f"at {url}: the hub refuses access (401); the token was sent")
