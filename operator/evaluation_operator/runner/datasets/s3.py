"""Rows in an S3 bucket, through obstore; credentials and endpoint are the usual ``AWS_…`` variables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from ..engines.base import InvalidSpec
from .sources import MAX_FILES, PIECE, DataContext, DataFile, Unavailable, choose, inner_split

if TYPE_CHECKING:
    from obstore import GetOptions

_VARIABLES: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_SKIP_SIGNATURE",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
)
_PART: Final = 8 * PIECE
"""Bytes of one request; each has a time limit and retries of its own."""
_ADVICE: Final = (
    "give AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for a server of your own, AWS_ENDPOINT_URL in spec.run.env, "
    "or AWS_SKIP_SIGNATURE=true for a public bucket"
)
RETRIES: Final = 4
"""Of one request, by the library."""
T = TypeVar("T")


def s3_files(url: str, split: str | None, context: DataContext, where: str) -> list[DataFile]:
    """Return the files that an ``s3://bucket/key`` URL means; a key that ends in ``/`` is a folder.

    Raises ``InvalidSpec`` and ``Unavailable``.
    """
    parts = urlsplit(url)
    key = unquote(parts.path).lstrip("/")
    if not parts.hostname or not key:
        raise InvalidSpec(f"{where}.files_url: {url} must name a bucket and a key: s3://bucket/path/rows.jsonl")
    store = _store(parts.netloc, context.places.environment)
    base = f"s3://{parts.netloc}"
    if not key.endswith("/"):
        return [_file(store, key, f"{base}/{key}", inner_split(key, split))]

    def keys() -> list[str]:
        found: list[str] = []
        for batch in obstore.list(store, prefix=key):
            found += [str(entry["path"]) for entry in batch]
            if len(found) > MAX_FILES:
                raise InvalidSpec(f"{url}: the folder has more than {MAX_FILES} files; name one file in files_url")
        return found

    inside = [name.removeprefix(key) for name in _asked(keys, url)]
    return [_file(store, key + name, f"{base}/{key}{name}", None) for name in choose(inside, split, url)]


def _store(bucket: str, environment: Mapping[str, str]) -> S3Store:
    config: dict[str, Any] = {name.lower(): environment[name] for name in _VARIABLES if environment.get(name)}
    # A server of one's own in the cluster rarely speaks TLS; to say http:// is to choose it.
    plain = environment.get("AWS_ENDPOINT_URL", "").startswith("http://")
    return S3Store(
        bucket,
        config=config,  # type: ignore[arg-type]
        client_options={"allow_http": plain, "connect_timeout": "10s", "timeout": "60s"},
        retry_config={"max_retries": RETRIES},
    )


def _file(store: S3Store, key: str, name: str, split: str | None) -> DataFile:
    found = _asked(lambda: obstore.head(store, key), name)
    size, tag = int(found["size"]), found["e_tag"]

    def part(start: int) -> bytes:
        options: GetOptions = {"range": (start, min(start + _PART, size))}
        if tag is not None:
            # An object that is replaced while it is read must not become a mixture of both.
            options["if_match"] = tag
        return bytes(obstore.get(store, key, options=options).bytes())

    def parts() -> Iterator[bytes]:
        start = 0
        while start < size:
            read = _asked(lambda: part(start), name)  # noqa: B023 (called at once)
            if not read:
                raise Unavailable(f"{name}: the server sends less than the {size} bytes that it announces")
            start += len(read)
            yield from (read[at : at + PIECE] for at in range(0, len(read), PIECE))

    @contextmanager
    def read() -> Iterator[Iterator[bytes]]:
        yield parts()

    return DataFile(name, split, tag, size, read)


def _asked(question: Callable[[], T], name: str) -> T:
    try:
        return question()
    except FileNotFoundError as error:
        raise InvalidSpec(f"{name}: there is no such object; check bucket and key") from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise InvalidSpec(f"{name}: the bucket refuses access; {_ADVICE}") from error
    except (BaseError, OSError, ValueError) as error:
        raise Unavailable(f"{name}: {' '.join(str(error).split())[:400]}; {_ADVICE}") from error
