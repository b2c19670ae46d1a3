"""Rows on a Hugging Face hub, or on what speaks its read calls (NeMo Data Store), through the official client."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final, TypeVar

import httpx2
from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import (  # type: ignore[attr-defined] # exported lazily, which type checkers do not see
    build_hf_headers,
    hf_raise_for_status,
    http_stream_backoff,
)

from ..engines.base import InvalidSpec
from .sources import FORMATS, MAX_FILES, PIECE, DataContext, DataFile, Unavailable, choose, inner_split

_URL: Final = re.compile(
    r"hf://datasets/(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?(?:/(?P<path>[^?#]*))?", re.ASCII
)
_TIMEOUT: Final = 30.0
"""Seconds of silence after which a call has failed."""
T = TypeVar("T")


def hub_files(url: str, endpoint: str | None, split: str | None, context: DataContext, where: str) -> list[DataFile]:
    """Return the files that ``hf://datasets/<namespace>/<name>[@<revision>]/<path>`` means.

    A path without the suffix of a data file is a folder. Raises ``InvalidSpec`` and ``Unavailable``.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise InvalidSpec(
            f"{where}.files_url: {url} must be hf://datasets/<namespace>/<name>/<path>, with @<revision> after the "
            "name for one other than main"
        )
    base = endpoint or context.places.environment.get("HF_ENDPOINT") or constants.ENDPOINT
    if not base.startswith(("http://", "https://")):
        raise InvalidSpec(f"{where}.hf_endpoint: {base} must be the base URL of a hub, with http:// or https://")
    given = context.hf_token or context.places.environment.get("HF_TOKEN")
    repo = _Repository(base.rstrip("/"), match["repo"], match["revision"] or "main", context.secret(given or ""))
    path = (match["path"] or "").strip("/")
    if path.rpartition(".")[2].lower() in FORMATS:
        return [repo.file(path, url, inner_split(path, split))]
    inside = repo.names(path, url)
    prefix = f"{path}/" if path else ""
    return [repo.file(prefix + name, f"{url.rstrip('/')}/{name}", None) for name in choose(inside, split, url)]


class _Repository:
    """A dataset repository at one revision."""

    def __init__(self, endpoint: str, repo: str, revision: str, token: str) -> None:
        self._endpoint = endpoint
        self._repo = repo
        self._revision = revision
        # False and not None: None would look for a token of this machine's user and send it there.
        self._token: str | bool = token or False
        self._api = HfApi(endpoint=endpoint, token=self._token, library_name="evaluation-operator")

    def names(self, folder: str, shown: str) -> list[str]:
        """Return the paths of the files in a folder, relative to it."""

        def tree() -> list[str]:
            entries = self._api.list_repo_tree(
                self._repo, folder or None, recursive=True, revision=self._revision, repo_type="dataset"
            )
            return [entry.path for entry in islice(entries, MAX_FILES + 1) if isinstance(entry, RepoFile)]

        found = self._asked(tree, shown)
        if len(found) > MAX_FILES:
            raise InvalidSpec(f"{shown}: the folder has more than {MAX_FILES} files; name one file in files_url")
        return [name.removeprefix(folder).lstrip("/") for name in found]

    def file(self, path: str, shown: str, split: str | None) -> DataFile:
        """Return one file, at the commit that its branch is at now."""
        address = self._address(path, self._revision)
        found = self._asked(lambda: self._api.get_hf_file_metadata(url=address, timeout=_TIMEOUT), shown)
        commit = found.commit_hash
        pinned = self._address(path, commit or self._revision)

        @contextmanager
        def read() -> Iterator[Iterator[bytes]]:
            headers = build_hf_headers(token=self._token, headers={"Accept-Encoding": "identity"})
            with (
                self._translated(shown),
                _online(),
                http_stream_backoff("GET", pinned, max_retries=0, headers=headers, timeout=_TIMEOUT) as response,
            ):
                hf_raise_for_status(response)
                yield self._pieces(response, found.size, shown)

        return DataFile(shown, split, commit or found.etag, found.size, read)

    def _pieces(self, response: httpx2.Response, size: int | None, shown: str) -> Iterator[bytes]:
        received = 0
        with self._translated(shown):
            for piece in response.iter_bytes(chunk_size=PIECE):
                received += len(piece)
                if size is not None and received > size:
                    break
                yield piece
        if size is not None and received != size:
            raise Unavailable(f"{shown}: {received} bytes came, and the hub announces {size}")

    def _address(self, path: str, revision: str) -> str:
        return hf_hub_url(self._repo, path, repo_type="dataset", revision=revision, endpoint=self._endpoint)

    def _asked(self, question: Callable[[], T], shown: str) -> T:
        with self._translated(shown), _online():
            return question()

    @contextmanager
    def _translated(self, shown: str) -> Iterator[None]:
        where = f"{shown} at {self._endpoint}"
        token = "the token was sent" if self._token else "give a token as params.extra.hf_token_secret {name, key}"
        try:
            yield
        except GatedRepoError as error:
            raise InvalidSpec(f"{where}: the dataset is gated and access was not granted; {token}") from error
        except RevisionNotFoundError as error:
            raise InvalidSpec(f"{where}: there is no revision {self._revision}") from error
        except EntryNotFoundError as error:
            raise InvalidSpec(f"{where}: there is no such file in the dataset") from error
        except RepositoryNotFoundError as error:
            raise InvalidSpec(
                f"{where}: there is no dataset {self._repo}, or the hub does not show it to this caller; {token}"
            ) from error
        except HFValidationError as error:
            raise InvalidSpec(f"{where}: {error}") from error
        except HfHubHTTPError as error:
            status = error.response.status_code
            if status in {401, 403}:
                raise InvalidSpec(f"{where}: the hub refuses access ({status}); {token}") from error
            raise Unavailable(f"{where}: the hub answered {status}") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            reason = str(error) or type(error).__name__
            raise Unavailable(f"{where}: no proper answer: {reason}; check hf_endpoint and network policies") from error


@contextmanager
def _online() -> Iterator[None]:
    """Let the client out: the pod's environment keeps every library offline, except for what the job itself names."""
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = False
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
