"""The two builders of images: Docker where its engine answers, else buildah without any daemon."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from devcluster import commands, toolchain
from devcluster.progress import Progress

from . import base
from .plan import PREFIX

FOLDER = Path(__file__).resolve().parent
# Also the default of BASE in packages.Containerfile.
REGISTRY_BASE = "docker.io/library/python:3.11-slim-bookworm"


class Engine(Protocol):
    """`base` is the image that everything stands on."""

    base: str

    def has(self, reference: str) -> bool: ...

    def build(
        self, file: str, reference: str, context: Path, *, arguments: Mapping[str, str], target: str = ""
    ) -> None:
        """Builds Containerfile `file` of this folder."""
        ...

    def save(self, reference: str, archive: Path, *, without: Collection[str]) -> None:
        """Writes an archive that containerd can import; blobs whose digest is in `without` may be left out."""
        ...

    def push(self, reference: str) -> None:
        """Uploads it to the registry in its name, with the credentials that `docker login` or `buildah login` left."""
        ...


class Docker:
    def __init__(self, base_image: str) -> None:
        self.base = base_image

    def has(self, reference: str) -> bool:
        return commands.works(["docker", "image", "inspect", reference])

    def build(
        self, file: str, reference: str, context: Path, *, arguments: Mapping[str, str], target: str = ""
    ) -> None:
        commands.run(["docker", "build", "--quiet", *_build_options(file, reference, arguments, target), context])

    def save(self, reference: str, archive: Path, *, without: Collection[str]) -> None:
        commands.run(["docker", "save", "--output", archive, reference])

    def push(self, reference: str) -> None:
        commands.run(["docker", "push", "--quiet", reference])


class Buildah:
    """With a store of its own in the cache. Nothing is run in a container: files are only put together."""

    def __init__(self, base_image: str, cache: Path) -> None:
        self.base = base_image
        store = cache / "images" / "buildah"
        self._layout = cache / "images" / "oci"
        self._command = ["buildah", "--root", str(store), "--runroot", str(store / "run")]
        overlay = [*self._command, "--storage-driver", "overlay"]
        # vfs works everywhere, and copies each layer whole.
        self._command += ["--storage-driver", "overlay" if commands.works([*overlay, "images"]) else "vfs"]

    def has(self, reference: str) -> bool:
        return commands.works([*self._command, "inspect", "--type", "image", reference])

    def build(
        self, file: str, reference: str, context: Path, *, arguments: Mapping[str, str], target: str = ""
    ) -> None:
        options = _build_options(file, reference, arguments, target)
        pull = "--pull-never" if self.has(self.base) or not arguments else "--pull"
        commands.run([*self._command, "bud", "--quiet", "--isolation", "chroot", pull, *options, context])
        self._forget_others(reference)

    def save(self, reference: str, archive: Path, *, without: Collection[str]) -> None:
        # The layout keeps blobs between runs, so that only new layers are written; its index is of this image alone.
        (self._layout / "index.json").unlink(missing_ok=True)
        commands.run([*self._command, "push", "--quiet", "--disable-compression", reference, f"oci:{self._layout}:it"])
        write_archive(self._layout, reference, archive, without=without)

    def push(self, reference: str) -> None:
        commands.run([*self._command, "push", "--quiet", reference, f"docker://{reference}"])

    def _forget_others(self, reference: str) -> None:
        """Earlier builds of the same image: each holds a layer, and none is needed again."""
        repository = reference.rpartition(":")[0]
        listed = json.loads(commands.run([*self._command, "images", "--json"]) or "[]")
        names = [name for image in listed or [] for name in image.get("names") or []]
        if repository == f"{PREFIX}/packages":
            # Several images have packages of their own.
            return
        for name in names:
            if name.rpartition(":")[0] == repository and name != reference:
                commands.works([*self._command, "rmi", name])


def write_archive(layout: Path, reference: str, archive: Path, *, without: Collection[str]) -> None:
    """Writes the one image of an OCI layout as an archive named `reference`, leaving out the blobs in `without`.

    What the cluster has already need not be carried there again: a change of code then moves kilobytes, not the
    hundreds of megabytes below it.
    """

    def blob(digest: str) -> Path:
        algorithm, _, name = digest.partition(":")
        return layout / "blobs" / algorithm / name

    (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
    entry["annotations"] = {"io.containerd.image.name": reference}
    manifest = json.loads(blob(entry["digest"]).read_text())
    # The two small ones are always carried: containerd must read them before it knows what is missing.
    digests = [entry["digest"], manifest["config"]["digest"]]
    digests += [layer["digest"] for layer in manifest["layers"] if layer["digest"] not in without]
    files = {
        "oci-layout": json.dumps({"imageLayoutVersion": "1.0.0"}).encode(),
        "index.json": json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode(),
    }
    with tarfile.open(archive, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for digest in dict.fromkeys(digests):
            tar.add(blob(digest), arcname=str(blob(digest).relative_to(layout)))


def choose(*, docker: bool, named_base: str, cache: Path, progress: Progress) -> Engine:
    """Docker on an official base where the cluster is in it, else buildah on a Debian base.

    `named_base` replaces either base.
    """
    if docker:
        return Docker(named_base or REGISTRY_BASE)
    toolchain.install_packages(toolchain.missing_packages({"buildah": ("buildah",)}), progress)
    if named_base:
        return Buildah(named_base, cache)
    reference = f"{PREFIX}/base:{base.debian_key()}"
    engine = Buildah(reference, cache)
    if not engine.has(reference):
        archive = base.root_file_system(cache, progress)
        context = cache / "images" / "base-context"
        shutil.rmtree(context, ignore_errors=True)
        context.mkdir(parents=True)
        (context / "rootfs.tar").hardlink_to(archive)
        with progress.step("the base image"):
            engine.build("base.Containerfile", reference, context, arguments={})
        shutil.rmtree(context)
    return engine


def _build_options(file: str, reference: str, arguments: Mapping[str, str], target: str) -> list[str]:
    options = ["--file", str(FOLDER / file), "--tag", reference]
    options += [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    return [*options, "--target", target] if target else options
