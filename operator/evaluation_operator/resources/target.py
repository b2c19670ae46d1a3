"""What is evaluated: the body of an EvaluationTarget, and of ``spec.target`` of a job."""

from typing import Annotated, Literal

from pydantic import Field

from .base import FreeForm, Model
from .endpoint import ModelTarget, Text

TargetType = Literal["model", "cached_outputs", "retriever", "rag", "rows", "dataset"]
#: The payload keys of a target; at most one is given and it is named by ``type``.
PAYLOADS: tuple[TargetType, ...] = ("model", "cached_outputs", "retriever", "rag", "rows", "dataset")

Namespace = Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
AllowedNamespace = Annotated[str, Field(max_length=63, pattern=r"^(\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)$")]


class Dataset(Model):
    """Rows kept in files."""

    files_url: str = Field(min_length=1, max_length=2048)
    """Where the file is: `hf://datasets/<namespace>/<name>/<path>`, `s3://…`, or a path in a mounted volume.
    """
    hf_endpoint: str | None = Field(default=None, max_length=2048)
    """Base URL of the hub that `hf://` means."""
    format: str | None = Field(default=None, max_length=64)
    """`csv`, `json`, `jsonl`, or another that the engine documents, where the name of the file does not tell it."""
    split: str | None = Field(default=None, max_length=128)
    """Split to use: the files of a folder that are named after it, or that key of a JSON object."""
    limit: int | None = Field(default=None, ge=1, le=100_000_000)
    """Use at most this many rows, from the start."""
    entity: FreeForm | None = None
    """Name, description and such that the REST API keeps with a dataset, or `reference` where it gave only a name.
    Informative; `files_url` is what is read."""


class CachedOutputs(Model):
    """Answers that were generated earlier."""

    files_url: str = Field(min_length=1, max_length=2048)
    """Where the file with the answers is."""


#: A model inside a pipeline, of the form of ``ModelTarget``. Left open in the schema: written out seven times it would
#: be most of the CRD, and the engine that runs the pipeline parses it anyway.
PipelineModel = FreeForm


class RetrieverPipeline(Model):
    """Models of a retrieval pipeline, each of the form of a target's `model`."""

    query_embedding_model: PipelineModel
    """Embeds the queries."""
    index_embedding_model: PipelineModel
    """Embeds the documents."""
    reranker_model: PipelineModel | None = None
    """Orders the candidates again."""
    top_k: int | None = Field(default=None, ge=1, le=10_000)
    """Number of documents to retrieve."""


class Retriever(Model):
    """A retriever: a pipeline, its earlier outputs, or rows."""

    pipeline: RetrieverPipeline | None = None
    """Models of the pipeline."""
    cached_outputs: CachedOutputs | None = None
    """Outputs of an earlier run."""
    dataset: Dataset | None = None
    """Rows with the outputs."""


class RagPipeline(Model):
    """A retriever and the model that answers with what it found."""

    retriever: Retriever
    """Finds the documents."""
    model: PipelineModel
    """Answers."""
    context_ordering: str | None = Field(default=None, max_length=64)
    """Order of the documents in the prompt."""


class Rag(Model):
    """Retrieval-augmented generation: a pipeline, its earlier outputs, or rows."""

    pipeline: RagPipeline | None = None
    """Retriever and model."""
    cached_outputs: CachedOutputs | None = None
    """Outputs of an earlier run."""
    dataset: Dataset | None = None
    """Rows with the outputs."""


class TargetPayload(Model):
    """What is evaluated: `type` names the one key that is given beside it."""

    type: TargetType | None = None
    """Kind of target. It names the key that holds the details."""
    model: ModelTarget | None = None
    """A model behind an endpoint."""
    cached_outputs: CachedOutputs | None = None
    """Answers generated earlier."""
    dataset: Dataset | None = None
    """Rows kept in files."""
    rows: list[FreeForm] | None = Field(default=None, min_length=1, max_length=50_000)
    """Rows given here. The whole object must stay under about 1 MiB; use `dataset` beyond that."""
    retriever: Retriever | None = None
    """A retriever."""
    rag: Rag | None = None
    """Retrieval-augmented generation."""

    def payloads(self) -> list[TargetType]:
        """Return the payload keys that are given, in the order of ``PAYLOADS``."""
        return [key for key in PAYLOADS if getattr(self, key) is not None]


class TargetBody(TargetPayload):
    """`spec.target` of a job: a payload, or the name of an EvaluationTarget."""

    name: str | None = Field(default=None, max_length=253)
    """Name of an EvaluationTarget. With a payload beside it the target is inline and the name is ignored."""
    namespace: Namespace | None = None
    """Namespace of that EvaluationTarget; the job's own when absent. The target must allow the job's
    namespace."""


class EvaluationTargetSpec(TargetPayload):
    """What is evaluated, kept under a name."""

    description: Text | None = None
    """Free text."""
    project: Text | None = None
    """Project that this belongs to."""
    custom_fields: FreeForm | None = None
    """Anything that its owner wants to keep with it."""
    ownership: FreeForm | None = None
    """Who made it and who may see it. Informative."""
    allowedNamespaces: list[AllowedNamespace] | None = Field(default=None, max_length=64)
    """Other namespaces whose jobs may refer to this; `*` allows all. Its own namespace always may."""
