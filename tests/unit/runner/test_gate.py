"""The gate: whatever the counts are, a score is published only when they add up."""

from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.runner.gate import TaskCount, allowed_errors, problems, task_problem

COUNT = st.integers(-2, 30)
COUNTS = st.builds(
    TaskCount,
    name=st.sampled_from(["a", "b"]),
    requested=COUNT,
    answered=COUNT,
    errors=COUNT,
    scored=COUNT,
    stray=st.integers(0, 2),
    numberless=st.sampled_from([(), ("judge/quality",)]),
)
SHARE = st.floats(0, 1, exclude_max=True)


def whole(requested: int, errors: int = 0) -> TaskCount:
    answered = requested - errors
    return TaskCount("task1", requested, answered, errors, scored=answered)


@given(st.lists(COUNTS, max_size=4), st.booleans(), SHARE)
def test_a_published_score_rests_on_every_sample(tasks: list[TaskCount], preflight: bool, share: float) -> None:
    if problems(tasks, preflight_passed=preflight, share=share):
        return
    assert preflight
    assert tasks
    for task in tasks:
        assert task.requested > 0
        assert task.answered > 0
        assert task.answered + task.errors == task.requested
        assert task.scored == task.answered
        assert task.stray == 0
        assert not task.numberless
        assert task.errors <= task.requested * share + 1e-6


@given(COUNTS)
def test_without_an_allowed_share_not_one_error_passes(task: TaskCount) -> None:
    if task_problem(task, 0.0) is None:
        assert (task.answered, task.scored, task.errors) == (task.requested, task.requested, 0)


@given(st.integers(1, 10_000), SHARE)
def test_never_all_samples_may_fail(requested: int, share: float) -> None:
    assert 0 <= allowed_errors(requested, share) < requested


@given(st.integers(1, 1000))
def test_whole_counts_pass(requested: int) -> None:
    assert problems([whole(requested)], preflight_passed=True, share=0.0) == []


def test_decimal_shares_are_exact() -> None:
    assert allowed_errors(100, 0.29) == 29
    assert allowed_errors(100, 0.07) == 7
    assert allowed_errors(1000, 0.001) == 1


def test_the_messages_say_what_is_wrong() -> None:
    assert problems([], preflight_passed=True, share=0) == ["the job has no tasks"]
    assert "preflight" in problems([whole(1)], preflight_passed=False, share=0)[0]
    failing = TaskCount("task1", 240, 0, 240, 0, first_error="sample irrelevance_0: connection refused")
    message = task_problem(failing, 0.0)
    assert message is not None
    assert "240 of 240" in message
    assert "irrelevance_0: connection refused" in message
    assert "allowed_error_share" in message
    assert "2 scores" in str(task_problem(TaskCount("task1", 3, 3, 0, 3, stray=2), 0.0))
    assert "2 of them were scored" in str(task_problem(TaskCount("task1", 3, 3, 0, 2), 0.0))
    assert "no samples" in str(task_problem(TaskCount("task1", 0, 0, 0, 0), 0.0))
