"""RabbitMQ: messages with publisher confirms, over one connection that is made when it is needed, and anew when it broke."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelInvalidStateError,
    ChannelNotFoundEntity,
    DeliveryError,
    ProbableAuthenticationError,
    PublishError,
)

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.settings import FenixNotifications
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.fenix.bus import Message


class Rabbitmq:
    """Publishes to one exchange. `address` gives the broker's, with its credentials; it is asked for each connection.

    Nothing is declared here: the exchange and its queues are the listeners', and whoever declares one has to say the same of
    its durability as all others.
    """

    def __init__(self, settings: FenixNotifications, address: Callable[[], str], timeout_s: float) -> None:
        self._settings = settings
        self._address = address
        self._timeout_s = timeout_s
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._turn = asyncio.Lock()

    async def publish(self, messages: Sequence[Message]) -> None:
        """Return when the broker has confirmed each, and put it into a queue. Raises TemporaryError."""
        async with self._turn:
            try:
                async with asyncio.timeout(self._timeout_s):
                    exchange = await (await self._open()).get_exchange(self._settings.exchange, ensure=False)
                    for message in messages:
                        await self._put(exchange, message)
            except (AMQPError, ChannelInvalidStateError, OSError, TimeoutError) as error:
                await self._give_up()
                raise self._failure(error) from None

    async def test(self) -> None:
        """Look whether the exchange is there. Raises TemporaryError."""
        async with self._turn:
            try:
                async with asyncio.timeout(self._timeout_s):
                    await (await self._open()).get_exchange(self._settings.exchange, ensure=True)
            except (AMQPError, ChannelInvalidStateError, OSError, TimeoutError) as error:
                await self._give_up()
                raise self._failure(error) from None

    async def close(self) -> None:
        """End the connection."""
        async with self._turn:
            await self._give_up()

    async def _put(self, exchange: AbstractExchange, message: Message) -> None:
        what = aio_pika.Message(
            message.body,
            message_id=message.id,
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await exchange.publish(what, f"{self._settings.topic}.info", mandatory=True)

    async def _open(self) -> AbstractChannel:
        if self._connection is None or self._connection.is_closed:
            try:
                address = self._address()
            except PermanentError as error:
                # A file that is put right counts at once, and until then nothing is lost.
                raise TemporaryError(error.code, error.message) from error
            context = ssl.create_default_context(cafile=self._settings.ca_file) if address.startswith("amqps:") else None
            self._connection = await aio_pika.connect(address, ssl_context=context)
            self._channel = None
        if self._channel is None or self._channel.is_closed:
            self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        return self._channel

    async def _give_up(self) -> None:
        """Forget the connection: after a failure nothing about it is sure."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            try:
                async with asyncio.timeout(self._timeout_s):
                    await connection.close()
            except (AMQPError, ChannelInvalidStateError, OSError, TimeoutError):
                return

    def _failure(self, error: Exception) -> TemporaryError:
        """What went wrong, without the broker's address: it has a password in it."""
        code, exchange, topic = Code.VIM_REFUSED, self._settings.exchange, self._settings.topic
        match error:
            case PublishError():
                message = f"No queue of the exchange {exchange} takes {topic}.info: is its listener there?"
            case ChannelNotFoundEntity():
                message = f"The broker has no exchange {exchange}: its listener declares it."
            case DeliveryError():
                message = "The broker did not take the message."
            case AuthenticationError() | ProbableAuthenticationError():
                code, message = Code.VIM_CREDENTIALS, "The broker refused our credentials."
            case TimeoutError():
                code, message = Code.VIM_UNREACHABLE, f"The broker did not answer within {self._timeout_s:g} s."
            case _:
                code, message = Code.VIM_UNREACHABLE, f"The broker cannot be reached ({_cause(error)})."
        return TemporaryError(code, message)


def _cause(error: BaseException | None) -> str:
    """What is behind it, by its type; of a certificate, why it is not accepted."""
    name = type(error).__name__
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate is not accepted: {error.verify_message}"
        error = error.__cause__ or error.__context__
    return name


def address_of(settings: FenixNotifications, credentials: Credentials, environment: Mapping[str, str]) -> str:
    """Return the broker's address from its file or variable; raises PermanentError (`VIM_CREDENTIAL_FILE`)."""
    if settings.credential is not None:
        where, address = f"credential {settings.credential!r}", credentials.read(settings.credential)
    else:
        where, address = f"variable {settings.variable}", environment.get(settings.variable or "", "")
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("amqp", "amqps") and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        raise PermanentError(
            Code.VIM_CREDENTIAL_FILE, f"The {where} has to hold an address amqps://user:password@host:port/vhost."
        )
    return address
