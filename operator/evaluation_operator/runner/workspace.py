"""The output directory of a run: what lies where, and whose it is.

::

    run.json          fingerprint of the job and engine that this directory belongs to, and whether samples were asked
    job.json          the pinned job (without secrets)
    records/          000-task1.jsonl …   answers as they came; what a restarted run continues from
    samples/          000-task1.jsonl …   input, answer, scores of each sample; written when a task is scored
    datasets/         which files and revisions each dataset was read from
    spool/            the rows of each dataset as they were read; not in the archive, the samples have them
    engine/           files of the engine
    results.json      the result, only when the gate let it pass
    artifacts.tar.gz  the above, without records and spool once the job completed
"""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from evaluation_operator.resources import outcomes
from evaluation_operator.resources.pinned import PinnedJob, canonical_json, digest

from .engines.base import Engine
from .errors import RunError

RUN_FILE: Final = "run.json"
MAX_RUN_FILE: Final = 64 * 1024
_TUNING: Final = ("parallelism", "request_timeout", "max_retries")
"""Params that change how a run goes and not what it answers: a run may be continued with others."""
_ASKED: Final = "asked"
_DERIVED: Final = ("spool", "datasets", "engine")
"""What is made while a run is planned, before its first question."""


def fingerprint(pinned: PinnedJob, engine: Engine) -> str:
    """Return the digest that two runs share exactly when one may continue the other."""
    config = pinned.config.to_json()
    params = {key: value for key, value in config.get("params", {}).items() if key not in _TUNING}
    config["params"] = params
    return digest(
        {
            "uid": pinned.uid,
            "target": pinned.target.to_json(),
            "config": config,
            "engine": engine.name,
            "engine_version": engine.version,
        }
    )


class Workspace:
    """Paths in the output directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.engine = root / "engine"
        self.results = root / "results.json"
        self.archive = root / "artifacts.tar.gz"

    def records(self, index: int, task: str) -> Path:
        return self.root / "records" / _file_name(index, task)

    def samples(self, index: int, task: str) -> Path:
        return self.root / "samples" / _file_name(index, task)

    def claim(self, pinned: PinnedJob, engine: Engine) -> bool:
        """Make the directory this job's. Returns True when an earlier run of the same job is continued.

        Until samples are asked (``begin``) there is nothing to mix up or to lose: such a directory is set up anew, for
        whatever job. Raises ``RunError`` (OutputError) when it holds another job's records or cannot be written.
        """
        try:
            found = self._found()
            if found is not None and found.get(_ASKED) is not False:
                if found.get("fingerprint") != fingerprint(pinned, engine):
                    raise self._foreign(found)
                return True
            if found is not None:
                for part in _DERIVED:
                    with suppress(FileNotFoundError):
                        shutil.rmtree(self.root / part)
            for directory in (self.root / "records", self.root / "samples", self.engine):
                directory.mkdir(parents=True, exist_ok=True)
            write_atomically(self.root / "job.json", pinned.dumps() + "\n")
            self._note(pinned, engine, asked=False)
        except OSError as error:
            raise output_error(error) from error
        return False

    def begin(self, pinned: PinnedJob, engine: Engine) -> None:
        """Note that samples are asked from now on, so that the directory is this job's for good.

        Raises ``RunError`` (OutputError) when another run has claimed it meanwhile, or it cannot be written.
        """
        try:
            found = self._found() or {"job": "unknown"}
            if found.get("fingerprint") != fingerprint(pinned, engine):
                raise self._foreign(found)
            if found.get(_ASKED) is False:
                self._note(pinned, engine, asked=True)
        except OSError as error:
            raise output_error(error) from error

    def _note(self, pinned: PinnedJob, engine: Engine, *, asked: bool) -> None:
        job = f"{pinned.namespace}/{pinned.name}"[:320]
        note = {"fingerprint": fingerprint(pinned, engine), "job": job, _ASKED: asked}
        write_atomically(self.root / RUN_FILE, canonical_json(note) + "\n")

    def _foreign(self, found: dict[str, Any]) -> RunError:
        return RunError(
            outcomes.OUTPUT_ERROR,
            f"the output directory {self.root} holds the run of another job ({found.get('job')}), or of this job with "
            "another spec or engine version; give an empty directory, or empty this one",
        )

    def _found(self) -> dict[str, Any] | None:
        try:
            with (self.root / RUN_FILE).open("rb") as file:
                content = file.read(MAX_RUN_FILE)
        except FileNotFoundError:
            return None
        try:
            note = json.loads(content)
        except ValueError:
            note = None
        # Something else under our file's name is foreign as well: better refused than overwritten.
        return note if isinstance(note, dict) else {"job": "unknown"}


def write_atomically(path: Path, text: str) -> None:
    """Write a file that is either whole or not there."""
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def output_error(error: OSError) -> RunError:
    """Say that the output could not be written."""
    return RunError(
        outcomes.OUTPUT_ERROR,
        f"cannot write the output: {error}; check the space and permissions of the output volume",
    )


def _file_name(index: int, task: str) -> str:
    """Return a file name for a task: the index makes it unique, the rest is for people."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "_", task)[:64]
    return f"{index:03d}-{readable}.jsonl"
