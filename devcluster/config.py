"""Every configuration file and command line of the one-node cluster. Pure: text in, text out."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .addresses import Addresses
from .paths import State
from .pki import Pki

NODE_NAME = "devcluster"
PAUSE_IMAGE = "localhost/pause:1"
CNI_PLUGINS = Path("/usr/lib/cni")
SYSTEM_NAMESPACE = "kube-system"
API_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", NODE_NAME)


def api_addresses(addresses: Addresses) -> tuple[str, ...]:
    """What the serving certificate must be valid for."""
    return ("127.0.0.1", addresses.node, addresses.cluster_end, addresses.api_service)


def kubeconfig(server: str, *, ca: bytes, certificate: bytes, key: bytes) -> str:
    """A kubeconfig with everything inside, so that the file can be copied. JSON, which is YAML."""
    return _json(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "devcluster",
            "clusters": [
                {"name": "devcluster", "cluster": {"server": server, "certificate-authority-data": _base64(ca)}}
            ],
            "users": [
                {
                    "name": "devcluster",
                    "user": {"client-certificate-data": _base64(certificate), "client-key-data": _base64(key)},
                }
            ],
            "contexts": [{"name": "devcluster", "context": {"cluster": "devcluster", "user": "devcluster"}}],
        }
    )


def etcd_command(binary: Path, state: State) -> list[str]:
    return [
        str(binary),
        f"--data-dir={state.etcd}",
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        # A throw-away cluster loses nothing worth the milliseconds that each flush to the disk takes.
        "--unsafe-no-fsync",
        "--quota-backend-bytes=8589934592",
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=5m",
    ]


def apiserver_command(binary: Path, addresses: Addresses, pki: Pki) -> list[str]:
    return [
        str(binary),
        "--etcd-servers=http://127.0.0.1:2379",
        f"--advertise-address={addresses.node}",
        "--secure-port=6443",
        f"--service-cluster-ip-range={addresses.services}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--client-ca-file={pki.ca}",
        f"--tls-cert-file={pki.serving}",
        f"--tls-private-key-file={pki.serving_key}",
        f"--kubelet-certificate-authority={pki.ca}",
        f"--kubelet-client-certificate={pki.admin}",
        f"--kubelet-client-key={pki.admin_key}",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki.tokens}",
        f"--service-account-signing-key-file={pki.tokens_key}",
        f"--requestheader-client-ca-file={pki.ca}",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki.certificate('front-proxy')}",
        f"--proxy-client-key-file={pki.key('front-proxy')}",
        # Ends open watches at once when it is stopped, instead of waiting for a minute.
        "--shutdown-delay-duration=0s",
    ]


def controller_manager_command(binary: Path, state: State, pki: Pki) -> list[str]:
    return [
        str(binary),
        f"--kubeconfig={state.config / 'controller-manager.kubeconfig'}",
        "--use-service-account-credentials",
        f"--root-ca-file={pki.ca}",
        f"--service-account-private-key-file={pki.tokens_key}",
        f"--cluster-signing-cert-file={pki.ca}",
        f"--cluster-signing-key-file={pki.ca_key}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
    ]


def scheduler_command(binary: Path, state: State) -> list[str]:
    return [
        str(binary),
        f"--kubeconfig={state.config / 'scheduler.kubeconfig'}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
    ]


def containerd_config(state: State, *, snapshotter: str) -> str:
    """containerd with root, state and socket of its own, so that it never meets another containerd."""
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    unused = ", ".join(f'"io.containerd.snapshotter.v1.{name}"' for name in ("aufs", "btrfs", "devmapper", "zfs"))
    return f"""version = 2
root = {_toml(state.containerd_root)}
state = {_toml(state.containerd_state / "containerd")}
disabled_plugins = [{unused}]

[grpc]
  address = {_toml(state.containerd_socket)}

[plugins."io.containerd.internal.v1.opt"]
  path = {_toml(state.containerd_root / "opt")}

[{cri}]
  sandbox_image = "{PAUSE_IMAGE}"
  # Where the capability CAP_SYS_RESOURCE is missing, runc may not lower oom_score_adj and dies with
  # "can't get final child's PID from pipe: EOF".
  restrict_oom_score_adj = true

[{cri}.containerd]
  snapshotter = "{snapshotter}"
  default_runtime_name = "runc"

[{cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[{cri}.containerd.runtimes.runc.options]
  SystemdCgroup = false

[{cri}.cni]
  bin_dir = "{CNI_PLUGINS}"
  conf_dir = {_toml(state.config / "cni")}
"""


def cni_config(state: State, addresses: Addresses) -> str:
    """A bridge is all that one node needs: no overlay, no routes to other nodes."""
    return _json(
        {
            "cniVersion": "0.4.0",
            "name": "devcluster",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": "cni0",
                    "isGateway": True,
                    "ipMasq": True,
                    "hairpinMode": True,
                    "ipam": {
                        "type": "host-local",
                        "dataDir": str(state.cni / "addresses"),
                        "ranges": [[{"subnet": addresses.pods}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }
    )


def kubelet_config(state: State, addresses: Addresses, pki: Pki, *, cgroup_root: str) -> str:
    return _json(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(pki.ca)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(pki.serving),
            "tlsPrivateKeyFile": str(pki.serving_key),
            "containerRuntimeEndpoint": f"unix://{state.containerd_socket}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": cgroup_root,
            # True by default since 1.35; many machines (and most build sandboxes) still have cgroup v1.
            "failCgroupV1": False,
            "failSwapOn": False,
            "clusterDNS": [addresses.node],
            "clusterDomain": "cluster.local",
            "resolvConf": "",
            "podLogsDir": str(state.pod_logs),
            "volumePluginDir": str(state.kubelet / "volume-plugins"),
            "maxPods": 250,
            # A nearly full disk of the developer is no reason to throw away images that are loaded by hand.
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "nodefs.inodesFree": "1%",
                "imagefs.available": "1%",
            },
            "shutdownGracePeriod": "0s",
            "shutdownGracePeriodCriticalPods": "0s",
        }
    )


def kubelet_command(binary: Path, state: State, addresses: Addresses) -> list[str]:
    return [
        str(binary),
        f"--config={state.config / 'kubelet.json'}",
        f"--kubeconfig={state.config / 'kubelet.kubeconfig'}",
        f"--root-dir={state.kubelet}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={addresses.node}",
    ]


def proxy_config(state: State, addresses: Addresses) -> str:
    return _json(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": str(state.config / "proxy.kubeconfig")},
            "mode": "iptables",
            "clusterCIDR": addresses.pods,
            "hostnameOverride": NODE_NAME,
            # The limit is the machine's, not the network namespace's: it may not be written here, and is none
            # of our business.
            "conntrack": {"maxPerCore": 0},
        }
    )


def proxy_command(binary: Path, state: State) -> list[str]:
    return [str(binary), f"--config={state.config / 'proxy.json'}"]


def corefile(state: State, addresses: Addresses, *, upstream: Sequence[str]) -> str:
    """Names of the cluster, and the machine's own name servers (`upstream`) for the rest where there are any."""
    forward = f"    forward . {' '.join(upstream)}\n" if upstream else ""
    return (
        ".:53 {\n"
        f"    bind {addresses.node}\n"
        "    errors\n"
        "    ready 127.0.0.1:8181\n"
        "    kubernetes cluster.local in-addr.arpa {\n"
        f"        kubeconfig {state.config / 'dns.kubeconfig'} devcluster\n"
        "        fallthrough in-addr.arpa\n"
        "        ttl 5\n"
        "    }\n"
        f"{forward}"
        "    cache 5\n"
        "}\n"
    )


def upstream_servers(resolv_conf: str) -> list[str]:
    """The name servers of a resolv.conf that can be reached from another network namespace: not those on
    loopback.
    """
    words = [line.split() for line in resolv_conf.splitlines()]
    servers = [line[1] for line in words if len(line) > 1 and line[0] == "nameserver"]
    return [server for server in servers if not server.startswith("127.") and server != "::1" and "%" not in server][:3]


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


def _toml(path: Path) -> str:
    # A TOML basic string escapes as JSON does.
    return json.dumps(str(path))


def _base64(pem: bytes) -> str:
    return base64.b64encode(pem).decode()
