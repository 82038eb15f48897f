"""Nova's libvirt driver, whose instances have a network card on the hosts' bridge although there is no Neutron to give one.

The card's own address ends with the IPv4 address that the instance's metadata name under `address`; the guest takes it from
there.
"""

import ipaddress

from nova.virt.libvirt import config, driver

BRIDGE = "br0"


class Driver(driver.LibvirtDriver):
    def _get_guest_config(self, instance, *args, **more):
        guest = super()._get_guest_config(instance, *args, **more)
        address = instance.metadata.get("address")
        if address:
            card = config.LibvirtConfigGuestInterface()
            card.net_type = "bridge"
            card.source_dev = BRIDGE
            card.model = "virtio"
            card.mac_addr = ":".join(f"{byte:02x}" for byte in b"\x52\x54" + ipaddress.IPv4Address(address).packed)
            guest.add_device(card)
        return guest
