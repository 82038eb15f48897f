"""The OpenStack driver: Nova, Placement and Neutron behind the port of the Cloud Manager.

`OpenStackCloud` is what the wiring makes. The modules: `client` (threads, connection), `refusals` (their errors become
ours), `inventory`, `resources` and `migration_kind` (what the cloud's answers mean), `services`, `moves`, `power`.
"""

from escalator.cloud_manager.openstack.driver import OpenStackCloud

__all__ = ["OpenStackCloud"]
