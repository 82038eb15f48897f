"""Fills a new cloud, once for the template: populate.py CLOUD {users|images} [SERVICE=URL ...].

Passwords come in the environment as BED_SERVICE, BED_ESCALATOR and BED_READER.
"""

import os
import sys

import openstack

cloud, what, *endpoints = sys.argv[1:]
connection = openstack.connect(cloud=cloud)
TYPES = {"nova": "compute", "placement": "placement", "glance": "image", "neutron": "network"}
FLAVORS = {
    "m1": {"vcpus": 2, "ram": 2048, "disk": 1},
    "large": {"vcpus": 16, "ram": 65536, "disk": 20},
    "fast": {"vcpus": 2, "ram": 2048, "disk": 1},
}


def users():
    identity = connection.identity
    project = identity.find_project("service") or identity.create_project(name="service", domain_id="default")
    roles = {role.name: role for role in identity.roles()}
    for name in ("admin", "service", "member", "reader"):
        if name not in roles:
            roles[name] = identity.create_role(name=name)
    wanted = dict.fromkeys(("nova", "placement", "glance", "neutron"), ("BED_SERVICE", ("admin", "service")))
    wanted["escalator"] = ("BED_ESCALATOR", ("admin", "service"))
    wanted["reader"] = ("BED_READER", ("reader",))
    for name, (secret, granted) in wanted.items():
        user = identity.create_user(name=name, password=os.environ[secret], domain_id="default", default_project_id=project.id)
        for role in granted:
            identity.assign_project_role_to_user(project, user, roles[role])
    for endpoint in endpoints:
        name, _, url = endpoint.partition("=")
        service = identity.create_service(name=name, type=TYPES[name])
        for interface in ("public", "internal", "admin"):
            identity.create_endpoint(service_id=service.id, interface=interface, url=url, region_id="RegionOne")


def images():
    connection.create_image(
        "tiny", data=b"x" * 512, disk_format="raw", container_format="bare", wait=True, validate_checksum=False
    )
    for name, size in FLAVORS.items():
        connection.compute.create_flavor(name=name, **size)


{"users": users, "images": images}[what]()
