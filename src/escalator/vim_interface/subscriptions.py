"""Subscriptions by VNF managers themselves: who may, what it may ask for, and the test of the address.

The operator's registration says what a VNF manager owns and by what it is known; its subscription says where it is told and
which of its own notices it wants.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from escalator.model.codes import Code
from escalator.model.document import Source, load, parse
from escalator.model.errors import (
    ConflictError,
    EscalatorError,
    InputError,
    NotAllowedError,
    NotFoundError,
    PermanentError,
    Problem,
    TemporaryError,
)
from escalator.model.notice import Notice, Vnfm
from escalator.model.progress import Event
from escalator.model.subscription import AuthType, Subscription, SubscriptionRequest
from escalator.storage.holder import holder
from escalator.storage.port import Store
from escalator.storage.rules import no_subscription, subscribed_already
from escalator.vim_interface.accounts import (
    Account,
    Accounts,
    Basic,
    Certificate,
    OAuth2,
    Subscribed,
    Way,
    kept_way,
    owner,
    secrets_of,
)
from escalator.vim_interface.hosts import host_of, is_allowed, uri_problems
from escalator.vim_interface.messages import occurrence
from escalator.vim_interface.unregistered import READABLE

MAX_SUBSCRIPTION_BYTES = 256 * 1024
"""A thousand values of each attribute of the filter are less."""
MAX_NOTICES = 200
"""Open notices in one answer: more than nodes whose turn is on at once. Who has answered these gets the next ones."""
MAX_HEADER = 16 * 1024
"""As long as a credential may be; what is longer is none of ours."""
_TEST_STATUS = 204
_OWNED = (("project_ids", "projects"), ("vnf_instance_ids", "vnfs"), ("resource_ids", "instances"))
"""Attributes of a filter, with what a registration lists."""

Probe = Callable[[Account], Awaitable[int]]
"""GETs the address of an account and returns the status; raises TemporaryError or PermanentError when none comes."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Made:
    """A subscription, and whether it is new; an equal one that was there is not."""

    row: Subscription
    new: bool


class Subscribing:
    """The use cases behind `/vi-vnfm/v1/subscriptions`."""

    def __init__(self, store: Store, accounts: Accounts, subscribed: Subscribed, probe: Probe, base_url: str) -> None:
        self._store = store
        self._rows = store.subscriptions
        self._accounts = accounts
        self._subscribed = subscribed
        self._probe = probe
        self._busy: set[str] = set()
        self.base_url = base_url

    async def caller(self, header: str | None) -> Vnfm:
        """Return the VNF manager whose credential an `Authorization` header carries.

        Raises NotAllowedError (`API_TOKEN`) when it is nobody's. Every known credential is compared, each in constant time.
        """
        given = _given(header)
        found = []
        if given is not None:
            for vnfm in await self._store.vnfms.list():
                known = self._credential(vnfm)
                if hmac.compare_digest(given, known.encode()) and known:
                    found.append(vnfm)
        if len(found) != 1:
            if given is not None:
                _log.warning("subscription.refused", code=Code.API_TOKEN.value, candidates=len(found))
            raise NotAllowedError(Code.API_TOKEN, "The credential is missing or nobody's that may subscribe.")
        return found[0]

    async def replying(self, header: str | None, notice: Notice) -> None:
        """Raise NotAllowedError (`API_TOKEN`) when replies to the notice have to show a credential, and the header does not.

        Raises NotFoundError when its VNF manager is registered no more: what it had to show is forgotten with it, and nobody
        speaks for its instances. Where it had nothing to show, its withdrawn notice can still be read.
        """
        vnfm = await self._store.vnfms.get(notice.vnfm)
        if vnfm is None and READABLE in notice.details:
            return
        if vnfm is None:
            _log.warning("reply.not-allowed", object_id=notice.id, vnfm=notice.vnfm, code=Code.VIM_NOT_FOUND.value)
            raise NotFoundError(Code.VIM_NOT_FOUND, "There is no such reply address.")
        if vnfm.spec.subscription.replies is None:
            return
        given, known = _given(header), self._credential(vnfm)
        if given is None or not known or not hmac.compare_digest(given, known.encode()):
            _log.warning("reply.not-allowed", object_id=notice.id, vnfm=vnfm.name, code=Code.API_TOKEN.value)
            raise NotAllowedError(Code.API_TOKEN, "The VNF manager's credential is asked for with its replies.")

    async def create(self, vnfm: Vnfm, body: bytes) -> Made:
        """Subscribe a VNF manager, or put other credentials into its subscription when it only brings those.

        Raises InputError with all problems, also when the address does not answer its test with 204; ConflictError when it
        has another subscription or asks for what belongs to another VNF manager; TemporaryError while one is being made.
        """
        if vnfm.name in self._busy:
            raise TemporaryError(Code.VIM_SUBSCRIBED, "A subscription of this VNF manager is being made.")
        self._busy.add(vnfm.name)
        try:
            return await self._create(vnfm, parse_request(body))
        finally:
            self._busy.discard(vnfm.name)

    async def list(self, vnfm: Vnfm) -> Sequence[Subscription]:
        """Return the VNF manager's own subscriptions: one, or none."""
        row = await self._rows.get(vnfm.name)
        return [] if row is None else [row]

    async def get(self, vnfm: Vnfm, subscription: str) -> Subscription:
        """Return its subscription of that id; raises NotFoundError, also for another VNF manager's."""
        row = await self._rows.get(vnfm.name) if subscription == vnfm.name else None
        if row is None:
            raise _unknown()
        return row

    async def notices(self, vnfm: Vnfm, subscription: str) -> Sequence[Mapping[str, Any]]:
        """Return what it still has to answer, nearest deadline first, `MAX_NOTICES` at most; raises as `get` does."""
        await self.get(vnfm, subscription)
        found = await self._store.notices.expired(math.inf, MAX_NOTICES, vnfm.name)
        return [occurrence(notice, self.base_url) for notice in found if notice.reply_token is not None]

    async def remove(self, vnfm: Vnfm, subscription: str) -> None:
        """End its subscription of that id; raises NotFoundError, also for another VNF manager's."""
        if subscription != vnfm.name:
            raise _unknown()
        await self._rows.remove(vnfm.name)
        await self._write_down("vnfm.unsubscribe", vnfm.name, "by itself")

    async def _create(self, vnfm: Vnfm, request: SubscriptionRequest) -> Made:
        problems = [*_auth_problems(request), *self._uri_problems(vnfm, request), *_filter_problems(vnfm, request)]
        if problems:
            raise _invalid(problems)
        others = [other for other in await self._store.vnfms.list() if other.name != vnfm.name]
        _refuse_foreign(request, others)
        found = await self._rows.get(vnfm.name)
        if found is not None and not _is_for_the_same(found, request):
            raise subscribed_already(vnfm.name)
        auth, way = self._chosen(request)
        if found is not None and self._keeps(found, auth, way):
            return Made(found, new=False)
        await self._test(Account(vnfm.name, request.callback_uri, way))
        secrets = secrets_of(way)
        row = Subscription(
            vnfm=vnfm.name,
            callback_uri=request.callback_uri,
            filter=request.filter,
            auth=auth,
            sealed=self._subscribed.vault.seal(owner(vnfm.name, request.callback_uri), secrets) if secrets else None,
            created_at=self._accounts.clock.now() if found is None else found.created_at,
        )
        await (self._rows.add(row) if found is None else self._rows.replace(row))
        how = "by itself" if found is None else "new credentials"
        await self._write_down("vnfm.subscribe", vnfm.name, f"{how}: {host_of(row.callback_uri)}, {auth or 'no authentication'}")
        return Made(row, new=found is None)

    def _keeps(self, found: Subscription, auth: AuthType | None, way: Way | None) -> bool:
        """Whether that is how Escalator authenticates at the subscription's address already."""
        try:
            return found.auth == auth and kept_way(found, self._subscribed.vault) == way
        except PermanentError:
            return False  # what was kept cannot be read any more: what is given now takes its place

    def _credential(self, vnfm: Vnfm) -> str:
        """`basic user:password` or `bearer token` as it is now; empty when the VNF manager may not subscribe."""
        right = vnfm.spec.subscription
        if right.type == "none" or right.credential is None or vnfm.spec.dialect != "vi-vnfm":
            return ""
        try:
            return f"{right.type} {self._accounts.credentials.read(right.credential)}"
        except PermanentError as error:
            _log.warning("subscription.credential", object_id=vnfm.name, code=error.code.value, message=error.message)
            return ""

    def _uri_problems(self, vnfm: Vnfm, request: SubscriptionRequest) -> Iterator[Problem]:
        uris = {"callbackUri": request.callback_uri}
        params = request.authentication.params_oauth2_client_credentials if request.authentication else None
        if params is not None:
            uris["authentication.paramsOauth2ClientCredentials.tokenEndpoint"] = params.token_endpoint
        for path, uri in uris.items():
            problems = [*uri_problems(uri, path)]
            yield from problems
            if not problems and not is_allowed(uri, self._subscribed.hosts_of(vnfm)):
                yield Problem(path, "the operator does not allow this host for this VNF manager")
        if self._only_certificate(request) and not request.callback_uri.startswith("https:"):
            yield Problem("callbackUri", "TLS_CERT needs an address with https")
        if self._only_certificate(request) and self._accounts.certificate.certificate is None:
            yield Problem("authentication.authType", "Escalator has no client certificate here; take another type")

    def _only_certificate(self, request: SubscriptionRequest) -> bool:
        return request.authentication is not None and set(request.authentication.auth_type) == {"TLS_CERT"}

    def _chosen(self, request: SubscriptionRequest) -> tuple[AuthType | None, Way | None]:
        """The strongest of the types that the subscriber takes: a certificate before a token, a token before a password."""
        given = request.authentication
        if given is None:
            return None, None
        usable = self._accounts.certificate.certificate is not None and request.callback_uri.startswith("https:")
        if "TLS_CERT" in given.auth_type and usable:
            return "TLS_CERT", Certificate()
        if (client := given.params_oauth2_client_credentials) is not None:
            return "OAUTH2_CLIENT_CREDENTIALS", OAuth2(client.client_id, client.client_password, client.token_endpoint)
        if (user := given.params_basic) is not None:
            return "BASIC", Basic(f"{user.user_name}:{user.password}")
        raise _invalid([Problem("authentication.authType", "none of these types can be used")])

    async def _test(self, account: Account) -> None:
        """GET the address: 204 shows that somebody waits for notices there."""
        try:
            status = await self._probe(account)
        except EscalatorError as error:
            _log.info("subscription.untested", object_id=account.vnfm, code=error.code.value, message=error.message)
            raise _invalid([Problem("callbackUri", f"the test failed ({error.code.value}): {error.message}")]) from error
        if status != _TEST_STATUS:
            raise _invalid([Problem("callbackUri", f"a GET of it has to be answered with 204; the answer was {status}")])

    async def _write_down(self, action: str, name: str, message: str) -> None:
        now, campaign = self._accounts.clock.now(), await holder(self._store.campaigns)
        event = Event(at=now, action=action, campaign=campaign, object_id=name, outcome="done", message=message)
        await self._store.events.append((event,))


def parse_request(body: bytes) -> SubscriptionRequest:
    """Read a subscription, JSON of bounded size and depth; raises InputError with all problems, and no value of a secret."""
    if len(body) > MAX_SUBSCRIPTION_BYTES:
        raise InputError(Code.API_TOO_LARGE, f"A subscription has {MAX_SUBSCRIPTION_BYTES} bytes at most.")
    text = body.strip()
    if not text.startswith(b"{"):
        raise _invalid([Problem("", "a JSON object is expected")])
    try:
        return load(SubscriptionRequest, Source(parse(text).data), code=Code.VIM_SUBSCRIPTION)
    except InputError as error:
        # No cause: it would carry what was given.
        raise _invalid([*map(_hushed, error.problems)] or [Problem("", error.message)]) from None


def _is_for_the_same(found: Subscription, request: SubscriptionRequest) -> bool:
    return found.callback_uri == request.callback_uri and found.filter.means_the_same(request.filter)


def _hushed(problem: Problem) -> Problem:
    """What is said about a secret does not repeat it."""
    if not problem.path.startswith("authentication"):
        return problem
    return Problem(problem.path, problem.message.partition(" (given:")[0])


def _invalid(problems: Sequence[Problem]) -> InputError:
    return InputError(Code.VIM_SUBSCRIPTION, "The subscription is not valid.", problems=problems)


def _unknown() -> NotFoundError:
    """The same whether nobody has it or another one: nothing can be guessed."""
    return no_subscription("of that id")


def _given(header: str | None) -> bytes | None:
    """Scheme and secret of a header, as `_credential` spells them."""
    if header is None or len(header) > MAX_HEADER:
        return None
    scheme, _, rest = header.partition(" ")
    match scheme.lower():
        case "bearer":
            return b"bearer " + rest.strip().encode("latin-1", "replace")
        case "basic":
            try:
                return b"basic " + base64.b64decode(rest.strip(), validate=True)
            except (binascii.Error, ValueError):
                return None
        case _:
            return None


def _auth_problems(request: SubscriptionRequest) -> Iterator[Problem]:
    given = request.authentication
    if given is None:
        return
    client = given.params_oauth2_client_credentials
    params = (
        ("BASIC", "paramsBasic", given.params_basic is not None),
        ("OAUTH2_CLIENT_CREDENTIALS", "paramsOauth2ClientCredentials", client is not None),
    )
    for kind, name, there in params:
        if kind in given.auth_type and not there:
            yield Problem(f"authentication.{name}", f"authType lists {kind}, which needs them")
        if kind not in given.auth_type and there:
            yield Problem(f"authentication.{name}", f"authType does not list {kind}")


def _filter_problems(vnfm: Vnfm, request: SubscriptionRequest) -> Iterator[Problem]:
    """A filter narrows what is owned. What is named has to be owned, or may lie within something wider that is."""
    for attribute, owned in _OWNED:
        own = set(getattr(vnfm.spec, owned))
        # A project may hold a VNF that is owned, a VNF may lie in a project that is: who is in whom, only the cloud knows.
        elsewhere = any(getattr(vnfm.spec, name) for _, name in _OWNED if name != owned)
        for value in getattr(request.filter, attribute) or ():
            if value not in own and (not elsewhere or (attribute == "project_ids" and own)):
                yield Problem(_path(attribute), f"{value!r} is not among the {owned} that this VNF manager owns")


def _refuse_foreign(request: SubscriptionRequest, others: Sequence[Vnfm]) -> None:
    """One instance has one VNF manager that speaks for it; whose else it is, is not told."""
    for attribute, owned in _OWNED:
        foreign = {value for other in others for value in getattr(other.spec, owned)}
        for value in getattr(request.filter, attribute) or ():
            if value in foreign:
                raise ConflictError(Code.VIM_SUBSCRIBED, f"{_path(attribute)}: {value!r} belongs to another VNF manager.")


def _path(attribute: str) -> str:
    first, *rest = attribute.split("_")
    return "filter." + first + "".join(map(str.capitalize, rest))
