"""The archive that carries an image to the cluster, and no more than the cluster lacks."""

import json
import tarfile
from pathlib import Path

import pytest

from images.engine import write_archive


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    blobs = tmp_path / "oci" / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for name in ("base", "code", "config", "other"):
        (blobs / name).write_text(name)
    layers = [{"digest": f"sha256:{name}"} for name in ("base", "code", "base")]
    (blobs / "manifest").write_text(json.dumps({"config": {"digest": "sha256:config"}, "layers": layers}))
    index = {"manifests": [{"digest": "sha256:manifest", "annotations": {"org.opencontainers.image.ref.name": "it"}}]}
    (tmp_path / "oci" / "index.json").write_text(json.dumps(index))
    return tmp_path / "oci"


def names(archive: Path) -> list[str]:
    with tarfile.open(archive) as tar:
        return [name.rpartition("/")[2] for name in tar.getnames()]


def test_a_whole_image_is_written_once_each_and_nothing_else(layout: Path, tmp_path: Path) -> None:
    write_archive(layout, "localhost/x:1", tmp_path / "a.tar", without=())
    assert sorted(names(tmp_path / "a.tar")) == ["base", "code", "config", "index.json", "manifest", "oci-layout"]


def test_the_image_gets_its_name(layout: Path, tmp_path: Path) -> None:
    write_archive(layout, "localhost/x:1", tmp_path / "a.tar", without=())
    with tarfile.open(tmp_path / "a.tar") as tar:
        index = json.loads(tar.extractfile("index.json").read())  # type: ignore[union-attr]
    assert index["manifests"][0]["annotations"] == {"io.containerd.image.name": "localhost/x:1"}


def test_what_the_cluster_has_stays_behind_but_not_what_tells_it_so(layout: Path, tmp_path: Path) -> None:
    everything = {f"sha256:{name}" for name in ("base", "config", "manifest")}
    write_archive(layout, "localhost/x:1", tmp_path / "a.tar", without=everything)
    assert sorted(names(tmp_path / "a.tar")) == ["code", "config", "index.json", "manifest", "oci-layout"]
