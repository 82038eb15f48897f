"""Where notices for a VNF manager go and how Escalator authenticates there: by its subscription, else by its registration.

Everything is looked up at each use, so that what was changed or taken away counts at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from escalator.clocks import SystemClock
from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.notice import Auth, Vnfm
from escalator.model.subscription import Subscription
from escalator.settings import ClientCertificate
from escalator.storage.port import Subscriptions
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.hosts import is_allowed
from escalator.vim_interface.vault import Vault


@dataclass(frozen=True, slots=True)
class Basic:
    """HTTP Basic (RFC 7617)."""

    secret: str = field(repr=False)
    """`user:password`."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token that does not change."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OAuth2:
    """Tokens that are fetched with client credentials (RFC 6749, 4.4)."""

    client_id: str
    client_password: str = field(repr=False)
    token_endpoint: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """Escalator's own client certificate, over TLS."""


Way = Basic | Bearer | OAuth2 | Certificate


@dataclass(frozen=True, slots=True)
class Account:
    """An address, and how to authenticate there."""

    vnfm: str
    uri: str
    way: Way | None = None


@dataclass(frozen=True, slots=True)
class Subscribed:
    """What is needed to use what came by subscription. `hosts` are the operator's, for every VNF manager."""

    rows: Subscriptions
    vault: Vault
    hosts: tuple[str, ...] = ()

    def hosts_of(self, vnfm: Vnfm) -> tuple[str, ...]:
        """Hosts at which a VNF manager that subscribes may be told."""
        return (*self.hosts, *vnfm.spec.subscription.hosts)


@dataclass(frozen=True, slots=True)
class Accounts:
    """Finds accounts. Without `subscribed` only registrations count; the clock says when OAuth2 tokens are too old."""

    credentials: Credentials
    clock: Clock = field(default_factory=SystemClock)
    certificate: ClientCertificate = field(default_factory=ClientCertificate)
    subscribed: Subscribed | None = None

    async def of(self, vnfm: Vnfm) -> Account:
        """Return the account of a VNF manager.

        Raises TemporaryError while one that may subscribe has not, PermanentError when its credentials cannot be read or
        its address is not allowed any more.
        """
        if vnfm.spec.subscription.type != "none" and self.subscribed is not None:
            row = await self.subscribed.rows.get(vnfm.name)
            if row is not None:
                return subscribed_account(row, vnfm, self.subscribed)
        uri = vnfm.spec.callback_uri
        if uri is not None:
            return Account(vnfm.name, uri, registered_way(vnfm.spec.auth, self.credentials))
        if vnfm.spec.subscription.type != "none":
            remedy = "It has to subscribe: POST /vi-vnfm/v1/subscriptions. Nothing is to be done at Escalator."
            raise TemporaryError(Code.VIM_UNREACHABLE, f"VNF manager {vnfm.name} has no subscription now.", remedy=remedy)
        raise PermanentError(Code.VIM_REGISTRATION, f"VNF manager {vnfm.name} has no address.")


def registered_way(auth: Auth, credentials: Credentials) -> Way | None:
    """Return how the operator's registration says to authenticate, with the credential as it is now."""
    if auth.type == "tls-cert":
        return Certificate()
    if auth.type == "none" or auth.credential is None:
        return None
    secret = credentials.read(auth.credential)
    if auth.type == "oauth2" and auth.token_endpoint is not None:
        client_id, _, client_password = secret.partition(":")
        return OAuth2(client_id, client_password, auth.token_endpoint)
    return Bearer(secret) if auth.type == "bearer" else Basic(secret)


def subscribed_account(row: Subscription, vnfm: Vnfm, subscribed: Subscribed) -> Account:
    """Return the account that a subscription gives; raises PermanentError."""
    account = Account(row.vnfm, row.callback_uri, kept_way(row, subscribed.vault))
    for uri in addresses(account):
        if not is_allowed(uri, subscribed.hosts_of(vnfm)):
            message = f"The address at which VNF manager {row.vnfm} has subscribed is not allowed any more."
            raise PermanentError(Code.VIM_REGISTRATION, message)
    return account


def addresses(account: Account) -> tuple[str, ...]:
    """Return every address that is called when a notice goes to the account."""
    return (account.uri, account.way.token_endpoint) if isinstance(account.way, OAuth2) else (account.uri,)


def owner(vnfm: str, uri: str) -> str:
    """Return to whom and for which address secrets are given: moved to another row of the database they do not open."""
    return f"{vnfm} {uri}"


def secrets_of(way: Way | None) -> Mapping[str, str]:
    """Return what has to be kept secret of a way that came by subscription."""
    match way:
        case Basic(secret):
            return {"secret": secret}
        case OAuth2(client_id, client_password, token_endpoint):
            return {"client_id": client_id, "client_password": client_password, "token_endpoint": token_endpoint}
        case _:
            return {}


def kept_way(row: Subscription, vault: Vault) -> Way | None:
    """Return how a subscription says to authenticate; raises PermanentError when its secrets cannot be read."""
    secrets = vault.unseal(owner(row.vnfm, row.callback_uri), row.sealed) if row.sealed is not None else {}
    match row.auth:
        case "BASIC":
            return Basic(**secrets)
        case "OAUTH2_CLIENT_CREDENTIALS":
            return OAuth2(**secrets)
        case "TLS_CERT":
            return Certificate()
        case None:
            return None
