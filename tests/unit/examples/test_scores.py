"""Examples whose expected scores are written out give them without a cluster, too, against the demo endpoint."""

from collections.abc import AsyncIterator
from functools import reduce
from pathlib import Path

import pytest
import yaml
from aiohttp.test_utils import TestServer

from demo_endpoint.app import DemoEndpoint
from demo_endpoint.settings import Settings
from evaluation_operator.cli.manifests import pin, read
from evaluation_operator.runner.engines import registry
from evaluation_operator.runner.execution import Run, execute
from evaluation_operator.runner.progress import Progress
from evaluation_operator.runner.secrets import Secrets
from tests.support.examples import Example, examples, score_problem

SCORED = [example for example in examples() if example.scenario.expect.scores is not None]
IN_CLUSTER = [f"http://demo-endpoint.evaluation-operator.svc:{port}" for port in (8000, 8001)]
"""Open to all, and with a key."""


@pytest.fixture
async def base() -> AsyncIterator[str]:
    async with TestServer(DemoEndpoint(Settings(), []).app()) as server:
        yield str(server.make_url("")).rstrip("/")


def localized(example: Example, base: str, folder: Path) -> list[str]:
    """Copies of the applied files with the endpoint and the volumes of this machine; ConfigMaps become folders."""
    volumes: dict[str, str] = {}
    texts = [(example.folder / name).read_text() for name in example.scenario.apply]
    bodies = [body for text in texts for body in yaml.safe_load_all(text)]
    data = {body["metadata"]["name"]: body["data"] for body in bodies if body["kind"] == "ConfigMap"}
    for body in bodies:
        for volume in body.get("spec", {}).get("run", {}).get("volumes", []):
            directory = folder / volume["name"]
            directory.mkdir()
            volumes[f"files_url: {volume['mountPath']}"] = f"files_url: {directory}"
            for name, content in data[volume["configMap"]["name"]].items():
                (directory / name).write_text(content)
    replacements = {**dict.fromkeys(IN_CLUSTER, base), **volumes}
    copies: list[Path] = []
    for number, text in enumerate(texts):
        copies.append(folder / f"{number}.yaml")
        copies[-1].write_text(reduce(lambda so_far, pair: so_far.replace(*pair), replacements.items(), text))
    return [str(path) for path in copies]


@pytest.mark.parametrize("example", SCORED, ids=lambda example: example.name)
async def test_the_scores_are_those_of_expect_yaml(
    example: Example, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = example.folder / "engine"
    if engine.is_dir():
        (line,) = [line for line in (engine / "Containerfile").read_text().splitlines() if line.startswith("ENV ")]
        monkeypatch.setenv(registry.VARIABLE, line.partition("=")[2].strip('"'))
        monkeypatch.syspath_prepend(engine)
    pinned, values = pin(read(localized(example, base, tmp_path)), environment={})
    result = await execute(pinned, Run(Secrets(values=values), tmp_path / "output", Progress()))
    wanted = example.scenario.expect.scores
    assert wanted is not None
    assert score_problem(result.to_json(), wanted) is None
