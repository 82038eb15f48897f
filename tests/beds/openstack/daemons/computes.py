"""The hypervisors: computes.py CONFIG_FILE RUN_DIR HOST...

One process imports Nova once and forks a nova-compute for each host, which saves memory and start time. It then
reads names of hosts from RUN_DIR/zygote.fifo and starts them again. Each writes RUN_DIR/pid/compute-HOST.pid.
"""

import gc
import importlib
import os
import select
import shlex
import signal
import sys
import time
import traceback
from pathlib import Path

CONFIG, RUN, HOSTS = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
sys.argv = ["nova-compute", "--config-file", CONFIG]

from nova import monkey_patch  # noqa: E402 -- must come before anything else of Nova

monkey_patch.patch(backend="threading")

import nova.conf  # noqa: E402
import nova.virt  # noqa: E402

nova.virt.__path__.append(str(Path(__file__).resolve().parent / "virt"))

import nova.db.main.api  # noqa: E402
import os_brick  # noqa: E402
import os_vif  # noqa: E402
from nova import config, objects, service, utils  # noqa: E402
from nova.compute import rpcapi  # noqa: E402
from nova.conductor import rpcapi as conductor_rpcapi  # noqa: E402
from nova.objects import base as objects_base  # noqa: E402
from nova.virt import osbed_fake  # noqa: E402
from oslo_log import log as logging  # noqa: E402
from oslo_privsep import priv_context  # noqa: E402

PRELOAD = (
    "nova.compute.manager",
    "nova.scheduler.client.report",
    "nova.network.neutron",
    "nova.volume.cinder",
    "oslo_messaging._drivers.impl_rabbit",
    "kombu.transport.pyamqp",
    "amqp",
    "keystoneauth1.loading",
    "openstack",
)
for name in PRELOAD:
    importlib.import_module(name)


def run_host(host):
    """What `nova-compute` does, for this host."""
    home = RUN / "state" / "nova" / host
    home.mkdir(parents=True, exist_ok=True)
    identity = home / "compute_id"
    if not identity.exists():
        identity.write_text(osbed_fake.node_uuid(host), encoding="utf-8")
    config.parse_args([*sys.argv, "--log-file", f"nova-compute-{host}.log"])
    conf = nova.conf.CONF
    conf.set_override("host", host)
    conf.set_override("state_path", str(home))
    conf.set_override("compute_driver", "osbed_fake.Driver")
    logging.setup(conf, "nova")
    priv_context.init(root_helper=shlex.split(utils.get_root_helper()))
    objects.register_all()
    os_brick.setup(conf)
    os_vif.initialize()
    nova.db.main.api.DISABLE_DB_ACCESS = True
    objects_base.NovaObject.indirection_api = conductor_rpcapi.ConductorAPI()
    objects.Service.enable_min_version_cache()
    server = service.Service.create(host=host, binary="nova-compute", topic=rpcapi.RPC_TOPIC, topic_alt=rpcapi.RPC_TOPIC_ALT)
    service.serve(server, workers=1, no_fork=True)
    service.wait()


def started(pid):
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]


def fork(host):
    pid = os.fork()
    if pid:
        (RUN / "pid" / f"compute-{host}.pid").write_text(f"{pid} {started(pid)}", encoding="utf-8")
        return
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        out = os.open(RUN / "log" / f"compute-{host}.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(out, 1)
        os.dup2(out, 2)
        run_host(host)
    except BaseException:  # noqa: BLE001 -- the fork must never return into the zygote's loop
        traceback.print_exc()
    os._exit(1)


def main():
    objects.register_all()
    gc.collect()
    gc.freeze()
    fifo = RUN / "zygote.fifo"
    os.mkfifo(fifo)
    commands = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    for host in HOSTS:
        fork(host)
    while True:
        ready, _, _ = select.select([commands], [], [], 1.0)
        if ready:
            for host in os.read(commands, 4096).decode().split():
                fork(host)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                time.sleep(0)
        except ChildProcessError:
            pass


main()
