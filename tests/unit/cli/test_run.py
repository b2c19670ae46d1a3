"""The command line as a real process against a small endpoint."""

import asyncio
import contextlib
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from evaluation_operator.resources import outcomes
from tests.unit.runner.support import FaultyEndpoint, faulty_endpoint

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def endpoint() -> AsyncIterator[FaultyEndpoint]:
    async with faulty_endpoint() as found:
        yield found


class Shell:
    """A directory with job.yaml in which ``evaluation`` is run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        info = root / "site/toy_engine-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-engine\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            "[evaluation_operator.engines]\ntoy = tests.unit.runner.support:ToyEngine\n"
        )
        path = os.pathsep.join([str(ROOT / "operator"), str(ROOT), str(root / "site")])
        self.environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "COLUMNS": "120", "MY_KEY": "sk-from-env"}

    def write_job(self, url: str, samples: int = 20, **endpoint: Any) -> None:
        spec = {
            "target": {"type": "model", "model": {"api_endpoint": {"url": url, "model_id": "m"} | endpoint}},
            "config": {
                "type": "toy",
                "params": {"max_retries": 0, "parallelism": 4},
                "tasks": {"task1": {"type": "echo", "params": {"samples": samples}}},
            },
        }
        job = {
            "apiVersion": "evaluation-operator.dev/v1alpha1",
            "kind": "EvaluationJob",
            "metadata": {"name": "toy"},
            "spec": spec,
        }
        (self.root / "job.yaml").write_text(yaml.safe_dump(job))

    async def start(self, *arguments: str, **streams: Any) -> asyncio.subprocess.Process:
        pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "evaluation_operator.cli",
            *arguments,
            cwd=self.root,
            env=self.environment,
            **(pipes | streams),
        )

    async def run(self, *arguments: str) -> tuple[int | None, str, str]:
        process = await self.start(*arguments)
        out, err = await asyncio.wait_for(process.communicate(), 45)
        return process.returncode, out.decode(), err.decode()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


async def test_a_run_prints_the_scores(shell: Shell, endpoint: FaultyEndpoint) -> None:
    shell.write_job(endpoint.url)
    code, out, err = await shell.run("run", "job.yaml")
    assert code == 0
    assert out.splitlines()[0].split() == ["TASK", "METRIC", "SCORE", "VALUE", "±", "STDERR", "SAMPLES"]
    assert out.splitlines()[1].split() == ["task1", "exact", "match", "1.0000", "0.0000", "20"]
    assert "100.0 %  20/20 answered" in err
    [output] = shell.root.glob("evaluation-toy-*")
    assert output.name in err
    assert (output / "artifacts.tar.gz").exists()


async def test_json_limit_secret_and_endpoint(shell: Shell, endpoint: FaultyEndpoint) -> None:
    shell.write_job("http://in-the-cluster/v1/chat/completions", api_key_secret={"name": "keys", "key": "nim"})
    code, out, _ = await shell.run(
        "run", "job.yaml", "--json", "--limit", "3", "--secret", "keys/nim=MY_KEY", "--endpoint", endpoint.url,
        "--output", "out",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)["tasks"]["task1"]["metrics"]["exact"]["scores"]["match"]["stats"]["count"] == 3
    assert endpoint.headers[0]["Authorization"] == "Bearer sk-from-env"
    written = b"".join(path.read_bytes() for path in (shell.root / "out").rglob("*") if path.is_file())
    assert b"sk-from-env" not in written


async def test_ctrl_c_says_how_to_go_on_and_going_on_works(shell: Shell, endpoint: FaultyEndpoint) -> None:
    endpoint.delay = 0.02
    shell.write_job(endpoint.url, samples=100)
    process = await shell.start("run", "job.yaml", "--output", "out")
    while len(endpoint.echoes) < 20:
        assert process.returncode is None
        await asyncio.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = await asyncio.wait_for(process.communicate(), 15)
    assert process.returncode == outcomes.EXIT_INTERRUPTED
    assert "evaluation run job.yaml --output out" in err.decode()
    assert out == b""
    endpoint.delay = 0
    code, printed, error = await shell.run("run", "job.yaml", "--output", "out")
    assert code == 0
    assert " 100" in printed
    assert "answered by an earlier run" in error
    assert 100 <= len(endpoint.echoes) <= 104


@pytest.mark.parametrize(
    ("arguments", "code", "needle"),
    [
        (["run", "absent.yaml"], outcomes.EXIT_INVALID_SPEC, "cannot be read"),
        (["run", "job.yaml", "--limit", "many"], 2, "invalid int"),
        (["run"], 2, "FILE"),
        (["run", "job.yaml"], outcomes.EXIT_ENDPOINT_UNUSABLE, "EndpointUnusable"),
    ],
)
async def test_failures_have_an_exit_code_and_a_message(
    arguments: list[str], code: int, needle: str, shell: Shell
) -> None:
    shell.write_job("http://127.0.0.1:9/v1/chat/completions")
    found, out, err = await shell.run(*arguments)
    assert (found, out) == (code, "")
    assert needle in err
    assert "Traceback" not in err


async def test_no_score_is_printed_when_samples_fail(shell: Shell, endpoint: FaultyEndpoint) -> None:
    async def die(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.Response(status=500) if number > 1 else web.json_response({"choices": [{"message": {}}]})

    endpoint.fault = die
    shell.write_job(endpoint.url)
    code, out, err = await shell.run("run", "job.yaml")
    assert (code, out) == (outcomes.EXIT_RESULTS_INCOMPLETE, "")
    # One line each, however narrow the terminal that there is not, and it says which sample.
    [warning] = [line for line in err.splitlines() if line.startswith("warning: a sample failed")][:1]
    assert "500" in warning
    assert warning.endswith(" (sample echo_0)")


def read_to_end(terminal: int) -> str:
    """Read what is shown until the other side is closed, which a terminal tells by an error."""
    shown = b""
    with contextlib.suppress(OSError):
        while chunk := os.read(terminal, 65536):
            shown += chunk
    os.close(terminal)
    return shown.decode()


async def test_a_terminal_gets_bars(shell: Shell, endpoint: FaultyEndpoint) -> None:
    shell.write_job(endpoint.url)
    shell.environment["TERM"] = "xterm"
    ours, theirs = pty.openpty()
    process = await shell.start("run", "job.yaml", stderr=theirs)
    os.close(theirs)
    reading = asyncio.create_task(asyncio.to_thread(read_to_end, ours))
    out, _ = await asyncio.wait_for(process.communicate(), 45)
    shown = await reading
    assert process.returncode == 0
    assert b"1.0000" in out
    assert "20/20" in shown
    assert "\x1b[" in shown


async def test_types_and_help(shell: Shell) -> None:
    code, out, _ = await shell.run("types")
    assert code == 0
    assert {"bfclv3", "toy"} <= {line.split()[0] for line in out.splitlines()}
    code, out, _ = await shell.run("types", "--json")
    assert "bfclv3" in json.loads(out)
    code, out, _ = await shell.run("run", "--help")
    assert code == 0
    assert "exit codes:" in out
    assert "--output DIR" in out


async def test_no_cluster_library_is_imported() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys, evaluation_operator.cli.run, evaluation_operator.runner.pod;"
        "print([m for m in sys.modules if m.split('.')[0] in {'kubernetes', 'kopf', 'fastapi', 'bfcl'}])",
        env={"PYTHONPATH": str(ROOT / "operator"), "PATH": os.environ["PATH"]},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert out.strip() == b"[]"


async def test_a_dataset_lies_beside_the_file_of_the_job(shell: Shell) -> None:
    shell.environment["EVALUATION_ENGINES"] = "compare=tests.unit.runner.test_targets:Compare"
    job = {
        "apiVersion": "evaluation-operator.dev/v1alpha1",
        "kind": "EvaluationJob",
        "metadata": {"name": "compare"},
        "spec": {
            "target": {"type": "dataset", "dataset": {"files_url": "rows.csv"}},
            "config": {"type": "compare", "tasks": {"task1": {"type": "compare"}}},
        },
    }
    folder = shell.root / "folder"
    folder.mkdir()
    (folder / "job.yaml").write_text(yaml.safe_dump(job))
    (folder / "rows.csv").write_text("Expected,Output\na,a\nb,x\n")
    code, out, err = await shell.run("run", "folder/job.yaml", "--output", "out")
    assert code == 0, err
    assert out.splitlines()[1].split()[:4] == ["task1", "em", "em", "0.5000"]
    (folder / "rows.csv").write_text("Expected,Output\na,a\nb\n")
    code, _, err = await shell.run("run", "folder/job.yaml", "--output", "other")
    assert code == outcomes.EXIT_INVALID_SPEC
    assert "folder/rows.csv, line 3: the line has 1 values" in err
