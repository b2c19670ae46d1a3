"""An inference endpoint and the model behind it, as the NeMo Evaluator API describes them."""

from typing import Annotated, Literal

from pydantic import Field

from .base import FreeForm, Model, TextOrObject

Text = Annotated[str, Field(max_length=1024)]
LongText = Annotated[str, Field(max_length=65536)]


class SecretKeyRef(Model):
    """One key of a Secret in the job's own namespace."""

    name: str = Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    """Name of the Secret, in the namespace of the EvaluationJob."""
    key: str = Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")
    """Key inside the Secret whose value is used."""


class APIEndpoint(Model):
    """Where and how to reach a model."""

    url: str = Field(min_length=8, max_length=2048, pattern=r"^https?://[^\s]+$")
    """Full URL of the inference call. It ends in `/chat/completions` for chat or in `/completions` for plain
    completion."""
    model_id: str = Field(min_length=1, max_length=512)
    """Name of the model as the endpoint knows it; sent as `model` in each request."""
    api_key: str | None = Field(default=None, max_length=8192)
    """Bearer key in plain text. Accepted because the v2 API documents it; prefer `api_key_secret`, which
    keeps it out of the object."""
    api_key_secret: SecretKeyRef | None = None
    """Secret key that holds the bearer key."""
    format: Literal["nim", "openai", "lama_stack"] = "nim"
    """Dialect of the endpoint. With `openai` and a reasoning effort, `max_tokens` is sent as `max_completion_tokens`;
    otherwise requests are the same. `lama_stack` is refused: such a server has an OpenAI dialect."""
    stream: bool | None = None
    """Ask for streamed answers (server-sent events). Scores are the same; the time to the first token is recorded."""


class InferenceParams(Model):
    """Sampling parameters of a prompt; they take precedence over the ones in the config."""

    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    """Largest number of tokens to generate."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """Sampling temperature."""
    top_k: int | None = Field(default=None, ge=-1, le=1_000_000)
    """Sample from the k likeliest tokens."""
    top_p: float | None = Field(default=None, ge=0, le=1)
    """Nucleus sampling mass, 0 to 1."""
    stop: list[Annotated[str, Field(max_length=256)]] | None = Field(default=None, max_length=16)
    """Sequences that end the generation."""
    max_retries: int | None = Field(default=None, ge=0, le=100)
    """Retries of a failed request."""
    request_timeout: int | None = Field(default=None, ge=1, le=86_400)
    """Limit on one request, in seconds."""


class ReasoningParams(Model):
    """How reasoning text is separated from the answer before scoring."""

    effort: str | None = Field(default=None, max_length=64)
    """Reasoning effort, sent as `reasoning_effort` to a chat endpoint."""
    end_token: str | None = Field(default=None, max_length=256)
    """Token that ends the reasoning; the answer is what follows its last occurrence, for example `</think>`."""
    include_if_not_finished: bool | None = None
    """Score the text as it is when the end token never came (default). With false it counts as an empty answer."""


class Prompt(Model):
    """Prompt settings that belong to the model."""

    system_prompt: LongText | None = None
    """Put before each conversation as a system message; begins the one that a conversation has already."""
    system_prompt_template: LongText | None = None
    """Not applied by this runner, which refuses it: write the whole text into `system_prompt`."""
    icl_few_shot_examples: LongText | None = None
    """Not applied by this runner, which refuses it: write examples into `system_prompt` or the task's template."""
    inference_params: InferenceParams | None = None
    """Sampling parameters of this prompt."""
    reasoning_params: ReasoningParams | None = None
    """Treatment of reasoning text."""


class ModelTarget(Model):
    """A model and how to reach it."""

    api_endpoint: APIEndpoint | None = None
    """Endpoint that serves the model."""
    prompt: Prompt | None = None
    """Prompt settings of the model."""
    base_model: TextOrObject | None = None
    """Model that this one was tuned from: its name, or its description. Informative."""
    spec: FreeForm | None = None
    """Facts about the model (context size, number of parameters, …). Informative."""
    artifact: FreeForm | None = None
    """Where the checkpoint is. Informative: what is evaluated is what `api_endpoint` serves."""
    peft: FreeForm | None = None
    """How the model was tuned. Informative."""
    guardrails: FreeForm | None = None
    """Guardrails of the model. Informative; they are not applied to the evaluation."""
    model_providers: list[Text] | None = Field(default=None, max_length=64)
    """Names of providers of the model. Informative."""
    entity: FreeForm | None = None
    """Name, description and such that the REST API keeps with a model, or `reference` where it gave only a name.
    Informative; `api_endpoint` is what is called."""
