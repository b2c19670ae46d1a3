from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from evaluation_operator.runner.engines.bfcl.conversation import Simulation
from evaluation_operator.runner.engines.bfcl.dataset import questions
from evaluation_operator.runner.engines.bfcl.isolation import evaluator
from evaluation_operator.runner.isolation import owner
from evaluation_operator.runner.isolation.owner import LostRun, Unevaluable, Worker

(SIMPLE,) = questions("simple", 1)
(MULTI_TURN,) = questions("multi_turn_base", 1)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = evaluator(limit=2.0)
    yield worker
    worker.close()


def verdict(worker: Worker, text: str) -> Any:
    return worker.request("verdict", question=asdict(SIMPLE), result=text, native=False)


def test_an_answer_is_judged(worker: Worker) -> None:
    right = verdict(worker, "[calculate_triangle_area(base=10, height=5)]")
    assert right == {"valid": True, "error_type": None, "error": None}
    assert verdict(worker, "nothing")["error_type"] == "ast_decoder:decoder_failed"


def test_an_answer_that_never_ends_is_ended_and_the_next_one_judged() -> None:
    worker = evaluator(limit=0.5)
    with pytest.raises(Unevaluable, match=r"takes more than 0\.5 s"):
        verdict(worker, "[f(x=9**9**9 + 1)]")
    assert verdict(worker, "[calculate_triangle_area(base=10, height=5)]")["valid"]
    worker.close()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[f(x=__import__('os')._exit(3) + 1)]", "ends the process"),
        ("[f(x=__import__('sys').exit() + 1)]", "SystemExit"),
    ],
)
def test_an_answer_that_ends_the_process_is_only_wrong_itself(worker: Worker, text: str, reason: str) -> None:
    with pytest.raises(Unevaluable, match=reason):
        verdict(worker, text)
    assert verdict(worker, "[calculate_triangle_area(base=10, height=5)]")["valid"]


def test_an_answer_that_takes_memory_without_bound_does_not_decode(worker: Worker) -> None:
    assert verdict(worker, "[f(x='a' * 10**11 + '')]")["error_type"] == "ast_decoder:decoder_failed"


#: An answer whose wrong value, an environment variable, is quoted in the checker's explanation.
QUOTING = '[calculate_triangle_area(base=__import__("os").environ["{}"] + "", height=5)]'


def test_the_process_knows_nothing_of_the_runners_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_THE_RUNNER", "hunter2")
    worker = evaluator()
    hidden, seen = (verdict(worker, QUOTING.format(name)) for name in ("TOKEN_OF_THE_RUNNER", "PATH"))
    worker.close()
    assert hidden["error_type"] == "ast_decoder:decoder_failed"
    assert os.environ["PATH"] in json.dumps(seen["error"])


def test_a_defect_of_ours_is_not_blamed_on_the_answer(worker: Worker) -> None:
    with pytest.raises(RuntimeError, match="evaluating the answer failed"):
        worker.request("verdict", question={"unknown": 1}, result=None, native=False)


def test_a_process_killed_from_outside_is_not_blamed_on_the_answer() -> None:
    worker = evaluator()
    verdict(worker, "nothing")
    assert worker._process is not None
    os.kill(worker._process.pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="killed from outside"):
        verdict(worker, "nothing")


def test_a_process_that_does_not_start_is_not_blamed_on_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner.sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="does not start"):
        verdict(evaluator(), "nothing")


def test_a_run_of_another_process_is_lost(worker: Worker) -> None:
    with pytest.raises(LostRun):
        worker.request("step", run="run_of_before", native=False, response="[ls()]")


async def test_a_run_goes_on_where_it_was_in_a_new_process(worker: Worker) -> None:
    entry = MULTI_TURN.entry()
    simulation = Simulation(worker, entry, native=False)
    assert await simulation.step("[cd(folder='document'), mkdir(dir_name='temp')]")
    worker.close()
    outcome = await simulation.step("[ls()]")
    await simulation.close()
    assert outcome is not None
    assert "temp" in outcome[1][0]


async def test_two_runs_of_the_same_sample_do_not_meet(worker: Worker) -> None:
    first = Simulation(worker, MULTI_TURN.entry(), native=False)
    second = Simulation(worker, MULTI_TURN.entry(), native=False)
    await first.step("[cd(folder='document')]")
    seen_first, seen_second = await first.step("[pwd()]"), await second.step("[pwd()]")
    await first.close()
    await second.close()
    assert seen_first is not None
    assert seen_second is not None
    assert "document" in seen_first[1][0]
    assert "document" not in seen_second[1][0]
