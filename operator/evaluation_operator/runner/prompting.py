"""What a job says of every request to a model, and of its answers: sampling, system prompt, reasoning. Pure.

One place for all engines: an engine says what its sample needs, and whatever it leaves open is filled in here; it gets
answers without reasoning text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from evaluation_operator.resources.config import Params
from evaluation_operator.resources.endpoint import APIEndpoint, Prompt, ReasoningParams

from .engines.base import EndpointKind, InvalidSpec

SAMPLING: Final = ("temperature", "top_p", "max_tokens", "stop", "top_k")
OPENAI_REASONING: Final = {"max_tokens": "max_completion_tokens"}
"""OpenAI's reasoning models refuse the older name, which nearly all other servers know alone."""
REASONING_FIELDS: Final = ("reasoning_content", "reasoning")
"""Where servers put reasoning text that they separated themselves."""


def sampling(params: Params | None, prompt: Prompt | None) -> dict[str, Any]:
    """Return the sampling parameters that a job gives for its target, by the names of the API's requests.

    The prompt's ``inference_params`` go before the config's ``params``; there ``top_k`` is in ``extra``.
    """
    top_k = (params.extra or {}).get("top_k") if params else None
    if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, int)):
        raise InvalidSpec(f"config.params.extra.top_k must be a whole number, not {top_k!r}")
    found: dict[str, Any] = {} if top_k is None else {"top_k": top_k}
    for source in (params, prompt.inference_params if prompt else None):
        for name in SAMPLING:
            value = getattr(source, name, None)
            if value is not None:
                found[name] = value
    return found


@dataclass(frozen=True, slots=True)
class Prompting:
    """What is added to each request of one channel, and taken from each answer.

    ``fields``: filled in where a request says nothing else. ``renamed``: keys that the endpoint knows by another name.
    ``system``: begins the system message. ``end_token``: ends the reasoning in a text; None leaves texts as they are.
    ``keep_unfinished``: a text without it stays as it is instead of becoming empty.
    """

    fields: Mapping[str, Any]
    renamed: Mapping[str, str] = field(default_factory=dict)
    system: str | None = None
    end_token: str | None = None
    keep_unfinished: bool = True

    @classmethod
    def of(
        cls, endpoint: APIEndpoint, prompt: Prompt | None, given: Mapping[str, Any], kind: EndpointKind
    ) -> Prompting:
        """Return what a `prompt` and the sampling parameters mean for a model. Raises ``InvalidSpec``."""
        model_id = endpoint.model_id
        fields: dict[str, Any] = {"model": model_id}
        if kind is not EndpointKind.EMBEDDINGS:
            fields |= given
        if prompt is None:
            return cls(fields)
        for name in ("system_prompt_template", "icl_few_shot_examples"):
            if getattr(prompt, name):
                raise InvalidSpec(
                    f"prompt.{name} of model {model_id}: this runner does not apply it; write the whole text into "
                    "prompt.system_prompt"
                )
        reasoning = prompt.reasoning_params or ReasoningParams()
        for name, value in (("system_prompt", prompt.system_prompt), ("reasoning_params.effort", reasoning.effort)):
            if value and kind is not EndpointKind.CHAT:
                raise InvalidSpec(
                    f"prompt.{name} of model {model_id}: only a chat endpoint (a URL that ends in /chat/completions) "
                    "takes it"
                )
        if reasoning.effort:
            fields["reasoning_effort"] = reasoning.effort
        return cls(
            fields,
            OPENAI_REASONING if endpoint.format == "openai" and reasoning.effort else {},
            prompt.system_prompt or None,
            reasoning.end_token or None,
            reasoning.include_if_not_finished is not False,
        )

    def request(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the whole body of a request. What ``body`` says goes before what the job says."""
        whole = {**self.fields, **body}
        for name, theirs in self.renamed.items():
            if name in whole:
                whole[theirs] = whole.pop(name)
        if self.system is not None and "messages" in whole:
            whole["messages"] = _with_system(whole["messages"], self.system)
        return whole

    def separate(self, body: dict[str, Any]) -> str:
        """Take the reasoning out of a checked chat or completions body, in place, and return that of its first choice.

        A server that separated it itself (``reasoning_content``) has its answer text left alone.
        """
        reasoning = ""
        for number, choice in enumerate(body.get("choices") or ()):
            if isinstance(choice, dict):
                found = self._separate_choice(choice)
                reasoning = found if number == 0 else reasoning
        return reasoning

    def _separate_choice(self, choice: dict[str, Any]) -> str:
        message = choice.get("message")
        holder, key = (message, "content") if isinstance(message, dict) else (choice, "text")
        apart = [value for name in REASONING_FIELDS if isinstance(value := holder.pop(name, None), str)]
        text = holder.get(key)
        if self.end_token is None or not isinstance(text, str) or any(part.strip() for part in apart):
            return "".join(apart[:1])
        before, token, after = text.rpartition(self.end_token)
        if token:
            holder[key] = after.strip("\n")
            return before
        if self.keep_unfinished:
            return ""
        holder[key] = ""
        return text


def _with_system(messages: Any, system: str) -> Any:
    """Put the text before all messages; many chat templates take one system message only, so it joins a given one."""
    if not isinstance(messages, list):
        return messages
    first = messages[0] if messages else None
    if isinstance(first, dict) and first.get("role") == "system" and isinstance(first.get("content"), str):
        return [{**first, "content": f"{system}\n\n{first['content']}"}, *messages[1:]]
    return [{"role": "system", "content": system}, *messages]
