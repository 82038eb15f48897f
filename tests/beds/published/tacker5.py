"""Tacker 5.0.0 as a process: what it does with an event of Fenix, as published, and stand-ins for what that calls.

    PYTHON-OF-ITS-VENV tacker5.py --log FILE --config FILE

Tacker's own, unchanged: the middleware that takes alarms, the VNFM plug-in's handling of maintenance with its pool of green
threads, the plug-in for Fenix, the clients of the VIM, of Keystone and of Heat. Stand-ins: the two tables in which the plug-in
keeps VNFs and VIMs are memory, and Heat is a list of servers. No line of Escalator.

The file of the configuration is JSON: `auth_url`, `username`, `password`, `project_name`, `project_id` of Keystone; `folder` for
the VIM's key; `servers`, those that Heat knows of the VNF by their ids; `maintenance`, what the VNF's configuration says of it;
`fenix`, options of the section of that name; `heat`, the port of Heat. It prints one line of JSON, `{"port": …}`, where alarms
are taken.
`POST /control` with `{"constraints": "create" | "delete"}` does what Tacker does at the end of a VNF's instantiation, or before
its termination; `{"status": …}` sets the VNF's, `{"servers": […]}` what Heat knows. Everything goes to the log, a JSON object a
line: `event` as the middleware hands it on, `called` with the status of each call that was made, `failed`.
"""

import eventlet

eventlet.monkey_patch()

import argparse  # noqa: E402 - everything is loaded after the patch, as in Tacker itself
import json  # noqa: E402
import logging  # noqa: E402
import re  # noqa: E402
import traceback  # noqa: E402
import types  # noqa: E402
from pathlib import Path  # noqa: E402

import eventlet.wsgi  # noqa: E402
import webob  # noqa: E402
import yaml  # noqa: E402
from keystoneauth1 import loading  # noqa: E402
from oslo_config import cfg  # noqa: E402
from tacker import context, manager  # noqa: E402
from tacker.alarm_receiver import AlarmReceiver  # noqa: E402
from tacker.nfvo.drivers.vim import openstack_driver  # noqa: E402, F401 - registers the section `vim_keys`
from tacker.plugins import fenix  # noqa: E402
from tacker.vnfm import keystone, plugin  # noqa: E402

VNF, VIM, GROUP = "5a1f5c1e-vnf", "0d7c-vim", "6a0f1e9c-5a55-4c0e-9f0a-9a4f3d1e7b11"
HEAT = "/heat-api/v1"


class Log:
    def __init__(self, path):
        self.path = Path(path)

    def __call__(self, what, **more):
        with self.path.open("a") as file:
            file.write(json.dumps({"what": what, **more}) + "\n")


class Calls(logging.Handler):
    """What requests says of each call that it made."""

    LINE = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/1.1" (?P<status>\d+)')

    def __init__(self, log):
        super().__init__()
        self.note = log

    def emit(self, record):
        found = self.LINE.search(record.getMessage())
        if found:
            self.note("called", method=found["method"], path=found["path"], status=int(found["status"]))


class Vims:
    """The NFVO plug-in, of which a VIM is asked for."""

    def __init__(self, given):
        made, key = keystone.Keystone().create_fernet_key()
        Path(given["folder"], VIM).write_bytes(made)
        self.credentials = {
            "username": given["username"],
            "password": key.encrypt(given["password"].encode()).decode(),
            "project_name": given["project_name"],
            "user_domain_name": "Default",
            "project_domain_name": "Default",
            "cert_verify": "False",
            "key_type": "fernet_key",
            "secret_uuid": None,
        }
        self.given = given

    def get_vim(self, _context, vim_id, mask_password=True):
        assert (vim_id, mask_password) == (VIM, False)
        return {
            "id": VIM, "name": "bed", "type": "openstack", "tenant_id": self.given["project_id"], "placement_attr": {},
            "auth_cred": dict(self.credentials), "auth_url": self.given["auth_url"],
        }  # fmt: skip


class Plugin(plugin.VNFMPlugin):
    """The VNFM plug-in on memory: its constructor opens the database."""

    def __init__(self, given):
        self._pool = eventlet.GreenPool()
        self._vnf_maintenance_plugin = fenix.FenixPlugin()
        configuration = yaml.safe_dump({"maintenance": given["maintenance"]})
        self.vnf = {
            "id": VNF, "tenant_id": given["project_id"], "vim_id": VIM, "instance_id": "stack-1", "status": "ACTIVE",
            "mgmt_ip_address": None, "placement_attr": {},
            "attributes": {"maintenance_group": GROUP, "config": configuration},
        }  # fmt: skip

    def get_vnf(self, _context, vnf_id, fields=None):
        assert (vnf_id, fields) == (VNF, None)
        return dict(self.vnf, attributes=dict(self.vnf["attributes"]))

    def _update_vnf_post(self, _context, vnf_id, _new_status, vnf_dict, _vnf_status, _event):
        assert vnf_id == VNF
        self.vnf["attributes"].update(vnf_dict["attributes"])

    def constraints(self, what):
        change = getattr(self._vnf_maintenance_plugin, f"{what}_vnf_constraints")
        change(self, context.get_admin_context(), self.get_vnf(None, VNF))


class Api:
    """What stands behind the middleware: the resource `maintenances` of a VNF."""

    def __init__(self, made, log):
        self.plugin = made
        self.log = log

    @webob.dec.wsgify
    def __call__(self, request):
        if request.path_info == "/control":
            self.control(request.json)
            return webob.Response(status=204)
        found = re.fullmatch(r"/vnfs/([^/]+)/maintenances", request.path_info)
        if request.method != "POST" or not found:
            return webob.Response(status=404)
        body = request.json
        said = body["maintenance"]["params"]["data"]["body"]
        self.log("event", state=said["state"], traits=said, token=bool(request.headers.get("X_AUTH_TOKEN")))
        answer = self.plugin.create_vnf_maintenance(context.get_admin_context(), found[1], body)
        return webob.Response(json={"maintenance": answer}, status=201)

    def control(self, body):
        self.plugin.vnf["status"] = body.get("status", self.plugin.vnf["status"])
        self.plugin.servers[:] = body.get("servers", self.plugin.servers)
        if "constraints" in body:
            self.plugin.constraints(body["constraints"])


class Heat:
    """The resources of one stack."""

    def __init__(self, project, servers):
        self.project = project
        self.servers = servers

    @webob.dec.wsgify
    def __call__(self, request):
        stack = f"{HEAT}/{self.project}/stacks/stack-1"
        if request.path_info != f"{stack}/resources":
            return webob.Response(status=404)
        return webob.Response(json={"resources": [self.resource(request, stack, one) for one in self.servers]})

    @staticmethod
    def resource(request, stack, server):
        link = {"href": f"{request.host_url}{stack}/resources/{server}", "rel": "self"}
        return {
            "resource_name": server, "physical_resource_id": server, "resource_type": "OS::Nova::Server",
            "resource_status": "CREATE_COMPLETE", "links": [link],
        }  # fmt: skip


def versioned(app, log):
    """Paste's mount of the API at its version."""

    def mounted(environ, start_response):
        if environ["PATH_INFO"].startswith("/v1.0/"):
            environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/v1.0", environ["PATH_INFO"].removeprefix("/v1.0")
        try:
            return app(environ, start_response)
        except Exception:
            log("failed", trace=traceback.format_exc())
            raise

    return mounted


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", required=True)
    parser.add_argument("--config", required=True)
    arguments = parser.parse_args()
    given, log = json.loads(Path(arguments.config).read_text()), Log(arguments.log)
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    logging.getLogger("urllib3").addHandler(Calls(log))
    cfg.CONF([], project="tacker", default_config_files=[])
    cfg.CONF.register_opts(loading.get_auth_plugin_conf_options("password"), "keystone_authtoken")
    cfg.CONF.set_override("auth_url", given["auth_url"].removesuffix("/v3"), "keystone_authtoken")
    for option in ("username", "password", "project_name"):
        cfg.CONF.set_override(option, given[option], "alarm_auth")
    cfg.CONF.set_override("openstack", given["folder"], "vim_keys")
    for option, value in given["fenix"].items():
        cfg.CONF.set_override(option, value, "fenix")
    manager.TackerManager._instance = types.SimpleNamespace(service_plugins={"NFVO": Vims(given)})
    made = Plugin(given)
    made.servers = list(given["servers"])
    quiet = {"log": logging.getLogger("wsgi"), "log_output": False}
    heat, api = (eventlet.listen(("127.0.0.1", port)) for port in (given["heat"], 0))
    eventlet.spawn_n(eventlet.wsgi.server, heat, Heat(given["project_id"], made.servers), **quiet)
    print(json.dumps({"port": api.getsockname()[1]}), flush=True)
    eventlet.wsgi.server(api, versioned(AlarmReceiver(Api(made, log)), log), **quiet)


if __name__ == "__main__":
    main()
