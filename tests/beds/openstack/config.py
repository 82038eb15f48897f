"""Configuration files of the bed's services."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from beds.openstack.layout import REGION, Layout

ADMIN_PASSWORD = "bed-admin-51c0"
SERVICE_PASSWORD = "bed-service-90fe"
ESCALATOR_PASSWORD = "bed-escalator-7d3a"
READER_PASSWORD = "bed-reader-2b88"


def write(layout: Layout, venv: Path) -> None:
    """Write every file that the services and the tests read."""
    etc = layout.etc
    (etc / "keystone" / "keystone.conf").write_text(_keystone(layout), encoding="utf-8")
    (etc / "placement" / "placement.conf").write_text(_placement(layout), encoding="utf-8")
    (etc / "glance" / "glance-api.conf").write_text(_glance(layout), encoding="utf-8")
    (etc / "nova" / "nova.conf").write_text(_nova(layout), encoding="utf-8")
    shutil.copy(venv / "etc" / "glance" / "glance-api-paste.ini", etc / "glance")
    shutil.copy(venv / "etc" / "nova" / "api-paste.ini", etc / "nova")
    layout.clouds.write_text(yaml.safe_dump({"clouds": _clouds(layout)}), encoding="utf-8")
    layout.clouds.chmod(0o600)


def database(layout: Layout, name: str) -> str:
    """URL of one of the databases."""
    return f"mysql+pymysql://root@localhost/{name}?unix_socket={layout.socket}&charset=utf8mb4"


def _clouds(layout: Layout) -> dict[str, object]:
    def entry(user: str, password: str, project: str, auth_url: str = layout.url("keystone", "/v3")) -> dict[str, object]:
        auth = {
            "auth_url": auth_url,
            "username": user,
            "password": password,
            "project_name": project,
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        return {"auth": auth, "region_name": REGION, "identity_api_version": 3}

    return {
        "bed": entry("admin", ADMIN_PASSWORD, "admin"),
        "escalator": entry("escalator", ESCALATOR_PASSWORD, "service"),
        "reader": entry("reader", READER_PASSWORD, "service"),
        "wrong-password": entry("escalator", "bed-wrong-0a1b", "service"),
        "unreachable": entry("escalator", ESCALATOR_PASSWORD, "service", layout.url("nothing", "/v3")),
    }


def _auth(layout: Layout, user: str) -> str:
    return f"""auth_type = password
auth_url = {layout.url("keystone", "/v3")}
project_name = service
project_domain_id = default
user_domain_id = default
username = {user}
password = {SERVICE_PASSWORD}
region_name = {REGION}
"""


def _keystone(layout: Layout) -> str:
    keys = layout.state / "keystone"
    return f"""[DEFAULT]
log_file = {layout.logs}/keystone.log
[database]
connection = {database(layout, "keystone")}
[token]
provider = fernet
expiration = 86400
[fernet_tokens]
key_repository = {keys}/fernet
[fernet_receipts]
key_repository = {keys}/fernet
[credential]
key_repository = {keys}/credential
[identity]
password_hash_rounds = 4
[cache]
enabled = true
backend = dogpile.cache.memory
"""


def _placement(layout: Layout) -> str:
    return f"""[DEFAULT]
log_file = {layout.logs}/placement.log
[api]
auth_strategy = keystone
[placement_database]
connection = {database(layout, "placement")}
[keystone_authtoken]
www_authenticate_uri = {layout.url("keystone", "/v3")}
service_token_roles_required = true
{_auth(layout, "placement")}"""


def _glance(layout: Layout) -> str:
    return f"""[DEFAULT]
log_file = {layout.logs}/glance.log
enabled_backends = fs:file
[database]
connection = {database(layout, "glance")}
[glance_store]
default_backend = fs
[fs]
filesystem_store_datadir = {layout.state}/glance/images
[os_glance_tasks_store]
filesystem_store_datadir = {layout.state}/glance/tasks
[os_glance_staging_store]
filesystem_store_datadir = {layout.state}/glance/staging
[paste_deploy]
flavor = keystone
[keystone_authtoken]
www_authenticate_uri = {layout.url("keystone", "/v3")}
{_auth(layout, "glance")}[oslo_concurrency]
lock_path = {layout.run}/lock
"""


def _nova(layout: Layout) -> str:
    sections = "".join(f"[{section}]\n{_auth(layout, 'nova')}" for section in ("placement", "neutron", "glance", "cinder"))
    return f"""[DEFAULT]
transport_url = rabbit://guest:guest@127.0.0.1:{layout.port("rabbit")}//
state_path = {layout.state}/nova
log_dir = {layout.logs}
my_ip = 127.0.0.1
host = ctl
compute_driver = fake.FakeDriver
report_interval = 3
service_down_time = 15
update_resources_interval = 10
scheduler_workers = 1
max_concurrent_live_migrations = 4
use_cow_images = false
force_raw_images = false
[api_database]
connection = {database(layout, "nova_api")}
[database]
connection = {database(layout, "nova")}
[conductor]
workers = 1
[scheduler]
workers = 1
discover_hosts_in_cells_interval = 2
[filter_scheduler]
enabled_filters = {_FILTERS}
available_filters = nova.scheduler.filters.all_filters
host_subset_size = 8
shuffle_best_same_weighed_hosts = true
[quota]
instances = -1
cores = -1
ram = -1
metadata_items = -1
injected_files = -1
server_groups = -1
server_group_members = -1
[keystone_authtoken]
www_authenticate_uri = {layout.url("keystone", "/v3")}
service_token_roles = service
service_token_roles_required = true
{_auth(layout, "nova")}[service_user]
send_service_user_token = true
{_auth(layout, "nova")}{sections}[notifications]
notification_format = unversioned
[oslo_messaging_notifications]
driver = noop
[oslo_concurrency]
lock_path = {layout.run}/lock
[vnc]
enabled = false
[libvirt]
images_type = raw
[api]
max_limit = 1000
"""


_FILTERS = (
    "ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,ServerGroupAntiAffinityFilter,"
    "ServerGroupAffinityFilter,AggregateInstanceExtraSpecsFilter"
)
