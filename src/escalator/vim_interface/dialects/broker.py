"""The address of the message bus. Its client is an extra of the installation, and who names no broker needs none."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.settings import FenixNotifications
from escalator.vim_interface.credentials import Credentials


def broker_address(wanted: FenixNotifications, credentials: Credentials, environment: Mapping[str, str]) -> Callable[[], str]:
    """Return what gives the address as it is then.

    It raises PermanentError where the client is not installed (`VIM_NO_EXTRA`), or there is no address (`VIM_CREDENTIAL_FILE`).
    """

    def address() -> str:
        try:
            from escalator.vim_interface.dialects.rabbitmq import address_of  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            message = f"vim.fenix.notifications needs the package {error.name}, which is not installed."
            remedy = "Install it from the checkout: pip install --require-hashes -r requirements/extras.lock."
            raise PermanentError(Code.VIM_NO_EXTRA, message, remedy=remedy) from error
        return address_of(wanted, credentials, environment)

    return address
