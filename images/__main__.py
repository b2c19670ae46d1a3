"""`python3 -m images [NAME...]`: builds what changed, loads it into the cluster in use, and writes down the names."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from devcluster import cluster
from devcluster.errors import ClusterError
from devcluster.paths import CHECKOUT, State, cache_from_environment, state_from_environment
from devcluster.progress import Progress, end_in_order

from . import base, engine, packages, plan

# Where images go for a cluster of the user's, such as registry.example/team.
REGISTRY_VARIABLE = "IMAGE_REGISTRY"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m images", description=__doc__)
    names = [image.name for image in plan.IMAGES]
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names) + " (all)")
    parser.add_argument("--no-load", action="store_true", help="build only")
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="also write an archive of each image there")
    options = parser.parse_args(arguments)
    end_in_order()
    progress = Progress()
    try:
        state = state_from_environment()
        with cluster.locked(state):
            build_and_load(plan.select(options.names), state, progress, load=not options.no_load, save=options.save)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def build_and_load(
    images: Sequence[plan.Image], state: State, progress: Progress, *, load: bool, save: Path | None
) -> dict[str, str]:
    """Builds and loads what is not there yet; the reference of each image by its name."""
    cache = cache_from_environment()
    target = cluster.current(state, progress, os.environ)
    # Into a cluster of the user's an image goes by a registry only.
    registry = os.environ.get(REGISTRY_VARIABLE, "") if target.name == "named" else ""
    if load and target.name == "named" and not registry:
        # Says, before anything is built, what to do.
        target.load([])
    builder = engine.choose(
        docker=target.name == "kind", named_base=os.environ.get(base.BASE_VARIABLE, ""), cache=cache, progress=progress
    )
    store = target if load else None
    loaded = set(target.images()) if load else set()
    works = _Works(builder, registry or plan.PREFIX, cache, progress)
    references: dict[str, str] = {}
    for image in images:
        reference = references[image.name] = works.reference(image)
        if reference in loaded and save is None:
            progress.say(f"  {image.name}: unchanged")
            continue
        works.build(image)
        with progress.step(f"delivering {image.name}"):
            if registry and load:
                builder.push(reference)
            elif store is not None:
                _load(builder, reference, store)
            if save is not None:
                save.mkdir(parents=True, exist_ok=True)
                builder.save(reference, save / f"{image.name}.tar", without=())
    state.images_file.write_text(plan.images_file({**_known(state), **references}))
    progress.say(f"  names: {state.images_file}")
    return references


class _Works:
    """Builds images with what they stand on, each once."""

    def __init__(self, builder: engine.Engine, prefix: str, cache: Path, progress: Progress) -> None:
        self._builder = builder
        self._prefix = prefix
        self._cache = cache
        self._progress = progress

    def reference(self, image: plan.Image) -> str:
        """The name that the image's content gives it."""
        below = self.reference(plan.named(image.extends)) if image.extends else self._packages_key(image)
        # What decides an image's content beside packages and code.
        recipe = b"" if image.extends else (engine.FOLDER / "Containerfile").read_bytes()
        key = plan.image_key(image, plan.source_files(CHECKOUT, image.code), packages=below, recipe=recipe)
        return plan.reference(image.name, key, self._prefix)

    def build(self, image: plan.Image) -> None:
        """Builds the image when the builder does not have it."""
        reference = self.reference(image)
        if self._builder.has(reference):
            return
        if image.extends:
            below = plan.named(image.extends)
            self.build(below)
            recipe = CHECKOUT / image.code[0] / "Containerfile"
            with self._progress.step(f"building {image.name}"):
                arguments = {"RUNNER": self.reference(below)}
                self._builder.build(str(recipe), reference, recipe.parent, arguments=arguments)
            return
        packages_image = self._packages_image(image)
        with (
            self._progress.step(f"building {image.name}"),
            tempfile.TemporaryDirectory(prefix="context-") as context,
        ):
            packages.copy_code(CHECKOUT, image.code, Path(context) / "code")
            arguments = {"PACKAGES": packages_image}
            self._builder.build("Containerfile", reference, Path(context), arguments=arguments, target=image.name)

    def _packages_key(self, image: plan.Image) -> str:
        lock = (CHECKOUT / image.requirements).read_bytes()
        return plan.packages_key(lock, machine=platform.machine(), base=self._builder.base)

    def _packages_image(self, image: plan.Image) -> str:
        key = self._packages_key(image)
        reference = plan.reference("packages", key)
        if self._builder.has(reference):
            return reference
        installed = packages.install(CHECKOUT / image.requirements, key, self._cache, self._progress)
        with (
            self._progress.step(f"putting {installed.name} into an image"),
            tempfile.TemporaryDirectory(prefix="context-", dir=installed.parent) as context,
        ):
            # Beside the packages, so that they are linked and not copied.
            shutil.copytree(installed, Path(context) / "packages", copy_function=os.link, symlinks=True)
            arguments = {"BASE": self._builder.base}
            self._builder.build("packages.Containerfile", reference, Path(context), arguments=arguments)
        return reference


def _load(builder: engine.Engine, reference: str, store: cluster.Cluster) -> None:
    with tempfile.TemporaryDirectory(prefix="archive-") as folder:
        archive = Path(folder) / "image.tar"
        builder.save(reference, archive, without=store.blobs())
        store.load([archive])


def _known(state: State) -> dict[str, str]:
    """The names written by earlier runs, so that building one image does not lose the others."""
    try:
        return dict(json.loads(state.images_file.read_text()))
    except (FileNotFoundError, ValueError):
        return {}


if __name__ == "__main__":
    sys.exit(main())
