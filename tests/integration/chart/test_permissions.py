"""The rendered roles allow what the processes ask of the Kubernetes API, and nothing else."""

import pytest

from evaluation_operator.cluster.permissions import Permission
from evaluation_operator.controller.permissions import PERMISSIONS as OPERATOR
from evaluation_operator.server.permissions import FOR_CALLERS
from evaluation_operator.server.permissions import PERMISSIONS as API
from tests.support.helm import objects, template

Right = tuple[str, str, str, str]
"""API group, resource (with its subresource), verb, and the one name that it is limited to or ""."""

both = pytest.mark.parametrize(
    ("account", "permissions"), [("evaluation-operator", OPERATOR), ("evaluation-api", API)], ids=["operator", "api"]
)


def catalogue(permissions: tuple[Permission, ...]) -> set[Right]:
    return {
        (item.resource.group, "/".join(filter(None, (item.resource.plural, item.subresource))), verb, item.name)
        for item in permissions
        for verb in item.verbs
    }


def granted(account: str, where: set[str] | None = None, *words: str) -> set[Right]:
    """What the service account may do in these namespaces ("" for everywhere), or in any."""
    rendered = objects(template(*words))
    roles = {
        (body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"]): body["rules"]
        for body in rendered
        if body["kind"] in {"Role", "ClusterRole"}
    }
    rights = set()
    for binding in rendered:
        if binding["kind"] not in {"RoleBinding", "ClusterRoleBinding"}:
            continue
        [subject] = binding["subjects"]
        namespace = binding["metadata"].get("namespace", "")
        if subject["name"] != account or (where is not None and namespace not in where):
            continue
        for rule in roles[binding["roleRef"]["kind"], namespace, binding["roleRef"]["name"]]:
            rights |= {
                (group, resource, verb, name)
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                for verb in rule["verbs"]
                for name in rule.get("resourceNames", [""])
            }
    return rights


@both
def test_cluster_wide_the_roles_are_the_catalogue(account: str, permissions: tuple[Permission, ...]) -> None:
    everywhere = tuple(item for item in permissions if not item.own_namespace)
    assert granted(account, {""}) == catalogue(everywhere)
    assert granted(account) == catalogue(permissions)


@both
def test_in_namespaces_nothing_is_granted_elsewhere(account: str, permissions: tuple[Permission, ...]) -> None:
    words = "--set=watchNamespaces={team-a,team-b}"
    there = tuple(item for item in permissions if item.resource.namespaced and not item.own_namespace)
    for namespace in ("team-a", "team-b"):
        assert granted(account, {namespace}, words) == catalogue(there)
    cluster = tuple(item for item in permissions if not item.resource.namespaced)
    assert granted(account, {""}, words) == catalogue(cluster)
    assert granted(account, None, words) == catalogue(permissions)


def test_the_rights_of_callers_are_asked_about_only_where_they_count() -> None:
    words = "--set=api.access.mode=kubernetes"
    assert granted("evaluation-api", None, words) == catalogue(API + FOR_CALLERS)
    assert granted("evaluation-operator", None, words) == catalogue(OPERATOR)


def test_the_operator_cannot_write_a_spec_nor_read_a_secret() -> None:
    rights = granted("evaluation-operator")
    ours = {"evaluationjobs", "evaluationtargets", "evaluationconfigs"}
    assert {verb for _, resource, verb, _ in rights if resource in ours} == {"get", "list", "watch"}
    assert {verb for _, resource, verb, _ in rights if resource == "secrets"} == {"create"}
    assert not [right for right in rights if "*" in right]


def test_every_rule_says_why() -> None:
    """The line above a rule is its reason: it is what a reviewer of the golden files reads."""
    unexplained = []
    for document in template().split("\n---\n"):
        if ("\nkind: ClusterRole\n" in document or "\nkind: Role\n" in document) and "helm.sh/hook" not in document:
            lines = document[document.index("\nrules:\n") :].splitlines()
            unexplained += [
                f"{line} {lines[index + 1]}"
                for index, line in enumerate(lines)
                if line.lstrip().startswith("- apiGroups:") and not lines[index - 1].lstrip().startswith("#")
            ]
    assert unexplained == []
