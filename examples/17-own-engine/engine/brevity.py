"""An engine of one file: does the model answer within a number of words?"""

from collections.abc import Iterable, Sequence

from evaluation_operator.runner.engines.base import (
    Answer,
    Answered,
    Endpoints,
    Engine,
    InvalidSpec,
    JobContext,
    Sample,
    SampleScore,
    TaskPlan,
    TaskScore,
    UnsupportedTask,
)


class BrevityEngine(Engine):
    """Config type ``brevity``, task type ``ask``. Task params: ``prompts`` (texts) and ``most_words``."""

    name = "brevity"
    version = "1"

    def plan(self, job: JobContext) -> Sequence[TaskPlan]:
        limit = job.config.params.limit_samples if job.config.params else None
        plans = []
        for name, task in (job.config.tasks or {}).items():
            if task.type != "ask":
                raise UnsupportedTask(f"config.tasks.{name}: brevity has the task type ask, not {task.type}")
            prompts, most = (task.params or {}).get("prompts"), (task.params or {}).get("most_words")
            if not isinstance(prompts, list) or not all(isinstance(prompt, str) for prompt in prompts):
                raise InvalidSpec(f"config.tasks.{name}.params.prompts: must be a list of texts")
            if not isinstance(most, int):
                raise InvalidSpec(f"config.tasks.{name}.params.most_words: must be a whole number")
            samples = [Sample(f"prompt-{index}", prompt, prompt) for index, prompt in enumerate(prompts[:limit])]
            plans.append(TaskPlan(name, task.type, samples, payload=most))
        return plans

    async def answer(self, task: TaskPlan, sample: Sample, endpoints: Endpoints) -> Answer:
        response = await endpoints.target.call({"messages": [{"role": "user", "content": sample.payload}]})
        return Answer(response.text)

    def score(self, task: TaskPlan, answered: Iterable[Answered]) -> TaskScore:
        scores = []
        for item in answered:
            words = len(str(item.answer.value).split())
            brief = {"within_limit": float(words <= task.payload), "words": float(words)}
            scores.append(SampleScore(item.sample.id, {"brevity": brief}))
        return TaskScore(scores)
