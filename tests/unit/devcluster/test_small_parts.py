"""Toolchain versions, readiness, waiting, progress, paths and the pause image."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from devcluster import api, pause, toolchain
from devcluster.errors import ClusterError
from devcluster.paths import cache_from_environment, state_from_environment
from devcluster.pki import subject_alternative_names
from devcluster.progress import Progress, duration


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("1.26", (1, 26, 0)),
        ("go1.27rc1", (1, 27, 0)),
        ("", (0, 0, 0)),
    ],
)
def test_go_versions_are_compared_by_number(text: str, version: tuple[int, int, int]) -> None:
    assert toolchain.go_version(text) == version


def test_a_package_is_missing_when_one_of_its_programs_is(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.touch()
    wanted = {"whole": ("sh", str(there)), "half": ("sh", str(tmp_path / "absent")), "none": ("no-such-program",)}
    assert toolchain.missing_packages(wanted) == ["half", "none"]


def node(
    *, ready: str = "True", heartbeat: str = "2026-01-01T00:00:10Z", taints: list[str] | None = None
) -> dict[str, object]:
    return {
        "spec": {"taints": [{"key": key} for key in taints or []]},
        "status": {"conditions": [{"type": "Ready", "status": ready, "lastHeartbeatTime": heartbeat}]},
    }


def test_a_node_counts_as_ready_when_it_says_so_and_takes_pods() -> None:
    assert api.node_is_ready(node())
    assert not api.node_is_ready(node(ready="False"))
    assert not api.node_is_ready(node(taints=["node.kubernetes.io/not-ready"]))
    assert not api.node_is_ready({})


def test_what_a_node_said_before_it_was_restarted_does_not_count() -> None:
    restarted = 1767225610.9  # 2026-01-01T00:00:10.9Z; heartbeats are whole seconds
    assert api.node_is_ready(node(heartbeat="2026-01-01T00:00:10Z"), since=restarted)
    assert not api.node_is_ready(node(heartbeat="2026-01-01T00:00:09Z"), since=restarted)


def test_waiting_ends_with_where_to_look() -> None:
    with pytest.raises(ClusterError, match=r"the sun did not come within 0 s\. look up"):
        api.wait("the sun", lambda: False, seconds=0.01, hint=lambda: "look up")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 00 s"), (434, "7 min 14 s")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_log_gets_whole_lines_with_the_verdict() -> None:
    log = io.StringIO()
    progress = Progress(log)
    with progress.step("good") as step:
        step.detail = "7 packages"
    with pytest.raises(ValueError, match="x"), progress.step("bad"):
        raise ValueError("x")
    first, second = log.getvalue().splitlines()
    assert first.startswith("  good: done in")
    assert first.endswith("(7 packages)")
    assert second.startswith("  bad: failed after")
    assert "\r" not in log.getvalue()


def test_a_state_path_too_long_for_sockets_is_refused_with_the_way_out() -> None:
    with pytest.raises(ClusterError, match="EVALUATION_DEVCLUSTER="):
        state_from_environment({"EVALUATION_DEVCLUSTER": "/" + "x" * 80})


def test_a_state_below_run_is_refused() -> None:
    with pytest.raises(ClusterError, match="/run"):
        state_from_environment({"EVALUATION_DEVCLUSTER": "/run/cluster"})


def test_what_is_thrown_away_keeps_the_images_and_nothing_outside() -> None:
    state = state_from_environment({"EVALUATION_DEVCLUSTER": "/tmp/c"})
    assert state.containerd_root not in state.throwaway()
    assert all(path.is_relative_to(state.root) and path != state.root for path in state.throwaway())


def test_the_cache_follows_the_convention() -> None:
    assert cache_from_environment({"XDG_CACHE_HOME": "/c"}) == Path("/c/evaluation-operator")
    assert cache_from_environment({"XDG_CACHE_HOME": "relative"}) == Path.home() / ".cache/evaluation-operator"


def test_alternative_names() -> None:
    assert subject_alternative_names(["localhost"], ["127.0.0.1"]) == "DNS:localhost,IP:127.0.0.1"


def test_the_pause_image_is_one_static_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "busybox"
    program.write_bytes(b"ELF")
    monkeypatch.setattr(pause, "BUSYBOX", program)
    pause.write_archive(tmp_path / "pause.tar")
    with tarfile.open(tmp_path / "pause.tar") as archive:
        members = {member.name: archive.extractfile(member) for member in archive.getmembers()}
        manifest = json.loads(members["manifest.json"].read())  # type: ignore[union-attr]
        settings = json.loads(members[manifest[0]["Config"]].read())  # type: ignore[union-attr]
    assert manifest[0]["RepoTags"] == ["localhost/pause:1"]
    assert settings["config"]["Cmd"][0] == "/bin/busybox"
    assert len(settings["rootfs"]["diff_ids"]) == 1
