"""Nova's fake hypervisor with what rolling-upgrade tests need.

Node ids and instances survive a restart, live migrations take time and report progress, and two files for each host
are read again at every call:

`HOST.json`, the facts: {"hypervisor_version": 1002003 | "1.2.3", "hypervisor_version_file": "/path", "vcpus": 32,
"memory_mb": 65536, "inventory": {"CUSTOM_X": 2}, "traits": ["CUSTOM_FAST"]}. A version file holds one of the two forms.

`HOST.faults.json`, by operation: {"live_migration": {"seconds": 8, "fail": "error" | "hang", "only": [uuid]},
"pre_live_migration": {"fail": 1, "seconds": 2}, ...}.
"""

import json
import os
import threading
import time
import uuid
from pathlib import Path

from nova import exception
from nova.virt import fake
from oslo_log import log as logging

LOG = logging.getLogger(__name__)
NAMESPACE = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
GIB = 1 << 30
OURS = ("CUSTOM_", "HW_", "STORAGE_")
"""Traits that Nova itself does not derive from the driver's capabilities."""


def node_uuid(host):
    return str(uuid.uuid5(NAMESPACE, host))


def as_version(value):
    """The integer that hypervisors report: major * 1000000 + minor * 1000 + micro."""
    text = str(value).strip()
    if text.isdecimal():
        return int(text)
    major, minor, micro = ([int(part) for part in text.split("-")[0].split(".")] + [0, 0])[:3]
    return major * 1_000_000 + minor * 1_000 + micro


def read_json(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


class Driver(fake.FakeDriver):
    vcpus, memory_mb, local_gb = 64, 262144, 4000
    capabilities = dict(fake.FakeDriver.capabilities, supports_evacuate=True)  # noqa: RUF012 -- as Nova reads it

    def init_host(self, host):
        super().init_host(host)
        files = Path(os.environ["OSBED_HOSTS"])
        self._facts_file, self._faults_file = files / f"{host}.json", files / f"{host}.faults.json"
        self._disk = Path(os.environ["OSBED_STATE"]) / f"{host}.instances.json"
        self._moving = {}
        self._saving = threading.Lock()
        for key, (name, state) in read_json(self._disk).items():
            self.instances[key] = fake.FakeInstance(name, state, key)

    def _save(self):
        scratch = self._disk.with_suffix(".tmp")
        with self._saving:  # several instances change at once, each in a thread of its own
            scratch.write_text(json.dumps({k: (i.name, i.state) for k, i in list(self.instances.items())}), encoding="utf-8")
            scratch.replace(self._disk)

    def _fault(self, operation, instance=None):
        fault = read_json(self._faults_file).get(operation, {})
        if instance is not None and fault.get("only") and instance.uuid not in fault["only"]:
            return {}
        return fault

    def _suffer(self, operation, instance=None):
        fault = self._fault(operation, instance)
        if fault.get("seconds"):
            time.sleep(fault["seconds"])
        if fault.get("fail") and operation == "check_can_live_migrate_destination":
            raise exception.MigrationPreCheckError(reason=f"injected on {self._host}")
        if fault.get("fail"):
            raise exception.NovaException(f"injected: {operation} on {self._host}")

    # What the host is and offers

    def _facts(self):
        facts = read_json(self._facts_file)
        try:
            facts["hypervisor_version"] = Path(facts["hypervisor_version_file"]).read_text(encoding="utf-8")
        except (KeyError, OSError):
            pass
        return facts

    def get_host_uptime(self):
        self._suffer("uptime")
        return " 00:00:00 up 1 day,  0:00,  0 users,  load average: 0.00, 0.00, 0.00"

    def get_available_resource(self, nodename):
        self._suffer("available_resource")
        facts = self._facts()
        found = super().get_available_resource(nodename)
        found["uuid"] = node_uuid(nodename)
        found["hypervisor_version"] = as_version(facts.get("hypervisor_version", 1_000_000))
        found["vcpus"] = facts.get("vcpus", self.vcpus)
        found["memory_mb"] = facts.get("memory_mb", self.memory_mb)
        return found

    def get_nodenames_by_uuid(self, refresh=False):
        return {node_uuid(name): name for name in self.get_available_nodes()}

    def update_provider_tree(self, provider_tree, nodename, allocations=None):
        super().update_provider_tree(provider_tree, nodename, allocations)
        facts = self._facts()
        inventory = dict(provider_tree.data(nodename).inventory)
        for name, key in (("VCPU", "vcpus"), ("MEMORY_MB", "memory_mb")):
            if key in facts:
                inventory[name] = dict(inventory[name], total=facts[key], max_unit=facts[key])
        for name, total in facts.get("inventory", {}).items():
            inventory[name] = {
                "total": total,
                "min_unit": 1,
                "max_unit": total,
                "step_size": 1,
                "allocation_ratio": 1.0,
                "reserved": 0,
            }
        provider_tree.update_inventory(nodename, inventory)
        traits = set(facts.get("traits", []))
        known = provider_tree.data(nodename).traits
        provider_tree.remove_traits(nodename, *(t for t in known if t.startswith(OURS) and t not in traits))
        provider_tree.add_traits(nodename, *traits)

    # Life of instances

    def spawn(self, context, instance, *args, **kwargs):
        self._suffer("spawn", instance)
        super().spawn(context, instance, *args, **kwargs)
        self._save()

    def destroy(self, *args, **kwargs):
        super().destroy(*args, **kwargs)
        self._save()

    def power_off(self, instance, *args, **kwargs):
        self._suffer("power_off", instance)
        super().power_off(instance, *args, **kwargs)
        self._save()

    def power_on(self, context, instance, *args, **kwargs):
        self._suffer("power_on", instance)
        super().power_on(context, instance, *args, **kwargs)
        self._save()

    # Moves

    def pre_live_migration(self, context, instance, *args, **kwargs):
        self._suffer("pre_live_migration", instance)  # on the destination
        return super().pre_live_migration(context, instance, *args, **kwargs)

    def check_can_live_migrate_destination(self, context, instance, *args, **kwargs):
        self._suffer("check_can_live_migrate_destination", instance)
        return super().check_can_live_migrate_destination(context, instance, *args, **kwargs)

    def migrate_disk_and_power_off(self, context, instance, *args, **kwargs):
        self._suffer("migrate_disk_and_power_off", instance)
        return super().migrate_disk_and_power_off(context, instance, *args, **kwargs)

    def finish_migration(self, context, migration, instance, *args, **kwargs):
        self._suffer("finish_migration", instance)
        return super().finish_migration(context, migration, instance, *args, **kwargs)

    def finish_revert_migration(self, context, instance, *args, **kwargs):
        super().finish_revert_migration(context, instance, *args, **kwargs)
        self._save()

    def live_migration(self, context, instance, dest, post_method, recover_method, block_migration=False, migrate_data=None):
        wishes = self._moving[instance.uuid] = {"abort": False, "force": False}
        try:
            self._copy(instance, wishes, getattr(migrate_data, "migration", None))
        except exception.NovaException:
            LOG.exception("live migration failed", instance=instance)
            recover_method(context, instance, dest, migrate_data)
            return
        finally:
            self._moving.pop(instance.uuid, None)
        if wishes["abort"]:
            recover_method(context, instance, dest, migrate_data, migration_status="cancelled")
        else:
            post_method(context, instance, dest, block_migration, migrate_data)

    def _copy(self, instance, wishes, migration):
        fault = self._fault("live_migration", instance)
        seconds = float(fault.get("seconds", 0.3))
        started = time.monotonic()
        while not (wishes["abort"] or wishes["force"]):
            elapsed = time.monotonic() - started
            self._report(migration, min(1.0, elapsed / seconds) if seconds else 1.0)
            if fault.get("fail") == "error" and elapsed >= seconds / 2:
                raise exception.NovaException("injected: live migration failed")
            if elapsed >= seconds and fault.get("fail") != "hang":
                return
            time.sleep(min(0.5, max(0.05, seconds / 10)))

    @staticmethod
    def _report(migration, share):
        if migration is None:
            return
        done = int(GIB * share)
        migration.memory_total = migration.disk_total = GIB
        migration.memory_processed = migration.disk_processed = done
        migration.memory_remaining = migration.disk_remaining = GIB - done
        migration.save()

    def live_migration_force_complete(self, instance):
        self._moving[instance.uuid]["force"] = True

    def live_migration_abort(self, instance):
        self._moving[instance.uuid]["abort"] = True

    def post_live_migration_at_destination(self, context, instance, *args, **kwargs):
        self._suffer("post_live_migration_at_destination", instance)
        super().post_live_migration_at_destination(context, instance, *args, **kwargs)

    def post_live_migration(self, context, instance, block_device_info, migrate_data=None):
        self.destroy(context, instance, None, block_device_info)

    def post_live_migration_at_source(self, context, instance, network_info):
        pass
