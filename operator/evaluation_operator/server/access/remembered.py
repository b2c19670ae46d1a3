"""Answers of the cluster that are remembered for a short time, in bounded memory and with bounded questions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from evaluation_operator.server.limits import Slots
from evaluation_operator.server.refusals import Refused

_REFUSAL_SECONDS = 2.0
_FOR_GOOD_REASON = (401, 403)

Answer = TypeVar("Answer")
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Remembered(Generic[Key, Answer]):
    """Asks at most once per key and time. Refusals (401, 403) are remembered for two seconds, trouble never is."""

    def __init__(
        self,
        what: str,
        *,
        size: int,
        max_concurrent: int,
        max_waiting: int,
        clock: Callable[[], float],
        count: Callable[[str], None],
    ) -> None:
        """`size` bounds the answers and, apart from them, the refusals. `count` is told the outcome of each question:
        "remembered", "proven" or "refused"."""
        self._size = size
        self._slots = Slots(max_concurrent, what, waiting=max_waiting)
        self._clock = clock
        self._count = count
        self._answers: OrderedDict[Key, tuple[float, Answer]] = OrderedDict()
        self._refused: OrderedDict[Key, tuple[float, int, str, str]] = OrderedDict()

    async def get(self, key: Key, ask: Callable[[], Awaitable[tuple[Answer, float]]]) -> Answer:
        """The answer to the question that `key` stands for; `ask` gives it with the seconds for which it holds.

        Raises what `ask` raises, and Refused (429) when too many questions wait.
        """
        known = self._known(key)
        if known is None:
            async with self._slots.enter():
                # Who waited may find that another asked the same.
                known = self._known(key)
                if known is None:
                    return await self._ask(key, ask)
        self._count("remembered")
        return known[1]

    def __len__(self) -> int:
        """Answers and refusals held."""
        return len(self._answers) + len(self._refused)

    async def _ask(self, key: Key, ask: Callable[[], Awaitable[tuple[Answer, float]]]) -> Answer:
        try:
            answer, seconds = await ask()
        except Refused as refusal:
            if refusal.status in _FOR_GOOD_REASON:
                self._count("refused")
                self._put(self._refused, key, (self._clock() + _REFUSAL_SECONDS, *refusal.words))
            raise
        self._count("proven")
        if seconds > 0:
            self._put(self._answers, key, (self._clock() + seconds, answer))
        return answer

    def _known(self, key: Key) -> tuple[float, Answer] | None:
        now = self._clock()
        refused = self._refused.get(key)
        if refused is not None:
            if now < refused[0]:
                raise Refused(*refused[1:])
            del self._refused[key]
        found = self._answers.get(key)
        if found is not None and now >= found[0]:
            del self._answers[key]
            return None
        return found

    def _put(self, memory: OrderedDict[Key, Value], key: Key, value: Value) -> None:
        memory[key] = value
        memory.move_to_end(key)
        while len(memory) > self._size:
            memory.popitem(last=False)
