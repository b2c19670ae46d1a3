"""Settings of evaluation-api: a JSON file, and environment variables over it.

An unknown key is an error, because a misspelt limit that is silently ignored is no limit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from evaluation_operator.resources.depth import MAX_DEPTH
from evaluation_operator.resources.identity import GROUP, REPORT_AUDIENCE
from evaluation_operator.resources.target import TargetType

#: Names the settings file. Without it the defaults hold.
PATH_VARIABLE = "EVALUATION_API_SETTINGS"
#: `EVALUATION_API__store__url=s3://bucket` sets `store.url`; values are JSON where they parse as JSON, else text.
VARIABLE_PREFIX = "EVALUATION_API__"

NAMESPACE_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
_NAMESPACE = re.compile(NAMESPACE_PATTERN)

KIB, MIB, GIB = 1024, 1024**2, 1024**3

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class SettingsError(Exception):
    """The settings cannot be used; the message says where and why."""


class _Section(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class Listen(_Section):
    """Where to listen."""

    host: str = "0.0.0.0"  # noqa: S104 - a pod is reached through its own address
    """Address to bind."""
    port: int = Field(default=7331, ge=0, le=65_535)
    """TCP port; 0 lets the system choose."""
    tls_cert_file: Path | None = None
    """PEM file with the certificate chain. With it and the key, only TLS is spoken."""
    tls_key_file: Path | None = None
    """PEM file with the private key."""
    max_connections: int = Field(default=2000, ge=1, le=100_000)
    """Connections held at once; more are answered 503."""
    drain_seconds: float = Field(default=5.0, ge=0, le=600)
    """How long the process goes on serving, no longer ready, when it is asked to end: until then others may not know
    of it."""
    shutdown_seconds: Seconds = 20.0
    """How long requests under way may take after that."""


class Store(_Section):
    """Where artifacts are kept."""

    url: str = "file:///var/lib/evaluation-api"
    """`file:///directory`, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://account/container/prefix`.

    Nothing else may be kept under this address. Credentials come from the environment, as the provider's own tools
    read them.
    """
    options: dict[str, str] = Field(default_factory=dict)
    """Further settings of the object store, for example `{"endpoint": "http://minio:9000"}`. No credentials here."""
    allow_http: bool = False
    """Speak to an object store without TLS."""
    max_artifact_bytes: int = Field(default=2 * GIB, ge=1, le=40 * GIB)
    """Largest archive. The upper bound is what 10,000 parts of a multipart upload hold."""
    min_free_bytes: int = Field(default=64 * MIB, ge=0)
    """Local disk: an upload that would leave less than this free is refused before it is read."""
    max_uploads: int = Field(default=4, ge=1, le=256)
    """Uploads under way at once in this process; more are answered 429."""
    max_downloads: int = Field(default=16, ge=1, le=1024)
    """Downloads under way at once in this process; more are answered 429."""
    max_unpacked_bytes: int = Field(default=4 * GIB, ge=MIB)
    """What is read of an archive, unpacked, for v1's download of results; the rest is left out, and that is said."""
    max_log_reads: int = Field(default=16, ge=1, le=1024)
    """Pages of logs read at once in this process; four times as many may wait, more are answered 429."""
    remove_orphans: bool | None = None
    """Remove the archives of jobs that do not exist any more. Absent: yes on a disk, no in a bucket, where a second
    installation under the same address would lose its archives."""
    orphan_seconds: float = Field(default=86_400, ge=3600)
    """How old such archives must be."""
    idle_seconds: Seconds = 30.0
    """An upload that sends nothing for this long is given up."""
    answer_seconds: Seconds = 30.0
    """An object store that is silent for this long while something is moved to or from it does not answer."""


class Reports(_Section):
    """Limits on what runners send, and on what is written to the cluster for it."""

    min_write_seconds: Seconds = 2.0
    """Never two writes of one job's status closer than this (the final report excepted)."""
    write_seconds: Seconds = 5.0
    """A change of less than a whole per cent is written after this time."""
    writes_per_second: float = Field(default=50.0, gt=0, le=10_000)
    """Writes of progress a second, all jobs together, in this process."""
    max_jobs: int = Field(default=20_000, ge=1)
    """Jobs whose progress is held in memory."""
    job_rate: float = Field(default=2.0, gt=0)
    """Requests a second of one job, in the long run."""
    job_burst: int = Field(default=20, ge=1)
    """Requests of one job at once."""
    rate: float = Field(default=1000.0, gt=0)
    """Requests a second of all runners, in the long run."""
    burst: int = Field(default=2000, ge=1)
    """Requests of all runners at once."""
    max_concurrent: int = Field(default=64, ge=1)
    """Reports read and judged at once; each may hold its body in memory."""
    body_seconds: Seconds = 15.0
    """A report must arrive whole within this time."""
    max_result_bytes: int = Field(default=256 * KIB, ge=4 * KIB, le=MIB)
    """Results in the status, as compact JSON; the rest is cut and stays in the archive."""


class Identity(_Section):
    """How the sender of a report is checked."""

    cache_seconds: float = Field(default=60.0, ge=0, le=600)
    """How long a proven sender is believed without asking the cluster again. Also the longest time for which the token
    of a pod that was deleted still works."""
    cache_size: int = Field(default=8192, ge=1)
    """Senders remembered."""
    max_concurrent: int = Field(default=16, ge=1)
    """Checks under way at the cluster at once."""
    max_waiting: int = Field(default=256, ge=0)
    """Checks that may wait for that; more are answered 429."""


class Access(_Section):
    """Who may use the REST API."""

    mode: Literal["open", "kubernetes"] = "open"
    """`open`: whoever reaches it may do everything. `kubernetes`: callers show a token of the cluster, and may do what
    the cluster's rules let them do to the custom resources."""
    audience: str = Field(default=f"rest.evaluation-api.{GROUP}", max_length=256)
    """Audience that a caller's token must have. Empty: that of the Kubernetes API itself, as users' own tokens have it;
    who steals such a token from a request can use it against the cluster."""
    token_seconds: float = Field(default=60.0, ge=0, le=600)
    """How long a token is believed without asking the cluster again."""
    rights_seconds: float = Field(default=10.0, ge=0, le=600)
    """How long an answer about rights holds: the longest time for which a right that was taken away still works."""
    cache_size: int = Field(default=8192, ge=1)
    """Tokens, and answers about rights, remembered."""
    max_concurrent: int = Field(default=16, ge=1)
    """Questions to the cluster under way at once."""
    max_waiting: int = Field(default=1024, ge=0)
    """Questions that may wait for that; more are answered 429."""

    @field_validator("audience")
    @classmethod
    def _not_the_runners(cls, value: str) -> str:
        if value == REPORT_AUDIENCE:
            raise ValueError(f"{REPORT_AUDIENCE} is the audience of the runners' tokens: choose another")
        return value


class Rest(_Section):
    """Limits of the REST API."""

    max_body_bytes: int = Field(default=2 * MIB, ge=4 * KIB, le=16 * MIB)
    """Largest body; more is answered 413. The cluster stores objects of about 1.5 MiB."""
    max_depth: int = Field(default=MAX_DEPTH - 4, ge=8, le=MAX_DEPTH - 4)
    """Deepest nesting of a body. In the custom resource it may be a few levels deeper; beyond `MAX_DEPTH` the operator
    refuses it."""
    max_values: int = Field(default=200_000, ge=1000)
    """Most values (keys of objects and items of lists) in a body."""
    body_seconds: Seconds = 15.0
    """A body must arrive whole within this time; else the answer is 408."""
    max_reads: int = Field(default=256, ge=1)
    """Requests that read, answered at once; as many more wait, and the rest are answered 429."""
    max_writes: int = Field(default=32, ge=1)
    """Requests that write, answered at once; as many more wait, and the rest are answered 429."""
    request_seconds: Seconds = 45.0
    """A request whose answer has not begun by then is answered 503."""


class Entities(_Section):
    """What the REST API makes of what callers send."""

    default_namespace: str = Field(default="default", pattern=NAMESPACE_PATTERN)
    """Namespace of what is created without naming one."""
    shared: bool = True
    """Jobs of every namespace may refer to the targets and configs that are made through the API, as NeMo knows no
    walls between namespaces. Their keys are copied to where the job is."""
    model_endpoint: str = Field(default="", pattern=r"^(https?://\S+)?$", max_length=2048)
    """URL at which models answer that a target gives by name alone (`model: meta/llama-3.1-8b-instruct`), for example
    that of a NIM proxy. Empty: such targets are kept, and a job on one is refused."""
    secret_references: bool = False
    """Callers may refer to Secrets (`api_key_secret: {name, key}`) instead of sending keys. With that, whoever may
    create evaluations can have every Secret of the namespace sent to an endpoint of their choice."""
    config_types: dict[str, dict[str, tuple[TargetType, ...]]] | None = None
    """Config types for which a runner is installed, with what each accepts (`resources.acceptance`), as the operator's
    settings have them; others are answered 422. Absent: all are accepted, and the operator judges alone."""


class Live(_Section):
    """Limits of live evaluations, which run in a child process of evaluation-api."""

    max_concurrent: int = Field(default=2, ge=1, le=64)
    """Live evaluations at once in this process; more are answered 429."""
    seconds: Seconds = 30.0
    """Longest run of one. NVIDIA's SDK waits 60 s."""
    memory_bytes: int = Field(default=512 * MIB, ge=64 * MIB)
    """Memory (address space) of the child process."""
    max_rows: int = Field(default=1000, ge=1, le=100_000)
    """Most rows of a target."""
    max_result_bytes: int = Field(default=4 * MIB, ge=64 * KIB)
    """Largest answer of the child process."""


class Settings(_Section):
    """Everything that can be set."""

    listen: Listen = Field(default_factory=Listen)
    store: Store = Field(default_factory=Store)
    reports: Reports = Field(default_factory=Reports)
    identity: Identity = Field(default_factory=Identity)
    access: Access = Field(default_factory=Access)
    rest: Rest = Field(default_factory=Rest)
    entities: Entities = Field(default_factory=Entities)
    live: Live = Field(default_factory=Live)
    namespaces: tuple[str, ...] = ()
    """Namespaces that are served; empty means all."""
    public_url: str = ""
    """Address under which users reach this API, for the artifact's URL in the status; without it the URL is a path."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged."""

    def serves(self, namespace: str) -> bool:
        """Whether objects of this namespace are this process's business."""
        return _NAMESPACE.fullmatch(namespace) is not None and (not self.namespaces or namespace in self.namespaces)


def load(environment: Mapping[str, str]) -> Settings:
    """Reads the file that `PATH_VARIABLE` names, and variables with `VARIABLE_PREFIX` over it.

    Raises SettingsError.
    """
    data: dict[str, Any] = {}
    path = environment.get(PATH_VARIABLE, "")
    if path:
        try:
            data = json.loads(Path(path).read_bytes())
        except OSError as error:
            raise SettingsError(f"cannot read the settings file {path} ({PATH_VARIABLE}): {error.strerror}") from error
        except ValueError as error:
            raise SettingsError(f"the settings file {path} is not JSON: {error}") from error
        if not isinstance(data, dict):
            raise SettingsError(f"the settings file {path} must hold one JSON object")
    for variable, text in environment.items():
        if variable.startswith(VARIABLE_PREFIX):
            _put(data, variable, text)
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors()
        )
        raise SettingsError(f"settings of evaluation-api ({path or 'environment'}): {problems}") from error
    if (settings.listen.tls_cert_file is None) != (settings.listen.tls_key_file is None):
        raise SettingsError("listen.tlsCertFile and listen.tlsKeyFile go together: set both or neither")
    return settings


def _put(data: dict[str, Any], variable: str, text: str) -> None:
    *sections, last = variable.removeprefix(VARIABLE_PREFIX).split("__")
    for section in sections:
        inner = data.setdefault(section, {})
        if not isinstance(inner, dict):
            raise SettingsError(f"the variable {variable} sets a part of {section}, which is no section")
        data = inner
    try:
        data[last] = json.loads(text)
    except ValueError:
        data[last] = text
