"""The settings without which the one-node cluster does not start, or disturbs its neighbours."""

import base64
import json
import tomllib
from pathlib import Path

import pytest

from devcluster import config
from devcluster.addresses import Addresses
from devcluster.errors import ClusterError
from devcluster.parts import CONTROL_PLANE, NODE, Parts
from devcluster.paths import State
from devcluster.pki import Pki

STATE = State(Path('/tmp/a "b"'))
ADDRESSES = Addresses(3)
PKI = Pki(STATE.pki)


def test_containerd_never_meets_another_and_needs_no_resource_capability() -> None:
    settings = tomllib.loads(config.containerd_config(STATE, snapshotter="overlayfs"))
    assert settings["root"] == str(STATE.containerd_root)
    assert settings["state"].startswith(str(STATE.root))
    assert settings["grpc"]["address"] == str(STATE.containerd_socket)
    cri = settings["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["restrict_oom_score_adj"] is True
    assert cri["sandbox_image"] == config.PAUSE_IMAGE
    assert cri["containerd"]["snapshotter"] == "overlayfs"


def test_kubelet_runs_on_old_cgroups_and_keeps_below_its_own() -> None:
    settings = json.loads(config.kubelet_config(STATE, ADDRESSES, PKI, cgroup_root="/evo3"))
    assert settings["failCgroupV1"] is False
    assert settings["cgroupRoot"] == "/evo3"
    assert settings["clusterDNS"] == [ADDRESSES.node]
    assert settings["imageGCHighThresholdPercent"] == 100
    assert settings["podLogsDir"].startswith(str(STATE.root))
    assert settings["authorization"] == {"mode": "Webhook"}


def test_the_proxy_does_not_write_the_machines_limits() -> None:
    settings = json.loads(config.proxy_config(STATE, ADDRESSES))
    assert settings["conntrack"]["maxPerCore"] == 0
    assert settings["mode"] == "iptables"


def test_pods_get_addresses_of_their_cluster() -> None:
    bridge = json.loads(config.cni_config(STATE, ADDRESSES))["plugins"][0]
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.203.0.0/17"}]]
    assert bridge["ipam"]["dataDir"].startswith(str(STATE.root))


def test_a_kubeconfig_needs_no_other_file() -> None:
    text = config.kubeconfig("https://10.0.0.1:6443", ca=b"CA", certificate=b"CERT", key=b"KEY")
    user = json.loads(text)["users"][0]["user"]
    assert base64.b64decode(user["client-key-data"]) == b"KEY"


def test_names_outside_the_cluster_are_asked_for_where_that_is_possible() -> None:
    assert "forward . 1.1.1.1 8.8.8.8\n" in config.corefile(STATE, ADDRESSES, upstream=["1.1.1.1", "8.8.8.8"])
    assert "forward" not in config.corefile(STATE, ADDRESSES, upstream=[])


def test_name_servers_on_loopback_cannot_be_reached_from_the_cluster() -> None:
    text = (
        "# nameserver 9.9.9.9\nsearch x\nnameserver 127.0.0.53\nnameserver ::1\nnameserver fe80::1%eth0\nnameserver\n"
    )
    assert config.upstream_servers(text) == []
    assert config.upstream_servers(text + "nameserver 10.1.1.1\n") == ["10.1.1.1"]


def test_every_part_has_a_command_and_unknown_ones_are_named() -> None:
    parts = Parts(STATE, ADDRESSES, "overlayfs")
    for name in (*CONTROL_PLANE, *NODE):
        assert Path(parts.command(name)[0]).name == name
    with pytest.raises(ClusterError, match="its parts are etcd, kube-apiserver"):
        parts.command("cloud-controller-manager")


def test_the_server_certificate_is_valid_for_every_address_it_is_reached_by() -> None:
    addresses = config.api_addresses(ADDRESSES)
    assert ADDRESSES.node in addresses
    assert ADDRESSES.api_service in addresses
