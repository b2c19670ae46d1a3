"""Clusters beside each other never share an address."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from devcluster.addresses import NUMBERS, Addresses, free_numbers
from devcluster.errors import ClusterError


def test_ranges_of_one_cluster_lie_in_its_own_and_do_not_overlap() -> None:
    for number in NUMBERS:
        addresses = Addresses(number)
        whole, pods, services = (IPv4Network(net) for net in (addresses.whole, addresses.pods, addresses.services))
        assert pods.subnet_of(whole)
        assert services.subnet_of(whole)
        assert not pods.overlaps(services)
        assert IPv4Address(addresses.node) in pods
        assert IPv4Address(addresses.api_service) in services
        for end in (addresses.machine_end, addresses.cluster_end):
            assert IPv4Address(end) in whole
            assert IPv4Address(end) not in pods
            assert IPv4Address(end) not in services


def test_clusters_do_not_overlap() -> None:
    networks = [IPv4Network(Addresses(number).whole) for number in NUMBERS]
    assert not any(a.overlaps(b) for i, a in enumerate(networks) for b in networks[i + 1 :])


def test_a_route_of_the_machine_takes_the_numbers_it_overlaps() -> None:
    assert free_numbers(["192.168.1.0/24", "10.200.7.0/24"], [])[0] == 1
    assert free_numbers(["10.201.0.0/16"], [])[:2] == [0, 2]
    # A single address is a route, too.
    assert free_numbers(["10.200.3.4"], [])[0] == 1


def test_a_name_in_use_is_not_taken() -> None:
    assert free_numbers([], ["evo0", "eth0"])[0] == 1


def test_no_number_left_says_where_to_look() -> None:
    with pytest.raises(ClusterError, match="ip route"):
        free_numbers(["10.0.0.0/8"], [])
