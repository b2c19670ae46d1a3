"""What is built anew, and what is not."""

from pathlib import Path

import pytest

from devcluster import build
from devcluster.errors import ClusterError

GO_MOD = """module x

go 1.26.0

require k8s.io/kubernetes v1.37.2

require (
	helm.sh/helm/v3 v3.22.0 // indirect
)
"""
SOURCES = {"go.mod": b"module", "go.sum": b"sums", "kubernetes/main.go": b"k", "coredns/main.go": b"c"}


def key(
    program: build.Program = build.KUBERNETES, flags: str = "-s", machine: str = "x86_64", changed: tuple[str, ...] = ()
) -> str:
    return build.key(program, {**SOURCES, **dict.fromkeys(changed, b"changed")}, flags, machine)


def test_equal_content_has_an_equal_key() -> None:
    assert key() == key()


def test_everything_that_decides_the_content_changes_the_key() -> None:
    keys = [key(), key(flags="-w"), key(machine="aarch64"), key(build.COREDNS), key(build.HELM)]
    keys += [key(changed=(name,)) for name in ("go.mod", "go.sum", "kubernetes/main.go")]
    assert len(set(keys)) == len(keys)


def test_another_programs_source_does_not_change_it() -> None:
    assert key() == key(changed=("coredns/main.go",))
    assert key(build.HELM) == key(build.HELM, changed=("coredns/main.go", "kubernetes/main.go"))


def test_versions_come_from_go_mod() -> None:
    assert build.module_version(GO_MOD, "k8s.io/kubernetes") == "v1.37.2"
    assert build.module_version(GO_MOD, "helm.sh/helm/v3") == "v3.22.0"
    assert build.go_directive(GO_MOD) == "1.26.0"
    with pytest.raises(ClusterError, match="requires no version of example"):
        build.module_version(GO_MOD, "example")


def test_helm_takes_the_clusters_version_for_its_own_rendering() -> None:
    flags = build.linker_flags(build.HELM, GO_MOD)
    assert "chartutil.k8sVersionMinor=37" in flags
    assert "version.version=v3.22.0" in flags


def test_the_committed_module_pins_every_program() -> None:
    for program in build.ALL:
        go_mod = (program.home / "go.mod").read_text()
        assert build.module_version(go_mod, program.module).startswith("v")
        assert build.linker_flags(program, go_mod)


def test_links_replace_what_an_earlier_version_left(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "helm").symlink_to(tmp_path / "gone")
    build.link_into(folder, [build.HELM], {"helm": tmp_path / "new"})
    assert (folder / "helm").readlink() == tmp_path / "new"
