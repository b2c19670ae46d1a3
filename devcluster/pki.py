"""The certificates of one throw-away cluster, made with openssl."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import ClusterError

# A cluster that is left standing for a year is no longer throw-away, and ends with its certificates.
DAYS = "365"


@dataclass(frozen=True)
class Pki:
    """The files in one folder. Keys are readable by the owner only."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def ca_key(self) -> Path:
        return self.folder / "ca.key"

    @property
    def serving(self) -> Path:
        return self.folder / "serving.crt"

    @property
    def serving_key(self) -> Path:
        return self.folder / "serving.key"

    @property
    def admin(self) -> Path:
        return self.certificate("admin")

    @property
    def admin_key(self) -> Path:
        return self.key("admin")

    def certificate(self, user: str) -> Path:
        return self.folder / f"{user}.crt"

    def key(self, user: str) -> Path:
        return self.folder / f"{user}.key"

    @property
    def tokens(self) -> Path:
        return self.folder / "service-accounts.pub"

    @property
    def tokens_key(self) -> Path:
        return self.folder / "service-accounts.key"


def subject_alternative_names(names: Sequence[str], addresses: Sequence[str]) -> str:
    """openssl's spelling of the names and addresses that a serving certificate is valid for."""
    return ",".join([*(f"DNS:{name}" for name in names), *(f"IP:{address}" for address in addresses)])


def users(node_name: str) -> dict[str, str]:
    """Who gets a client certificate, and the subject by which Kubernetes' built-in roles know them."""
    return {
        "admin": "/O=system:masters/CN=devcluster-admin",
        "kubelet": f"/O=system:nodes/CN=system:node:{node_name}",
        "controller-manager": "/CN=system:kube-controller-manager",
        "scheduler": "/CN=system:kube-scheduler",
        "proxy": "/CN=system:kube-proxy",
        "front-proxy": "/CN=front-proxy",
    }


def make(folder: Path, *, node_name: str, names: Sequence[str], addresses: Sequence[str]) -> Pki:
    """Makes a new authority and everything it signs: one serving certificate and one for each of `users`."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    pki = Pki(folder)
    _openssl(
        "req", "-x509", *_new_key(pki.ca_key), "-out", pki.ca, "-days", DAYS, "-subj", "/CN=devcluster",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip
    names_line = "subjectAltName=" + subject_alternative_names(names, addresses)
    _signed(
        pki, pki.serving, pki.serving_key, "/CN=kube-apiserver", ["extendedKeyUsage=serverAuth,clientAuth", names_line]
    )
    for user, subject in users(node_name).items():
        _signed(pki, pki.certificate(user), pki.key(user), subject, ["extendedKeyUsage=clientAuth"])
    _openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", pki.tokens_key)
    _openssl("pkey", "-in", pki.tokens_key, "-pubout", "-out", pki.tokens)
    return pki


def _new_key(key: Path) -> list[str | Path]:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key]


def _signed(pki: Pki, certificate: Path, key: Path, subject: str, extensions: Sequence[str]) -> None:
    _openssl(
        "req", "-x509", *_new_key(key), "-out", certificate, "-days", DAYS, "-subj", subject, "-CA", pki.ca,
        "-CAkey", pki.ca_key, "-addext", "basicConstraints=critical,CA:FALSE",
        *(word for extension in extensions for word in ("-addext", extension)),
    )  # fmt: skip


def _openssl(*arguments: str | Path) -> None:
    previous = os.umask(0o077)
    try:
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    finally:
        os.umask(previous)
    if done.returncode != 0:
        raise ClusterError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
