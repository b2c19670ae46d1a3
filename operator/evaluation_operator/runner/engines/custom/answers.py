"""What is kept of one sample: the model's response and the judges' words, as JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..base import JSON, Answer, Response


@dataclass(frozen=True, slots=True)
class Output:
    """``response``: the whole body; None where no model was asked. ``judgements``: by metric, see ``judge.Judge``."""

    text: str = ""
    response: Mapping[str, Any] | None = None
    judgements: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, response: Response) -> Output:
        """Return what a target answered."""
        return cls(response.text, response.body)

    @classmethod
    def read(cls, answer: Answer) -> Output:
        """Return what ``kept`` wrote."""
        value: Any = answer.value
        return cls(value.get("output_text", ""), value.get("response"), value.get("judgements", {}))

    def kept(self) -> Answer:
        """Return it as JSON."""
        value: dict[str, JSON] = {}
        if self.response is not None:
            value = {"output_text": self.text, "response": dict(self.response)}
        if self.judgements:
            value["judgements"] = dict(self.judgements)
        return Answer(value)

    @property
    def sample(self) -> dict[str, Any] | None:
        """``sample`` as templates see it; None where no model was asked."""
        return None if self.response is None else {"output_text": self.text, "response": self.response}

    @property
    def tool_calls(self) -> object:
        """What stands at the place of the model's tool calls."""
        message = (self.response or {"choices": [{}]})["choices"][0].get("message")
        return message.get("tool_calls") if isinstance(message, dict) else None
