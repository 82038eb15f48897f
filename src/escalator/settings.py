"""Settings in three stages: what files may say, merged with defaults and the environment, validated and frozen.

Sources, later ones win: the configuration file, `*.yaml` beside it in `<file>.d/` or `conf.d/` in order of name, then
`ESCALATOR_<SECTION>__<KEY>` variables (`ESCALATOR_SERVER__PORT=8480`). All problems are reported together. No other
module reads settings or the environment on its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, StringConstraints, model_validator

from escalator.model.backup_settings import Backups
from escalator.model.brakes import GateEntry, Locks
from escalator.model.codes import Code
from escalator.model.document import DnsLabel, Model, Source, load, parse
from escalator.model.errors import InputError, Problem
from escalator.model.host import Host
from escalator.model.neighbour_settings import Neighbours
from escalator.model.node_settings import AbsolutePath, NamedCommand, Seconds, System
from escalator.model.origins import Origin, located
from escalator.model.probe_vm_settings import ProbeVmSettings
from escalator.settings_together import impossible

Port = Annotated[int, Field(ge=0, le=65535)]
TokenDigest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class Listener(Model):
    """Where one listener binds."""

    host: str = "127.0.0.1"
    port: Port
    public_url: str | None = None
    """How others reach it, when that differs from host and port (a name, a proxy)."""

    @property
    def url(self) -> str:
        """Address that is given to others."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


class Server(Listener):
    """Operators' listener: REST API and events. Until accounts exist it binds to loopback only."""

    port: Port = 8470
    tokens: Annotated[Mapping[DnsLabel, TokenDigest], Field(max_length=1000)] = Field(default_factory=dict)
    """Tokens that have a name, beside the one in the state directory: each name with `sha256:` and the SHA-256 of its token in
    hexadecimal digits. What is asked for with one is done in that name; it stands in the history."""

    @model_validator(mode="after")
    def _told_apart(self) -> Server:
        if len(set(self.tokens.values())) != len(self.tokens):
            raise ValueError("two names have the same token")
        return self


class Repository(Listener):
    """Nodes' listener: signed release files."""

    port: Port = 8471


class ListenerTls(Model):
    """By what a listener shows over TLS who it is. Both files are read again when they change."""

    certificate: AbsolutePath
    """Its certificate in PEM, with those between it and the authority after it."""
    key: AbsolutePath | None = None
    """Its private key in PEM, not encrypted; null = in the same file."""


class VnfmListener(Listener):
    """VNF managers' listener: replies and notices."""

    port: Port = 8472
    tls: ListenerTls | None = None
    """Null = plain HTTP, for loopback or a proxy with TLS in front."""

    @property
    def url(self) -> str:
        """Address that is given to VNF managers."""
        plain = super().url
        return plain if self.public_url or self.tls is None else plain.replace("http://", "https://", 1)


class Database(Model):
    """Where our tables and the engine's are kept."""

    url: Annotated[str, StringConstraints(pattern=r"^postgresql(\+psycopg)?://")] | None = None
    """PostgreSQL URL; null = SQLite files in the state directory. The password may come from `~/.pgpass`."""
    dbos_schema: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")] = "dbos"
    schema_name: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")] = "escalator"


class SimulatedWorld(Model):
    """The simulated cloud, when `cloud.driver` is `simulated`."""

    file: AbsolutePath | None = None
    """File of the world; null = `world.sqlite` in the state directory. It outlives the manager."""
    inventory: AbsolutePath | None = None
    """File of an inventory, YAML or JSON, of which a new world is a copy; null = one is made up from the
    keys below. Whatever driver campaigns name, the nodes of a copy are simulated: none of its names reaches a real node."""
    nodes: Annotated[int, Field(ge=1, le=20_000)] = 8
    others: Mapping[Literal["control", "network", "storage"], Annotated[int, Field(ge=0, le=100)]] = Field(default_factory=dict)
    """How many nodes of each other role a new world has."""
    seed: int = 1
    speed: Annotated[float, Field(gt=0)] = 1.0
    """How many times faster than real its operations run."""


class Cloud(Model):
    """The cloud that is upgraded."""

    driver: Literal["openstack", "simulated"] = "openstack"
    os_cloud: str | None = None
    """Name in `clouds.yaml`; null = the `OS_*` variables."""
    config_file: AbsolutePath | None = None
    """Path of `clouds.yaml`; null = where openstacksdk looks."""
    poll_s: Seconds = 2.0
    request_timeout_s: Seconds = 60.0
    simulated: SimulatedWorld = SimulatedWorld()
    probe_vm: ProbeVmSettings | None = None
    """What is booted on upgraded nodes to prove them; null = nothing."""


class Manual(Model):
    """How people are told who speak for a VNF, where no program does."""

    argv: tuple[str, ...] = ()
    """Command; `{contact}`, `{vnfm}`, `{notice}`, `{campaign}`, `{node}` stand for one argument each. Empty = nobody is told."""


class VnfCommand(Model):
    """A command that speaks to VNFs, by its name in registrations."""

    argv: Annotated[tuple[str, ...], Field(min_length=1)]
    """Command; `{vnfm}`, `{verb}`, `{notice}`, `{campaign}`, `{node}` stand for one argument each."""
    timeout_s: Seconds = 600.0
    retry_s: Seconds = 60.0
    """Pause before it is run again after it said `not now` (exit code 75)."""


class FenixNotifications(Model):
    """Events of the Fenix interface on RabbitMQ, as OpenStack's own services send theirs. Needs the extra `rabbitmq`."""

    credential: DnsLabel | None = None
    """Name of a file in `credentials_dir` with the broker's address, `amqps://user:password@host:5671/vhost`."""
    variable: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,99}$")] | None = None
    """Name of an environment variable that holds it. Without either nothing is sent."""
    ca_file: AbsolutePath | None = None
    """PEM file of the authorities that a certificate of the broker may come from; null = those of the machine."""
    exchange: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,127}$")] = "openstack"
    """The exchange that listeners bind their queues to; it is theirs to declare."""
    topic: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,127}$")] = "notifications"
    """The routing key is this with `.info` after it."""
    project: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    """`project_id` of the events for administrators; null = they have none."""

    @property
    def on(self) -> bool:
        """Whether anything is sent."""
        return self.credential is not None or self.variable is not None


ModuleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]


class FenixSessions(Model):
    """Maintenance sessions that administrators start through the Fenix interface, with a token of the cloud."""

    templates: Annotated[Mapping[DnsLabel, AbsolutePath], Field(max_length=100)] = Field(default_factory=dict)
    """Campaign documents by the workflow that names them (`default` where a session names none); none = there are no sessions."""
    plugins: Annotated[Mapping[ModuleName, DnsLabel], Field(max_length=100)] = Field(default_factory=dict)
    """Which of `commands` runs in the place of an action plug-in that a session names; sessions with any other are refused."""
    role: Annotated[str, StringConstraints(min_length=1, max_length=255)] = "admin"
    """The role that administrators carry."""


class FenixFace(Model):
    """The interface of OpenStack Fenix, `/fenix/v1` on the VNF managers' listener."""

    auth: Literal["off", "keystone", "none"] = "off"
    """Whether it is there, and who may use it: `keystone` asks for a token of the cloud; `none` is for loopback."""
    notifications: FenixNotifications = FenixNotifications()
    sessions: FenixSessions = FenixSessions()


class TackerFace(Model):
    """The interface for Tacker's fault notification, `/tacker` on the VNF managers' listener."""

    auth: Literal["off", "keystone", "key", "none"] = "off"
    """Whether it is there, and who may use it: `keystone` takes a token of the cloud, or a registration's `key` in the address;
    `key` takes that alone; `none` is for loopback."""
    fault_id: Annotated[str, StringConstraints(pattern=r"^[!-~]{4}$")] | None = None
    """Which of an alarm's `fault_id` is notified; null = the first."""


class ClientCertificate(Model):
    """By what Escalator shows VNF managers over TLS who it is, where they ask for a certificate."""

    certificate: AbsolutePath | None = None
    """PEM file of the certificate with those of its authorities; null = there is none. Read anew when it changes."""
    key: AbsolutePath | None = None
    """PEM file of its private key; null = it is in the certificate's file."""


class OrVi(Model):
    """Notices to orchestrators."""

    vim_id: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    """By which name orchestrators know this cloud; null = `cloud.os_cloud`, else the driver's name."""
    give_up_after_s: Annotated[float, Field(gt=0, le=30 * 86400)] = 7 * 86400.0
    """How old news gets that cannot be delivered; what comes after it is told all the same."""


class Vim(Model):
    """Notices to VNF managers."""

    delivery_timeout_s: Seconds = 10.0
    delivery_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    retry_s: Seconds = 5.0
    """Pause before the second attempt; it doubles up to `retry_max_s`."""
    retry_max_s: Seconds = 60.0
    max_defer_s: Seconds = 3600.0
    restart_grace_s: Seconds = 60.0
    """For how long after a start of the server no deadline of a notice passes."""
    manual: Manual = Manual()
    commands: Mapping[str, VnfCommand] = Field(default_factory=dict)
    """Commands that registrations with the dialect `command` name."""
    fenix: FenixFace = FenixFace()
    tacker: TackerFace = TackerFace()
    callback_hosts: Annotated[tuple[Host, ...], Field(max_length=1000)] = ()
    """Names, addresses or networks where VNF managers that subscribe by themselves may be told, beside their own hosts."""
    client_certificate: ClientCertificate = ClientCertificate()
    or_vi: OrVi = OrVi()
    max_wrong_credentials: Annotated[int, Field(ge=1, le=10_000)] = 10


class Probe(Model):
    """How a VNF's service is looked at from outside while a campaign runs."""

    vnf: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    """The VNF that it stands for, as instances name it."""
    kind: Literal["tcp", "http", "icmp"]
    target: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    interval_s: Annotated[float, Field(ge=0.05, le=3600)] = 1.0
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 1.0

    @model_validator(mode="after")
    def _check(self) -> Probe:
        problem = _target_problem(self.kind, self.target)
        if problem is not None:
            raise ValueError(problem)
        return self


def _target_problem(kind: str, target: str) -> str | None:
    try:
        if kind == "icmp":
            ip_address(target)
            return None
        parts = urlsplit(target if kind == "http" else f"//{target}")
        port = parts.port
    except ValueError as error:
        return f"target is no address: {error}"
    if kind == "tcp" and (not parts.hostname or port is None or parts.path):
        return "target has to be HOST:PORT for kind tcp"
    if kind == "http" and (parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None):
        return "target has to be an http or https address without credentials for kind http"
    return None


class Availability(Model):
    """What the service of a group has to reach; what is left of it is the budget for impacts beyond the group's limit."""

    percent: Annotated[float, Field(ge=0, le=100)] = 99.999
    period_days: Annotated[float, Field(gt=0, le=3660)] = 365.0


class TrustedKey(Model):
    """A public key (Ed25519) whose signature counts; one of `file` and `public` says it."""

    name: DnsLabel
    """How it is called in lists and events: who signs with it."""
    file: AbsolutePath | None = None
    """PEM file of the public key."""
    public: Annotated[str, StringConstraints(max_length=1000)] | None = None
    """The public key itself: PEM text, or the Base64 of it alone."""

    @model_validator(mode="after")
    def _one(self) -> TrustedKey:
        if (self.file is None) == (self.public is None):
            raise ValueError("a key is given either by file or by public")
        return self


class ReleaseTrust(Model):
    """Who has to have signed a release. Without keys, unsigned releases are taken in and nothing is verified."""

    threshold: Annotated[int, Field(ge=1, le=16)] = 1
    """How many of the keys have to have signed."""
    keys: Annotated[tuple[TrustedKey, ...], Field(max_length=64)] = ()
    """The keys that are trusted."""

    @model_validator(mode="after")
    def _reachable(self) -> ReleaseTrust:
        names = [key.name for key in self.keys]
        if len(set(names)) != len(names):
            raise ValueError("two keys have the same name")
        if self.threshold > max(1, len(names)):
            raise ValueError(f"{self.threshold} keys can never have signed where {len(names)} are trusted")
        return self


class Releases(Model):
    """Releases that are taken in."""

    trust: ReleaseTrust = ReleaseTrust()


class Log(Model):
    """What is logged."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Settings(Model):
    """Everything an operator can set."""

    state_dir: AbsolutePath = Field(default_factory=lambda: platformdirs.user_state_dir("escalator"))
    credentials_dir: AbsolutePath | None = None
    """Folder of secrets, one file each; null = `credentials` in the state directory."""
    executor_id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,63}$")] = "embedded"
    """Stable name of this replica: what was under way under this name is taken up again at start."""
    server: Server = Server()
    repository: Repository = Repository()
    vnfm: VnfmListener = VnfmListener()
    database: Database = Database()
    cloud: Cloud = Cloud()
    system: System = System()
    locks: Locks = Locks()
    gates: Mapping[DnsLabel, GateEntry] = Field(default_factory=dict, max_length=500)
    """Gates that campaigns name; their names are free."""
    commands: Mapping[DnsLabel, NamedCommand] = Field(default_factory=dict, max_length=500)
    """Commands that campaigns name as hooks and tests; their names are free."""
    vim: Vim = Vim()
    probes: Mapping[DnsLabel, Probe] = Field(default_factory=dict, max_length=500)
    """Looks at the services of VNFs; their names are free."""
    neighbours: Neighbours = Neighbours()
    availability: Availability = Availability()
    backups: Backups = Backups()
    releases: Releases = Releases()
    log: Log = Log()

    @property
    def state(self) -> Path:
        """The state directory."""
        return Path(self.state_dir)

    @property
    def world(self) -> Path:
        """The file of the simulated cloud."""
        return Path(self.cloud.simulated.file) if self.cloud.simulated.file else self.state / "world.sqlite"

    @property
    def credentials(self) -> Path:
        """The folder of secrets."""
        return Path(self.credentials_dir) if self.credentials_dir else self.state / "credentials"


def read_settings(file: Path | None, environment: Mapping[str, str]) -> Settings:
    """Read, merge and validate; raises InputError that lists all problems of all sources."""
    origins = _origins(file, environment)
    merged: dict[str, Any] = {}
    for origin in origins:
        merged = _merge(merged, origin.source.data or {})
    try:
        settings = load(Settings, Source(merged), code=Code.CFG_SETTINGS)
    except InputError as error:
        raise InputError(error.code, error.message, problems=located(error.problems, origins)) from error
    if problems := [*impossible(settings)]:
        raise InputError(Code.CFG_SETTINGS, "The settings are not valid.", problems=located(problems, origins))
    return settings


def state_given(file: Path | None, environment: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """Who names a state directory, and which: file or variable, the one that holds first; nobody, where it is the default.

    Raises InputError as reading does.
    """
    said = [(origin.name, (origin.source.data or {}).get("state_dir")) for origin in _origins(file, environment)]
    return [(name, str(value)) for name, value in reversed(said) if value is not None]


def _origins(file: Path | None, environment: Mapping[str, str]) -> list[Origin]:
    return [Origin(str(path), _read(path)) for path in _files(file)] + _from_environment(environment)


def _files(file: Path | None) -> list[Path]:
    if file is None:
        return []
    drop_in = file.parent / "conf.d"
    return [file, *sorted(drop_in.glob("*.yaml"))] if drop_in.is_dir() else [file]


def _read(path: Path) -> Source:
    try:
        source = parse(path.read_bytes())
    except OSError as error:
        raise InputError(Code.CFG_FILE, f"{path} cannot be read: {error.strerror}.") from error
    except InputError as error:
        problems = [replace(problem, origin=str(path)) for problem in error.problems]
        raise InputError(error.code, f"{path}: {error.message}", problems=problems) from error
    if source.data is not None and not isinstance(source.data, dict):
        raise InputError(Code.CFG_SETTINGS, f"{path}: a mapping is expected at the top.")
    return source


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


_RESERVED = {"ESCALATOR_URL", "ESCALATOR_TOKEN_FILE", "ESCALATOR_REQUIRE_REAL"}
"""Variables of the CLI and of the tests: no settings of the server."""


def _from_environment(environment: Mapping[str, str]) -> list[Origin]:
    """One origin a variable; of two that speak of the same, the more precise one is last."""
    found = []
    for name, text in sorted(environment.items()):
        if not name.startswith("ESCALATOR_") or name in _RESERVED:
            continue
        path = name.removeprefix("ESCALATOR_").lower().split("__")
        value: Any = {path[-1]: _value(name, text)}
        for part in reversed(path[:-1]):
            value = {part: value}
        found.append(Origin(f"variable {name}", Source(value)))
    return found


def _value(name: str, text: str) -> Any:  # noqa: ANN401 - plain data
    try:
        return parse(text).data
    except InputError as error:
        # What stands there may be a secret: only where it breaks is told.
        problems = [Problem(name, p.message, p.line) for p in error.problems] or [Problem(name, error.message)]
        raise InputError(Code.CFG_SETTINGS, f"The variable {name} cannot be read.", problems=problems) from None
