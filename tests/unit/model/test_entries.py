"""By what a cloud chooses among the NUMA entries of a node."""

from __future__ import annotations

from escalator.model.entries import criteria


def test_devices_come_before_cpus_and_cpus_before_memory() -> None:
    by = criteria({"vf": 1.0, "mem_mib": 1.0, "pcpu": 1.0}, ("pcpu", "mem_mib", "vf", "gpu"))
    assert by == ((-1.0, ("vf",)), (-1.0, ("pcpu",)), (-1.0, ("mem_mib",)))


def test_who_asks_for_no_device_goes_where_fewest_are() -> None:
    by = criteria({"pcpu": 1.0, "disk_gb": 1.0}, ("pcpu", "mem_mib", "disk_gb", "vf", "gpu"))
    assert by[0] == (1.0, ("gpu", "vf"))
