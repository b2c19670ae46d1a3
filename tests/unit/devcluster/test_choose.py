"""Which cluster is used: never one that the user did not name."""

import pytest

from devcluster.choose import choose
from devcluster.errors import ClusterError


def test_docker_is_preferred_to_a_node_of_our_own() -> None:
    assert choose({}, docker=True).kind == "kind"
    assert choose({}, docker=False).kind == "node"


def test_a_kubeconfig_alone_is_not_consent() -> None:
    assert choose({"KUBECONFIG": "/home/me/.kube/production"}, docker=False).kind == "node"


def test_a_named_cluster_is_used_and_the_more_special_variable_wins() -> None:
    environment = {"EVALUATION_CLUSTER": "current", "KUBECONFIG": "/a", "CLUSTER_KUBECONFIG": "/b"}
    choice = choose(environment, docker=True)
    assert (choice.kind, choice.kubeconfig) == ("named", "/b")
    assert "CLUSTER_KUBECONFIG" in choice.why


def test_a_named_cluster_without_a_variable_is_kubectls_default() -> None:
    assert choose({"EVALUATION_CLUSTER": "current"}, docker=None).kubeconfig == ""


@pytest.mark.parametrize("asked", ["node", "kind"])
def test_a_kind_that_is_asked_for_is_given(asked: str) -> None:
    assert choose({"EVALUATION_CLUSTER": asked}, docker=True).kind == asked


def test_kind_without_docker_says_what_to_do() -> None:
    with pytest.raises(ClusterError, match="start Docker, or unset EVALUATION_CLUSTER"):
        choose({"EVALUATION_CLUSTER": "kind"}, docker=False)


def test_an_unknown_choice_names_the_known_ones() -> None:
    with pytest.raises(ClusterError, match="use auto, current, kind or node"):
        choose({"EVALUATION_CLUSTER": "minikube"}, docker=False)


@pytest.mark.parametrize("blank", ["", " ", "auto"])
def test_blank_is_automatic(blank: str) -> None:
    assert choose({"EVALUATION_CLUSTER": blank}, docker=False).kind == "node"
