"""The command line: `python3 -m devcluster COMMAND`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from . import build, cluster, onenode
from .errors import ClusterError
from .paths import State, state_from_environment
from .progress import Progress, end_in_order


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    end_in_order()
    progress = Progress()
    try:
        state = state_from_environment()
        if options.command == "tools":
            programs = [program for program in build.ALL if program.name in options.names]
            cluster.build_tools(state, programs, progress)
            _print_use(state, None)
            return 0
        return _with_cluster(options, state, progress)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; `python3 -m devcluster down` cleans up", file=sys.stderr)
        return 130


def _with_cluster(options: argparse.Namespace, state: State, progress: Progress) -> int:
    chosen = cluster.current(state, progress, os.environ)
    if options.command == "kubeconfig":
        print(chosen.kubeconfig())
        return 0
    if options.command == "status":
        report = chosen.status()
        for name, health in report.items():
            print(f"{name:24} {health.text}")
        if not report:
            print("no cluster stands")
        return 0 if report and all(health.well for health in report.values()) else 1
    with cluster.locked(state):
        match options.command:
            case "up":
                chosen.up()
                _print_use(state, chosen.kubeconfig())
            case "down":
                chosen.down(purge=options.purge)
            case "load":
                chosen.load(options.archives)
            case "restart-node":
                chosen.restart_node()
            case "start-part":
                onenode.standing(state).start(options.name)
            case "stop-part":
                onenode.standing(state).stop(options.name)
    return 0


def _print_use(state: State, kubeconfig: Path | None) -> None:
    print("use it with:")
    if kubeconfig is not None:
        print(f"  export KUBECONFIG={kubeconfig}")
    print(f"  export PATH={state.bin}:$PATH")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m devcluster",
        description="A Kubernetes cluster for development: the one you name (EVALUATION_CLUSTER=current), else kind "
        "where Docker answers, else a one-node Kubernetes built and run on this machine.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="make or repair the cluster; does nothing when all of it runs")
    down = commands.add_parser("down", help="remove the cluster; loaded images are kept for the next one")
    down.add_argument("--purge", action="store_true", help="remove the loaded images, logs and tools, too")
    commands.add_parser("status", help="tell which parts run; exit code 1 unless all do")
    commands.add_parser("kubeconfig", help="print the path of the cluster's kubeconfig")
    load = commands.add_parser("load", help="put image archives (docker or OCI) into the cluster")
    load.add_argument("archives", nargs="+", type=Path, metavar="IMAGE_TAR")
    commands.add_parser("restart-node", help="cut the node's power and give it back: every pod dies at once")
    for verb in ("start", "stop"):
        part = commands.add_parser(f"{verb}-part", help=f"{verb} one program of the one-node cluster")
        part.add_argument("name", help="for instance kube-apiserver or kubelet")
    tools = commands.add_parser("tools", help="build client programs without a cluster")
    names = [program.name for program in build.ALL]
    tools.add_argument(
        "names", nargs="*", default=["helm", "kubeconform"], choices=names, metavar="NAME", help=", ".join(names)
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
