"""The read calls of a Hugging Face hub for one dataset: in a test's own process, or as a program in a pod.

Run as a file it needs aiohttp and nothing of the project: ``HUB_TOKEN=... python3 hub.py FOLDER PORT``.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

REPOSITORY = "team/set"
COMMIT = "a" * 40
ROWS = b'{"n": 1}\n{"n": 2}\n'


@dataclass
class Hub:
    """``files``: by path. ``token``: what callers must show, empty for a public dataset. ``fault``: answers instead,
    where it returns something. ``calls``: method, path and Authorization of each request.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=lambda: {"data/rows.jsonl": ROWS})
    token: str = ""
    calls: list[tuple[str, str, str | None]] = field(default_factory=list)
    fault: Any = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request as the hub does."""
        shown = request.headers.get("Authorization")
        self.calls.append((request.method, request.path, shown))
        if self.fault is not None and (answer := await self.fault(request, len(self.calls))) is not None:
            found: web.StreamResponse = answer
            return found
        path = request.path
        if self.token and shown != f"Bearer {self.token}":
            # As the hub: a private dataset is not told from none, and a token that it does not know is named.
            unknown = {"X-Error-Message": "Invalid credentials in Authorization header"}
            return web.Response(status=401, headers=unknown if shown else {"X-Error-Code": "RepoNotFound"})
        if path.startswith(f"/api/datasets/{REPOSITORY}/tree/"):
            return web.json_response([{"type": "file", "path": name, "size": 1, "oid": "o"} for name in self.files])
        repo, _, rest = path.partition("/resolve/")
        if repo != f"/datasets/{REPOSITORY}":
            return web.Response(status=404, headers={"X-Error-Code": "RepoNotFound"})
        revision, _, name = rest.partition("/")
        if revision not in {"main", COMMIT}:
            return web.Response(status=404, headers={"X-Error-Code": "RevisionNotFound"})
        if name not in self.files:
            return web.Response(status=404, headers={"X-Error-Code": "EntryNotFound"})
        return web.Response(body=self.files[name], headers={"X-Repo-Commit": COMMIT, "ETag": '"tag"'})


def main(folder: Path, port: int) -> None:
    """Serve the files of a folder on all addresses, with ``/health`` for the pod's probe."""

    async def healthy(request: web.Request) -> web.Response:
        return web.json_response({"status": "healthy"})

    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    app = web.Application()
    app.router.add_get("/health", healthy)
    app.router.add_route("*", "/{path:.*}", Hub(files=files, token=os.environ["HUB_TOKEN"]).handle)
    web.run_app(app, port=port, print=None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
