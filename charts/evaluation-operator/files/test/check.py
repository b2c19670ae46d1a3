"""`helm test`: does the release work? Run in the cluster with the standard library only."""

import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
GROUP = "/apis/evaluation-operator.dev/v1alpha1"


def fetch(url: str, token: str = "", ca: str = "") -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})  # noqa: S310
    context = ssl.create_default_context(cafile=ca) if ca else None
    with urllib.request.urlopen(request, timeout=10, context=context) as response:  # noqa: S310
        return response.read()


def kubernetes(path: str) -> dict:
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    address = f"[{host}]" if ":" in host else host
    url = f"https://{address}:{os.environ['KUBERNETES_SERVICE_PORT']}{path}"
    return json.loads(fetch(url, (ACCOUNT / "token").read_text(), str(ACCOUNT / "ca.crt")))


def kinds() -> str:
    namespace = os.environ["JOBS_NAMESPACE"]
    counts = [
        f"{len(kubernetes(f'{GROUP}/namespaces/{namespace}/{plural}')['items'])} {plural}"
        for plural in ("evaluationjobs", "evaluationtargets", "evaluationconfigs")
    ]
    return f"the API server serves the kinds ({', '.join(counts)} in {namespace})"


def leader() -> str:
    namespace = os.environ["RELEASE_NAMESPACE"]
    lease = kubernetes(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{os.environ['LEASE']}")
    holder = lease["spec"].get("holderIdentity")
    if not holder:
        raise RuntimeError("nobody holds the operator's lease")
    return f"the operator works ({holder} leads)"


def operator() -> str:
    fetch(f"{os.environ['OPERATOR_URL']}/readyz")
    return "an operator replica is ready"


def api() -> str:
    fetch(f"{os.environ['EVALUATION_API_URL']}/health", ca=os.environ.get("EVALUATION_API_CA_FILE", ""))
    return "evaluation-api answers"


def main() -> int:
    failed = 0
    for check in (kinds, operator, leader, api):
        try:
            print(f"ok      {check()}", flush=True)
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            failed += 1
            print(f"FAILED  {check.__name__}: {error}", flush=True)
    return 1 if failed else 0


sys.exit(main())
