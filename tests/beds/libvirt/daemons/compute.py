"""nova-compute of one host, with the libvirt driver of `virt/bed_libvirt.py`: compute.py and nova-compute's arguments."""

from pathlib import Path

from nova import monkey_patch

monkey_patch.patch(backend="threading")

import nova.virt  # noqa: E402

nova.virt.__path__.append(str(Path(__file__).resolve().parent / "virt"))

from nova.cmd.compute import main  # noqa: E402

main()
