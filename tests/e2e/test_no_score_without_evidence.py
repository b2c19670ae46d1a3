"""An endpoint that does not answer gives an error with a reason, and no score anywhere."""

import pytest

from tests.e2e.world import World

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

TASKS = {"calls": {"type": "simple"}, "none": {"type": "irrelevance"}}
QUICK = {"limit_samples": 40, "max_retries": 1, "request_timeout": 5, "parallelism": 4}


def test_nothing_listens(world: World) -> None:
    url = f"http://nobody.{world.namespace}.svc:8000/v1/chat/completions"
    world.apply("dead", url, tasks={"none": {"type": "irrelevance"}}, params=QUICK)
    world.fails("dead", "EndpointUnusable")


@pytest.mark.parametrize("fault", ["http-500", "malformed", "error-in-success", "cut", "hang"])
def test_every_answer_is_an_error(world: World, fault: str) -> None:
    world.apply("faulty", world.endpoint("--fault", fault), tasks=TASKS, params=QUICK)
    world.fails("faulty", "EndpointUnusable", "EndpointRefused")


def test_the_endpoint_dies_half_way(world: World) -> None:
    world.apply("halfway", world.endpoint("--die-after", "30"), tasks=TASKS, params=QUICK)
    world.fails("halfway", "ResultsIncomplete")


def test_some_answers_are_errors(world: World) -> None:
    url = world.endpoint("--fault", "http-500", "--fault-share", "0.2")
    world.apply("some", url, tasks={"none": {"type": "irrelevance"}}, params=QUICK)
    world.fails("some", "ResultsIncomplete", "EndpointUnusable")


def test_a_wrong_key_is_refused(world: World) -> None:
    world.apply("wrongkey", world.endpoint("--api-key", "right"), params=QUICK, endpoint={"api_key": "wrong-key-value"})
    world.fails("wrongkey", "EndpointRefused")
    assert "wrong-key-value" not in world.logs()


def judged(world: World, name: str, url: str, asked: str) -> None:
    """Apply a job of two rows whose only metric is a judge's grade."""
    judge = {
        "model": {"api_endpoint": {"url": url, "model_id": "judge"}},
        "template": {"messages": [{"role": "user", "content": asked}]},
        "scores": {"grade": {"type": "int", "parser": {"type": "regex", "pattern": "SCORE: (\\d)"}}},
    }
    task = {"type": "data", "metrics": {"graded": {"type": "llm-judge", "params": judge}}}
    world.kubectl.apply(
        {
            "apiVersion": "evaluation-operator.dev/v1alpha1",
            "kind": "EvaluationJob",
            "metadata": {"name": name},
            "spec": {
                "target": {"type": "rows", "rows": [{"answer": "Paris"}, {"answer": "Rome"}]},
                "config": {"type": "custom", "params": QUICK, "tasks": {"answers": task}},
            },
        }
    )


def test_a_judge_that_answers_nonsense(world: World) -> None:
    judged(world, "nonsense", world.endpoint(), "Repeat: I would rather not say what {{ answer }} is worth")
    world.fails("nonsense", "ResultsIncomplete")


def test_a_judge_that_is_dead(world: World) -> None:
    judged(world, "nobody", f"http://nobody.{world.namespace}.svc:8000/v1/chat/completions", "Grade {{ answer }}")
    world.fails("nobody", "EndpointUnusable")
