"""Which images there are, what goes into each, and the name that its content gives it. Pure but for reading the files
named.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Not a registry: a name that no cluster can pull by mistake, and that containerd does not complete to Docker's.
PREFIX = "localhost/evaluation-operator"
PYTHON = (3, 11)
# To be raised when the way images are built changes what is in them.
RECIPE = "1"


@dataclass(frozen=True)
class Image:
    """`name` is that of the target, the image and the lock in requirements/; `code` are package folders.

    One that `extends` another has neither target nor lock of its own: `code` is one folder with a Containerfile, which
    is built as it is, on the other image given as RUNNER.
    """

    name: str
    code: tuple[str, ...]
    extends: str = ""

    @property
    def requirements(self) -> str:
        return f"requirements/{self.name}.txt"


IMAGES = (
    Image("operator", ("operator/evaluation_operator",)),
    Image("api", ("operator/evaluation_operator",)),
    Image("runner-bfcl", ("operator/evaluation_operator",)),
    Image("runner-custom", ("operator/evaluation_operator",)),
    Image("demo-endpoint", ("demo/demo_endpoint",)),
    Image("example-engine", ("examples/17-own-engine/engine",), extends="runner-custom"),
)


def select(names: Sequence[str]) -> list[Image]:
    """The images of these names, all for none."""
    return [image for image in IMAGES if not names or image.name in names]


def named(name: str) -> Image:
    """The image of this name."""
    return next(image for image in IMAGES if image.name == name)


def source_files(checkout: Path, folders: Iterable[str]) -> dict[str, bytes]:
    """What is copied of each folder, by its path in the checkout: everything but what Python leaves behind."""
    return {
        str(file.relative_to(checkout)): file.read_bytes()
        for folder in folders
        for file in sorted((checkout / folder).rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc"
    }


def packages_key(requirements: bytes, *, machine: str, base: str) -> str:
    """What names an installed set of locked packages on a base; images with equal locks share it."""
    return digest([b"packages", RECIPE.encode(), repr(PYTHON).encode(), machine.encode(), base.encode(), requirements])


def image_key(image: Image, files: Mapping[str, bytes], *, packages: str, recipe: bytes) -> str:
    """What names an image: its target, packages, recipe (the Containerfile) and code."""
    parts = [image.name.encode(), RECIPE.encode(), packages.encode(), recipe]
    for name in sorted(files):
        parts += [name.encode(), files[name]]
    return digest(parts)


def reference(name: str, key: str, prefix: str = PREFIX) -> str:
    """The image's name in the cluster. The tag is the content: an unchanged image is never built or loaded twice."""
    return f"{prefix.rstrip('/')}/{name}:{key}"


def images_file(references: Mapping[str, str]) -> str:
    """The text of images.json: name to reference, for Helm values, the demo and the tests."""
    return json.dumps(dict(sorted(references.items())), indent=2) + "\n"


def digest(parts: Iterable[bytes]) -> str:
    """12 hexadecimal digits; each part is preceded by its length, so that no two lists run into one."""
    total = hashlib.sha256()
    for part in parts:
        total.update(f"{len(part)}:".encode() + part)
    return total.hexdigest()[:12]
