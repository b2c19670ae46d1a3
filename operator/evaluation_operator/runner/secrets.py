"""Values of secrets: read once, handed to the HTTP client, and struck out of everything that is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from evaluation_operator.resources.secrets import PREFIX

from .engines.base import InvalidSpec

MAX_SECRET_BYTES = 64 * 1024
STRUCK_OUT = "[secret]"
SHORTEST_REDACTED = 6
"""Striking out shorter values would mangle ordinary text and hide little."""


class Secrets:
    """Secrets by file name, from a directory of keys or (on the command line) from memory."""

    def __init__(self, directory: Path | None = None, values: Mapping[str, str] | None = None) -> None:
        self._directory = directory
        self._values = dict(values or {})

    def resolve(self, value: str) -> str:
        """Return the content of a ``secret:<file>`` placeholder; any other text is returned as it is.

        Raises ``InvalidSpec`` when the file is absent, too large, empty or not text.
        """
        if not value.startswith(PREFIX):
            return value
        name = value.removeprefix(PREFIX)
        if name not in self._values:
            self._values[name] = self._read(name)
        return self._values[name]

    def _read(self, name: str) -> str:
        if self._directory is None or "/" in name or name in {"", ".", ".."}:
            raise InvalidSpec(
                f"the secret {name!r} is not available to the runner; give it as an api_key_secret "
                "{name, key} (with `evaluation run`: --secret NAME/KEY=ENVVAR)"
            )
        try:
            with (self._directory / name).open("rb") as file:
                content = file.read(MAX_SECRET_BYTES + 1)
        except OSError as error:
            raise InvalidSpec(
                f"the secret file {name} cannot be read ({error.strerror}); the job's Secret was perhaps "
                "deleted or lacks the key that the spec names"
            ) from error
        if len(content) > MAX_SECRET_BYTES:
            raise InvalidSpec(f"the secret file {name} is larger than {MAX_SECRET_BYTES} bytes; it is not a key")
        try:
            # Secrets made from files nearly always end with a line break, which no header may hold.
            text = content.decode().strip()
        except UnicodeDecodeError as error:
            raise InvalidSpec(f"the secret file {name} is not UTF-8 text") from error
        if not text:
            raise InvalidSpec(f"the secret file {name} is empty; put the key into the Secret")
        return text

    def redact(self, text: str) -> str:
        """Return the text with every secret value read so far struck out."""
        for value in self._values.values():
            if len(value) >= SHORTEST_REDACTED and value in text:
                text = text.replace(value, STRUCK_OUT)
        return text

    def redact_bytes(self, content: bytes) -> bytes:
        """As ``redact``, for a response body: an endpoint that echoes its key must not get it into the
        records.
        """
        for value in self._values.values():
            if len(value) >= SHORTEST_REDACTED:
                for form in _forms(value):
                    if form in content:
                        content = content.replace(form, STRUCK_OUT.encode())
        return content


@lru_cache(maxsize=64)
def _forms(value: str) -> tuple[bytes, ...]:
    """Return how a value stands in JSON: as it is, and with what has to be, or (``/``) may be, escaped."""
    escaped = json.dumps(value)[1:-1]
    return tuple(dict.fromkeys(form.encode() for form in (value, escaped, escaped.replace("/", "\\/"))))
