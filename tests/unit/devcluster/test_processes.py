"""A process that is not ours is never ended, whatever its number."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from devcluster import processes
from devcluster.errors import ClusterError

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_the_start_time_is_read_behind_any_name() -> None:
    fields = " ".join(["S", "1", *["0"] * 17, "4711", "0"])
    assert processes.started_from_stat(f"42 (a) b) (c) {fields}") == 4711
    assert processes.state_from_stat(f"42 (a) b) (c) {fields}") == "S"


def test_identity_is_the_same_while_the_process_lives_and_none_afterwards(tmp_path: Path) -> None:
    identity = processes.start(SLEEP, tmp_path / "log")
    assert processes.identify(identity.pid) == identity
    processes.end([identity], grace_seconds=5)
    assert not processes.alive(identity)


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another"}])
def test_a_recycled_process_id_is_left_alone(tmp_path: Path, change: dict[str, object]) -> None:
    real = processes.start(SLEEP, tmp_path / "log")
    recorded = replace(real, **change)  # type: ignore[arg-type]
    processes.end([recorded], grace_seconds=0)
    assert processes.alive(real)
    processes.end([real], grace_seconds=0)


def test_one_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    log = tmp_path / "log"
    identity = processes.start([sys.executable, "-c", stubborn], log)
    while "deaf" not in log.read_text():
        time.sleep(0.01)
    processes.end([identity], grace_seconds=0.1)
    assert not processes.alive(identity)


def test_a_dead_process_waiting_to_be_collected_is_dead() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert processes.identify(child.pid) is None
    child.wait()


def test_a_program_that_ends_at_once_is_reported_with_its_log(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo no such flag >&2; exit 1"]
    with pytest.raises(ClusterError, match="no such flag"):
        identity = processes.start([*command], tmp_path / "log", in_child=True)
        os.kill(identity.pid, signal.SIGKILL)


def test_the_table_survives_a_restart_and_forgets_only_what_it_is_told(tmp_path: Path) -> None:
    table = processes.Table(tmp_path / "processes.json")
    me = processes.identify(os.getpid())
    assert me is not None
    table.put("me", me)
    table.put("other", replace(me, started=me.started + 1))
    again = processes.Table(tmp_path / "processes.json")
    assert again.get("me") == me
    assert again.get("other") is None, "another process has that number"
    again.remove(["me"])
    assert set(again.all()) == {"other"}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"etcd": {"pid": 1}}', '{"etcd": 1}'])
def test_a_table_cut_short_is_empty(tmp_path: Path, content: str) -> None:
    file = tmp_path / "processes.json"
    file.write_text(content)
    assert processes.Table(file).all() == {}
