"""The border for errors: what Keystone, the SDK and the services say becomes a TemporaryError or PermanentError of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping

import keystoneauth1.exceptions as ks
import openstack.exceptions as sdk
import requests

from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError

MAX_TEXT = 300
"""Longer texts of a cloud are tracebacks or HTML pages, which help nobody in a report."""

FOREIGN: tuple[type[Exception], ...] = (
    ks.ClientException,
    sdk.SDKException,
    requests.RequestException,
    OSError,
)
"""Everything that the client libraries raise."""

_CREDENTIALS = "Check user, password and project of this cloud in clouds.yaml."
_ROLE = "The user needs the roles admin and service in its project, or a policy of the cloud that allows this."
_CONFIG = "Check clouds.yaml (region_name, interface, cacert) and cloud.os_cloud in the settings."
_LATER = "Nothing was decided by this; it is tried again."


def translate(error: Exception, doing: str) -> EscalatorError:  # noqa: PLR0911 -- a table of cases
    """Our error for one of `FOREIGN`; `doing` says what was tried, such as `list the compute services`."""
    text = shorten(str(error))
    match error:
        case ks.Unauthorized() | ks.AuthorizationFailure():
            return no_entry(text)
        case ks.Forbidden():
            return PermanentError(Code.CLD_FORBIDDEN, f"Our user may not {doing}: {text}", remedy=_ROLE)
        case ks.EndpointNotFound() | ks.EmptyCatalog() | ks.SSLError():
            return PermanentError(Code.CLD_CONFIG, f"Cannot {doing}: {text}", remedy=_CONFIG)
        case ks.ConnectionError() | ks.DiscoveryFailure() | ks.HttpServerError() | ks.TooManyRequests():
            return unreachable(doing, text)
        case ks.HttpError() if error.http_status:
            return refusal(error.http_status, str(error), doing)
        case sdk.ConfigException() | ks.AuthPluginException() | ks.MissingRequiredOptions():
            return PermanentError(Code.CLD_CONFIG, f"The cloud's configuration is not usable: {text}", remedy=_CONFIG)
        case requests.RequestException() | OSError():
            return unreachable(doing, text)
    return PermanentError(Code.CLD_REFUSED, f"Cannot {doing}: {text}")


def refusal(status: int, body: str, doing: str) -> EscalatorError:  # noqa: PLR0911 -- a table of cases
    """Our error for an HTTP answer of 400 or more."""
    text = said(body)
    match status:
        case 401:
            return no_entry(text)
        case 403 if "quota" in text.lower():
            # Nova's word for a full quota, which is no matter of roles: others' instances may go, as other probes do.
            return TemporaryError(Code.CLD_BUSY, f"Cannot {doing} now: {text}")
        case 403:
            return PermanentError(Code.CLD_FORBIDDEN, f"Our user may not {doing}: {text}", remedy=_ROLE)
        case 404:
            return PermanentError(Code.CLD_NOT_FOUND, f"Cannot {doing}: {text}")
        case 400 if "valid host" in text.lower():
            return PermanentError(Code.CLD_NO_VALID_HOST, f"Cannot {doing}: {text}")
        case 409:
            return TemporaryError(Code.CLD_BUSY, f"Cannot {doing} now: {text}")
        case 408 | 413 | 429:
            return unreachable(doing, text)
    if status >= 500:
        return unreachable(doing, f"HTTP {status}: {text}")
    return PermanentError(Code.CLD_REFUSED, f"Cannot {doing}: HTTP {status}: {text}")


def is_own(body: str, key: str | None) -> bool:
    """Whether an error answer is the service's own, which it says by this key; any is where there is no such key."""
    if key is None:
        return True
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, Mapping) and key in data


def said(body: str) -> str:
    """The sentence inside an error answer of Nova, Placement or Neutron, one line and bounded."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return shorten(body)
    return shorten(_sentence(data) or body)


def shorten(text: str) -> str:
    """One line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"


def _sentence(data: object) -> str:
    if isinstance(data, Mapping):
        errors = data.get("errors")
        inner = errors[0] if isinstance(errors, list) and errors else next(iter(data.values()), None)
        if isinstance(inner, Mapping):
            return str(inner.get("message") or inner.get("detail") or "")
    return ""


def no_entry(text: str) -> TemporaryError:
    """The error for refused credentials. A password is changed in two places, one after the other: nothing is decided by it."""
    return TemporaryError(Code.CLD_CREDENTIALS, f"The cloud refused our credentials: {text}", remedy=_CREDENTIALS)


def unreachable(doing: str, text: str) -> TemporaryError:
    """The error for a cloud that did not answer: nothing is known by it."""
    return TemporaryError(Code.CLD_UNREACHABLE, f"The cloud did not answer when asked to {doing}: {text}", remedy=_LATER)
