"""The pause image, written without any image tool: one static program that holds a pod's network namespace."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

from .config import PAUSE_IMAGE
from .errors import ClusterError

BUSYBOX = Path("/bin/busybox")
# `sleep infinity` is unknown to busybox; this is 68 years.
COMMAND = ["/bin/busybox", "sleep", "2147483647"]
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write_archive(file: Path) -> None:
    """Writes a docker archive (manifest.json, configuration, one layer)."""
    if not BUSYBOX.exists():
        raise ClusterError(f"{BUSYBOX} is missing: install the Debian package busybox-static")
    layer = _tar({"bin/busybox": (BUSYBOX.read_bytes(), 0o755)})
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Cmd": COMMAND, "User": "65535:65535"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": [PAUSE_IMAGE], "Layers": ["layer.tar"]}]).encode()
    file.write_bytes(_tar({"layer.tar": (layer, 0o644), name: (config, 0o644), "manifest.json": (manifest, 0o644)}))


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
