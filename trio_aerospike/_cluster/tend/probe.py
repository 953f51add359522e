"""Probe an address for a node: connect, log in, and ask for its name and status."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import math
from collections.abc import Iterable, Iterator

import trio

from ..._wire.constants import PROTO_INFO
from ..._wire.info import decode_info_answers, encode_info_request, is_error, refusal_of_all
from ..._wire.info_cluster import parse_services
from ...config import AuthMode, ClientConfig, Host
from ...errors import AerospikeError, ConnectionFailed, error_from_code
from ..connections.login import Credentials, Session, exchange
from ..connections.loop_clock import latency_of, loop_clock
from ..connections.transport import Connector, Transport, resolve
from .membership import STATUS_NAMES, Address, Status

logger = logging.getLogger("trio_aerospike")


class Found:
    """A node that answered a probe, before it is part of the cluster: its connection and its session.

    Attributes:
        latency: seconds that its first answer took; 0 if not known.
    """

    def __init__(
        self, address: Address, tls_name: str | None, transport: Transport, session: Session, latency: float
    ) -> None:
        self.address = address
        self.tls_name = tls_name
        self.transport = transport
        self.session = session
        self.latency = latency


class NodeProbe:
    """Connects to addresses and asks which node answers there.

    Args:
        config: the client's configuration: timeouts, credentials.
        connector: opens transports.
        service_command: the info command that asks a node under which addresses it is reached.
    """

    def __init__(self, config: ClientConfig, connector: Connector, service_command: str) -> None:
        self._connector = connector
        self._service_command = service_command
        self._uses_alternate = config.use_services_alternate
        self._timeout = math.inf if config.timeout is None else config.timeout
        self.credentials = (
            Credentials(config.user, config.password, config.auth_mode)
            if config.user or config.auth_mode is AuthMode.PKI
            else None
        )
        self._warned: set[str] = set()
        self._under_way: set[Transport] = set()

    async def look(self, address: Address, tls_name: str | None) -> tuple[Found, Status]:
        """Connect to an address, log in, and ask for the node's status; within ``timeout``."""
        session = Session(self.credentials)
        try:
            with loop_clock().fail_after(self._timeout):
                transport = await self.open(address, tls_name, session)
                try:
                    began, began_waiting = trio.current_time(), loop_clock().waited()
                    with self._watched(transport):
                        body = await exchange(transport, encode_info_request(*STATUS_NAMES), PROTO_INFO)
                    latency = latency_of(trio.current_time() - began, loop_clock().waited() - began_waiting)
                    refused = refusal_of_all(body)
                    if refused is not None:
                        # A server with security refuses the request as a whole if the client has not logged in.
                        raise error_from_code(refused.code, f"{address[0]}:{address[1]} answered: {refused.message}")
                    status = Status.from_answers(decode_info_answers(body, STATUS_NAMES))
                    return Found(address, tls_name, transport, session, latency), status
                except BaseException:
                    await close_transport(transport)
                    raise
        except trio.TooSlowError:
            raise TimeoutError(f"no answer within {self._timeout} s") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectionFailed("the connection broke before the server answered") from error

    async def open(self, address: Address, tls_name: str | None, session: Session) -> Transport:
        transport = await self._connector(*address, tls_name)
        try:
            with self._watched(transport):
                await session.authenticate(transport)
        except BaseException:
            await close_transport(transport)
            raise
        return transport

    @contextlib.contextmanager
    def _watched(self, transport: Transport) -> Iterator[None]:
        """Remember a connection while it is opened, for :meth:`close_inherited`."""
        self._under_way.add(transport)
        try:
            yield
        finally:
            self._under_way.discard(transport)

    def close_inherited(self) -> None:
        """In a forked child: close the descriptors of connections that were being opened, without sending anything."""
        for transport in self._under_way:
            transport.close_now()

    async def resolve(self, host: Host) -> list[Address]:
        if _is_numeric(host.name):
            return [(host.name, host.port)]
        with loop_clock().move_on_after(self._timeout):
            return [(address, host.port) for address in await resolve(host.name, host.port)]
        raise TimeoutError(f"{host.name} was not resolved within {self._timeout} s")

    async def advertised(self, found: Found, status: Status) -> Found:
        """Switch from a seed's address to the one that its node advertises, if that can be reached.

        A seed may be a load balancer, behind which each connection can reach another node, so the node's own address
        is better. It may also be a NAT or a container's published port, where only the seed's address works.
        """
        try:
            with loop_clock().fail_after(self._timeout):
                body = await exchange(found.transport, encode_info_request(self._service_command), PROTO_INFO)
            if refusal_of_all(body) is not None:
                return found
            text = decode_info_answers(body, (self._service_command,))[self._service_command]
            if is_error(text) or not text:
                if self._uses_alternate and not is_error(text):
                    self._warn_of_no_alternate(found, status)
                return found
            services = [(host, port) for host, port in parse_services(text)]
        except trio.TooSlowError:
            return found
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectionFailed("the connection broke before the server answered") from error
        if found.address in services or not services:
            return found
        other = await self._first_to_answer(services, found.tls_name, status.name)
        if other is not None:
            await close_transport(found.transport)
            return other
        if status.name not in self._warned:
            self._warned.add(status.name)
            logger.warning(
                "node %s advertises %s, where it cannot be reached; it is used under the seed's address %s:%d. "
                "In a container network or behind a NAT, set the server's alternate-access-address and the client's "
                "use_services_alternate%s",
                status.name,
                text,
                *found.address,
                " (which is set)" if self._uses_alternate else "",
            )
        return found

    def _warn_of_no_alternate(self, found: Found, status: Status) -> None:
        if status.name in self._warned:
            return
        self._warned.add(status.name)
        logger.warning(
            "node %s has no alternate addresses, which use_services_alternate asks for; it is used under the seed's "
            "address %s:%d, and nodes that are no seeds are not found. Set alternate-access-address in the server's "
            "configuration, or leave use_services_alternate off",
            status.name,
            *found.address,
        )

    async def _first_to_answer(self, addresses: Iterable[Address], tls_name: str | None, name: str) -> Found | None:
        """Try several addresses of one node concurrently: unreachable ones may drop packets without an error."""
        winners: list[Found] = []

        async def look(address: Address) -> None:
            try:
                found, status = await self.look(address, tls_name)
            except (AerospikeError, OSError):
                return
            if not winners and status.name == name:
                winners.append(found)
                nursery.cancel_scope.cancel()
            else:
                await close_transport(found.transport)

        try:
            async with trio.open_nursery() as nursery:
                for address in addresses:
                    nursery.start_soon(look, address)
        except BaseException:
            for found in winners:
                await close_transport(found.transport)
            raise
        return winners[0] if winners else None


def _is_numeric(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def close_transport(transport: Transport) -> None:
    with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
        try:
            await transport.aclose()
        except (OSError, trio.BrokenResourceError):
            pass  # it is closed, which is the purpose
