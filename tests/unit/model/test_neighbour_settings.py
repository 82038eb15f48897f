"""Settings of neighbours that cannot be."""

from __future__ import annotations

from escalator.model.neighbour_settings import Neighbours, neighbour_problems

COMMANDS = {"enter": ("/bin/true",), "leave": ("/bin/true",)}


def places(driver: str, **said: object) -> list[str]:
    return [problem.path for problem in neighbour_problems(Neighbours.model_validate(said), driver)]


def test_a_simulated_cloud_has_no_masakari():
    assert places("simulated", masakari={"enabled": True}) == ["neighbours.masakari.enabled"]
    assert places("openstack", masakari={"enabled": True}) == []


def test_two_neighbours_of_one_name_could_not_be_told_apart():
    hooks = {"masakari": COMMANDS, "alertmanager": COMMANDS, "billing": COMMANDS}
    assert places("openstack", hooks=hooks) == []
    both = {"masakari": {"enabled": True}, "alertmanager": {"url": "http://alerts.example.net"}}
    assert places("openstack", hooks=hooks, **both) == ["neighbours.hooks.alertmanager", "neighbours.hooks.masakari"]


def test_alertmanager_takes_three_ways_of_authentication():
    assert places("openstack", alertmanager={"auth": {"type": "tls-cert"}}) == ["neighbours.alertmanager.auth.type"]
