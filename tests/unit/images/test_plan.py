"""An image's name is its content."""

from pathlib import Path

import pytest

from images import plan
from images.engine import FOLDER

OPERATOR = plan.IMAGES[0]
FILES = {"operator/evaluation_operator/a.py": b"a"}


def key(
    image: plan.Image = OPERATOR, packages: str = "p", recipe: bytes = b"FROM", files: dict[str, bytes] | None = None
) -> str:
    return plan.image_key(image, {**FILES, **(files or {})}, packages=packages, recipe=recipe)


def test_whatever_is_in_the_image_changes_its_name() -> None:
    keys = [key(), key(plan.IMAGES[1]), key(packages="q"), key(recipe=b"FROM x")]
    keys += [key(files={"new": b""}), key(files={"operator/evaluation_operator/a.py": b"b"})]
    assert len(set(keys)) == len(keys)
    assert key() == key()


def test_images_with_equal_locks_share_their_packages() -> None:
    def packages(lock: bytes, machine: str = "x86_64", base: str = "b") -> str:
        return plan.packages_key(lock, machine=machine, base=base)

    assert packages(b"a==1") == packages(b"a==1")
    assert len({packages(b"a==1"), packages(b"a==2"), packages(b"a==1", "arm"), packages(b"a==1", base="c")}) == 4


def test_parts_do_not_run_into_each_other() -> None:
    assert plan.digest([b"ab", b"c"]) != plan.digest([b"a", b"bc"])


def test_what_python_leaves_behind_is_not_content(tmp_path: Path) -> None:
    code = tmp_path / "code"
    (code / "__pycache__").mkdir(parents=True)
    for name in ("a.py", "data.json", "a.pyc", "__pycache__/a.cpython-311.pyc"):
        (code / name).write_text(name)
    assert plan.source_files(tmp_path, ["code"]) == {"code/a.py": b"a.py", "code/data.json": b"data.json"}


def test_every_image_is_a_target_with_a_lock() -> None:
    containerfile = (FOLDER / "Containerfile").read_text()
    for image in plan.IMAGES:
        if image.extends:
            assert plan.named(image.extends).extends == ""
            assert (FOLDER.parent / image.code[0] / "Containerfile").read_text().startswith("ARG RUNNER=")
            continue
        assert f" AS {image.name}\n" in containerfile
        assert (FOLDER.parent / image.requirements).exists()
        assert all((FOLDER.parent / folder / "__init__.py").exists() for folder in image.code)


@pytest.mark.parametrize(
    ("image", "absent"),
    [
        ("runner-bfcl", {"kopf", "kubernetes", "fastapi", "starlette", "uvicorn"}),
        ("runner-custom", {"kopf", "kubernetes", "fastapi", "starlette", "uvicorn"}),
        ("operator", {"fastapi", "starlette", "uvicorn", "nvidia-bfcl", "jinja2"}),
        ("api", {"kopf", "nvidia-bfcl"}),
    ],
)
def test_an_image_installs_what_it_needs_and_no_more(image: str, absent: set[str]) -> None:
    lock = (FOLDER.parent / "requirements" / f"{image}.txt").read_text()
    installed = {line.partition("==")[0].partition("[")[0] for line in lock.splitlines() if "==" in line}
    assert "pydantic" in installed
    assert not installed & absent


def test_selecting_no_image_is_selecting_all() -> None:
    assert plan.select([]) == list(plan.IMAGES)
    assert [image.name for image in plan.select(["api"])] == ["api"]
