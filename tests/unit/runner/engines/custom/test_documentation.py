"""What docs/custom.md shows can be run as it stands there."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import yaml

from evaluation_operator.runner.engines.custom.catalog import METRICS, TASKS
from evaluation_operator.runner.engines.custom.parsers import JsonParams, RegexParams
from evaluation_operator.runner.metrics.checks import NUMBER_OPERATORS, STRING_OPERATORS
from tests.unit.runner.engines.custom.support import CHAT, config, model, plan

TEXT = (Path(__file__).parents[5] / "docs" / "custom.md").read_text()


def shown(first: str) -> Any:
    """The block of the page that begins with this key."""
    found = re.search(rf"^    {first}:\n(?:    .*\n|\n)+", TEXT, re.MULTILINE)
    assert found is not None, first
    return yaml.safe_load(textwrap.dedent(found[0]))[first]


ROWS = [{"question": "q", "answer": "a"}]


def test_the_first_example() -> None:
    written = shown("config")
    task = written["tasks"]["qa"]
    del task["dataset"]
    task["params"]["rows"] = ROWS
    (found,) = plan(written, model())
    assert found.name == "qa"


def test_the_judge() -> None:
    params = {"template": CHAT, "rows": ROWS}
    (found,) = plan(config({"t": {"type": "chat-completion", "params": params, "metrics": shown("metrics")}}), model())
    assert len(found.endpoints) == 1


def test_everything_that_there_is_is_on_the_page() -> None:
    for word in (*METRICS, *TASKS, *NUMBER_OPERATORS, *STRING_OPERATORS):
        assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", TEXT), word
    for parser in (RegexParams, JsonParams):
        assert ", ".join(parser.model_fields).replace("type, ", "") in TEXT
