"""Building the programs that no package carries, once for each content.

A program's folder in the cache is named by a digest of everything that decides its content, so that a change
builds it anew and a second checkout, a second cluster or a second user's run does not.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import toolchain
from .errors import ClusterError
from .paths import PROGRAMS, S3
from .progress import Progress, Step

STRIP = "-s -w"


@dataclass(frozen=True)
class Program:
    """`package` as `go build` takes it; `names` are the commands it serves; `module` is where its version
    comes from; `home` is the folder of the Go module that pins it.
    """

    name: str
    package: str
    module: str
    names: tuple[str, ...]
    home: Path = PROGRAMS


KUBERNETES = Program(
    "kubernetes",
    "./kubernetes",
    "k8s.io/kubernetes",
    ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"),
)
COREDNS = Program("coredns", "./coredns", "github.com/coredns/coredns", ("coredns",))
HELM = Program("helm", "helm.sh/helm/v3/cmd/helm", "helm.sh/helm/v3", ("helm",))
KUBECONFORM = Program(
    "kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform", "github.com/yannh/kubeconform", ("kubeconform",)
)
KWOK = Program("kwok", "sigs.k8s.io/kwok/cmd/kwok", "sigs.k8s.io/kwok", ("kwok",))
KIND = Program("kind", "sigs.k8s.io/kind", "sigs.k8s.io/kind", ("kind",))
VERSITYGW = Program(
    "versitygw",
    "github.com/versity/versitygw/cmd/versitygw",
    "github.com/versity/versitygw",
    ("versitygw",),
    S3,
)
"""An S3 server on a folder, for tests of the artifact store."""
ALL = (KUBERNETES, COREDNS, HELM, KUBECONFORM, KWOK, KIND, VERSITYGW)


def module_version(go_mod: str, module: str) -> str:
    """The version that a go.mod requires of `module`. Raises ClusterError when it requires none."""
    match = re.search(rf"^\s*(?:require\s+)?{re.escape(module)}\s+(v\S+)", go_mod, re.MULTILINE)
    if match is None:
        raise ClusterError(f"the go.mod requires no version of {module}")
    return match[1]


def go_directive(go_mod: str) -> str:
    """The least Go version that a go.mod asks for."""
    match = re.search(r"^go\s+(\S+)", go_mod, re.MULTILINE)
    if match is None:
        raise ClusterError("the go.mod below devcluster/ names no Go version")
    return match[1]


def linker_flags(program: Program, go_mod: str) -> str:
    """`-ldflags`: smaller files, and the version each program reports."""
    variables: dict[str, str] = {}
    if program == KUBERNETES:
        version, major, minor = _kubernetes(go_mod)
        prefix = "k8s.io/component-base/version"
        variables = {
            f"{prefix}.gitVersion": version,
            f"{prefix}.gitMajor": major,
            f"{prefix}.gitMinor": minor,
        }
    elif program == HELM:
        variables = {"helm.sh/helm/v3/internal/version.version": module_version(go_mod, program.module)}
        # What Helm takes for the cluster's version when it renders without one.
        _, major, minor = _kubernetes(go_mod)
        for package in ("chartutil", "lint/rules"):
            variables[f"helm.sh/helm/v3/pkg/{package}.k8sVersionMajor"] = major
            variables[f"helm.sh/helm/v3/pkg/{package}.k8sVersionMinor"] = minor
    elif program == KUBECONFORM:
        variables = {"main.version": module_version(go_mod, program.module)}
    return " ".join([STRIP, *(f"-X {name}={value}" for name, value in variables.items())])


def _kubernetes(go_mod: str) -> tuple[str, str, str]:
    """Version, major and minor."""
    version = module_version(go_mod, KUBERNETES.module)
    major, minor = version.removeprefix("v").split(".")[:2]
    return version, major, minor


def key(program: Program, sources: Mapping[str, bytes], flags: str, machine: str) -> str:
    """16 hexadecimal digits of a digest over all that decides the program's content.

    `sources` are the contents of the module's files by relative path; a program from outside depends on
    go.mod and go.sum only.
    """
    digest = hashlib.sha256()
    for part in (program.package, flags, machine):
        digest.update(f"{part}\0".encode())
    for name in sorted(sources):
        mine = name.startswith(program.package.removeprefix("./") + "/")
        if name in {"go.mod", "go.sum"} or mine:
            digest.update(f"{name}\0{len(sources[name])}\0".encode() + sources[name])
    return digest.hexdigest()[:16]


def build(programs: Sequence[Program], cache: Path, progress: Progress) -> dict[str, Path]:
    """Builds what the cache lacks, all in one `go build`, which shares packages and cores between programs
    best.

    Returns the file of each program by its name.
    """
    files: dict[str, Path] = {}
    for home in dict.fromkeys(program.home for program in programs):
        files |= _build_in(home, [program for program in programs if program.home == home], cache, progress)
    return files


def _build_in(home: Path, programs: Sequence[Program], cache: Path, progress: Progress) -> dict[str, Path]:
    sources = _sources(home)
    go_mod = sources["go.mod"].decode()
    flags = {program.name: linker_flags(program, go_mod) for program in programs}
    files = {
        program.name: cache
        / "programs"
        / f"{program.name}-{key(program, sources, flags[program.name], platform.machine())}"
        / program.name
        for program in programs
    }  # fmt: skip
    if all(file.exists() for file in files.values()):
        return files
    with _only_one(cache):
        missing = [program for program in programs if not files[program.name].exists()]
        if missing:
            go = toolchain.go(go_directive(go_mod), cache, progress)
            _go_build(go, missing, flags, files, progress)
    return files


def link_into(folder: Path, programs: Sequence[Program], files: Mapping[str, Path]) -> None:
    """Makes `folder` hold each program under each of its names, replacing what was there."""
    for program in programs:
        for name in program.names:
            link(folder, name, files[program.name])


def link(folder: Path, name: str, file: Path) -> None:
    """Makes `folder/name` lead to `file`, in one step: somebody may be starting it."""
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f".{name}.new"
    new.unlink(missing_ok=True)
    new.symlink_to(file)
    new.replace(folder / name)


def _go_build(
    go: Path, programs: Sequence[Program], flags: Mapping[str, str], files: Mapping[str, Path], progress: Progress
) -> None:
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOWORK": "off",
        "GOTOOLCHAIN": "local",
    }
    packages = [program.package for program in programs]
    home = programs[0].home
    names = ", ".join(program.name for program in programs)
    with progress.step(f"fetching the sources of {names}") as step:
        _follow([str(go), "list", "-deps", *packages], home, environment, step, "packages")
        total = step.detail.split()[0]
    # The output folder lies on the same file system as the cache, so that a finished file is moved there in
    # one step.
    output = next(iter(files.values())).parent.parent / ".building"
    # We hold the lock: one that is there was left by a run that was killed.
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    command = ["nice", str(go), "build", "-v", "-trimpath", "-o", f"{output}/"]
    for program in programs:
        full = f"./{program.name}" if program.package.startswith("./") else program.package
        command.append(f"-ldflags={full}={flags[program.name]}")
    try:
        with progress.step(f"building {names} (minutes the first time, seconds when Go's cache is warm)") as step:
            _follow([*command, *packages], home, environment, step, f"of at most {total} packages compiled")
        for program in programs:
            final = files[program.name]
            final.parent.mkdir(parents=True, exist_ok=True)
            (output / program.name).replace(final)
    finally:
        shutil.rmtree(output)


def _follow(command: Sequence[str], home: Path, environment: Mapping[str, str], step: Step, unit: str) -> None:
    """Runs it, shows in `step` how many lines it has printed, and raises ClusterError with the last of them
    when it fails.
    """
    process = subprocess.Popen(
        command, cwd=home, env=dict(environment), text=True, errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None  # noqa: S101
    said: deque[str] = deque(maxlen=40)
    # `go build -v` names packages on stderr, `go list` on stdout, and both tell of downloads on stderr.
    count = [0]

    def read(stream: Iterator[str]) -> None:
        for line in stream:
            said.append(line)
            if line.startswith("go: downloading"):
                step.detail = line.removeprefix("go: ").strip()
            else:
                count[0] += 1
                step.detail = f"{count[0]} {unit}"

    readers = [threading.Thread(target=read, args=(stream,)) for stream in (process.stdout, process.stderr)]
    for reader in readers:
        reader.start()
    try:
        code = process.wait()
    except BaseException:
        process.terminate()
        raise
    finally:
        for reader in readers:
            reader.join()
        process.stdout.close()
        process.stderr.close()
    step.detail = f"{count[0]} {unit}"
    if code != 0:
        raise ClusterError(f"`{' '.join(command)}` failed with exit code {code}:\n{''.join(said)}")


def _sources(home: Path) -> dict[str, bytes]:
    wanted = [home / "go.mod", home / "go.sum", *home.rglob("*.go")]
    return {str(file.relative_to(home)): file.read_bytes() for file in wanted}


@contextmanager
def _only_one(cache: Path) -> Iterator[None]:
    """Two clusters of one user share a cache: the second waits and then finds what the first built."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
