"""Tacker 16.0.0 as a process: its fault notification as published, and stand-ins for what that calls.

    PYTHON-OF-ITS-VENV tacker16.py --log FILE --config FILE

Tacker's own, unchanged: the management driver `server_notification.py`, run as the program that Tacker runs, with its file of
configuration; the routes, the schema and the plug-in that take notifications; the driver that packs those of one VNF together.
Stand-ins: the table in which VNF instances are kept is memory, the bus between Tacker's two processes a call, and a heal is
driver, deletion, a new server at Nova, driver. No line of Escalator.

The file of the configuration is JSON: `auth_url`, `username`, `password`, `project_name` of Keystone; `home`, a folder in which
the management driver finds `.tacker/tacker.conf`; `port`, where Tacker listens; `notifier` and `fault_id` as they are given with
a VNF's instantiation; `servers`, those of the VNF by their ids; `boot`, what a new server is, in Nova's words. It prints one line
of JSON, `{"port": …}`. `POST /control` with `{"do": "instantiate_end" | "terminate_start"}` lets the management driver do that.
All goes to the log, a JSON object a line: `ran`, `notified`, `deleted`, `booted`, `failed`.
"""

import argparse
import json
import os
import pickle
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import webob.dec
from keystoneauth1.adapter import Adapter
from keystoneauth1.identity import v3
from keystoneauth1.session import Session
from paste.urlmap import URLMap
from tacker.sol_refactored import objects
from tacker.sol_refactored.api import router
from tacker.sol_refactored.common import config, server_notification, vnf_instance_utils
from tacker.sol_refactored.conductor import server_notification_driver
from tacker.sol_refactored.mgmt_drivers import server_notification as management

INSTANCE = "2b8fbb1c-7d8b-4c9a-9d3e-0d4f6a1c5e11"
GONE_S = 60.0


class Tacker:
    """One VNF instance and what is done with it."""

    def __init__(self, given, log):
        self.given, self.log = given, log
        self.errors = {}
        self.lock = threading.Lock()
        access = {"project": given["project_name"]}
        self.instance = {
            "id": INSTANCE, "vnfdId": "vnfd-1", "vnfProvider": "p", "vnfProductName": "n", "vnfSoftwareVersion": "1",
            "vnfdVersion": "1", "instantiationState": "INSTANTIATED",
            "vnfConfigurableProperties": {"isAutohealEnabled": True},
            "vimConnectionInfo": {"vim1": {"vimId": "v", "vimType": "ETSINFV.OPENSTACK_KEYSTONE.V_3", "accessInfo": access}},
            "instantiatedVnfInfo": {
                "flavourId": "simple", "vnfState": "STARTED",
                "vnfcResourceInfo": [self.resource(server) for server in given["servers"]],
                "vnfcInfo": [self.component(server) for server in given["servers"]],
            },
        }  # fmt: skip
        auth = v3.Password(
            auth_url=given["auth_url"], username=given["username"], password=given["password"],
            project_name=given["project_name"], user_domain_id="default", project_domain_id="default",
        )  # fmt: skip
        self.nova = Adapter(Session(auth=auth, timeout=60), service_type="compute", interface="public", raise_exc=False)
        self.nova.default_microversion = "2.87"

    @staticmethod
    def resource(server):
        return {"id": f"res-{server}", "vduId": "VDU1", "computeResource": {"resourceId": server}}

    @staticmethod
    def component(server):
        return {"id": f"vnfc-{server}", "vduId": "VDU1", "vnfcResourceInfoId": f"res-{server}", "vnfcState": "STARTED"}

    def stored(self, _context, instance):
        assert instance == INSTANCE
        return objects.VnfInstanceV2.from_dict(self.instance)

    def run(self, operation, removed=()):
        """What the conductor does with a management driver."""
        gone = [{"type": "COMPUTE", "resource": {"resourceId": server}} for server in removed]
        parameters = {"ServerNotifierUri": self.given["notifier"], "ServerNotifierFaultID": self.given["fault_id"]}
        said = {
            "operation": operation, "request": {"additionalParams": parameters} if operation == "instantiate_end" else {},
            "vnf_instance": self.stored(None, INSTANCE).to_dict(), "grant_request": {"removeResources": gone},
            "grant_response": None, "tmp_csar_dir": None, "user_script_err_handling_data": self.errors,
        }  # fmt: skip
        ended = subprocess.run(
            [sys.executable, management.__file__],
            input=pickle.dumps(said), capture_output=True, check=False, env={**os.environ, "HOME": self.given["home"]},
        )  # fmt: skip
        told = pickle.loads(ended.stdout) if ended.stdout else {}
        self.instance = told.get("vnf_instance", self.instance)
        self.errors = told.get("user_script_err_handling_data", self.errors)
        self.log("ran", operation=operation, code=ended.returncode, said=ended.stderr.decode()[-2000:])

    def heal(self, components):
        """Delete servers and make others, between the two words of the management driver."""
        with self.lock:
            servers = [name.removeprefix("vnfc-") for name in components]
            self.run("heal_start", servers)
            for server in servers:
                self.nova.delete(f"/servers/{server}")
                self.log("deleted", server=server)
            while any(self.nova.get(f"/servers/{server}").status_code != 404 for server in servers):
                threading.Event().wait(0.2)
            info = self.instance["instantiatedVnfInfo"]
            for key, name in (("vnfcResourceInfo", "id"), ("vnfcInfo", "vnfcResourceInfoId")):
                info[key] = [one for one in info[key] if one[name] not in {f"res-{server}" for server in servers}]
            for server in servers:
                made = self.nova.post("/servers", json={"server": {**self.given["boot"], "name": f"for-{server[:8]}"}})
                found = made.json()["server"]["id"]
                self.log("booted", server=found, instead=server)
                info["vnfcResourceInfo"].append(self.resource(found))
                info["vnfcInfo"].append(self.component(found))
            self.run("heal_end")


class Conductor(server_notification_driver.ServerNotificationDriver):
    """A heal goes to the stand-in, not to Tacker's database of operations."""

    def request_heal(self, vnf_instance_id, vnfc_instance_ids):
        assert vnf_instance_id == INSTANCE
        try:
            self.conductor.heal(vnfc_instance_ids)
        except Exception:
            self.conductor.log("failed", trace=traceback.format_exc())
            raise


def application(tacker, log):
    """Paste's mount of the routes at their prefix, as in Tacker's file for that."""
    mounted = URLMap()
    mounted["/server_notification"] = router.ServerNotificationRouter()

    @webob.dec.wsgify
    def control(request):
        tacker.run(request.json["do"])
        return webob.Response(status=204)

    mounted["/control"] = control

    def noted(environ, start_response):
        def started(status, *more):
            if "server_notification" in environ["SCRIPT_NAME"] + environ["PATH_INFO"]:
                log("notified", method=environ["REQUEST_METHOD"], path=environ["PATH_INFO"], status=int(status.split()[0]))
            return start_response(status, *more)

        return mounted(environ, started)

    return noted


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", required=True)
    parser.add_argument("--config", required=True)
    arguments = parser.parse_args()
    given, lock = json.loads(Path(arguments.config).read_text()), threading.Lock()

    def log(what, **more):
        with lock, Path(arguments.log).open("a") as file:
            file.write(json.dumps({"what": what, **more}) + "\n")

    file = Path(given["home"], ".tacker", "tacker.conf")
    config.CONF(["--config-file", str(file)], project="tacker")
    objects.register_all()
    tacker = Tacker(given, log)
    vnf_instance_utils.get_inst = tacker.stored
    conductor = Conductor(tacker)
    plugin = server_notification.ServerNotification.instance()
    plugin.set_callback(lambda _context, instance, components: conductor.notify(instance, components))
    server = make_server("127.0.0.1", given["port"], application(tacker, log), Server, Quiet)
    print(json.dumps({"port": server.server_port}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
