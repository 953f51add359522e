"""The embedded server over TLS."""

from __future__ import annotations

import ssl

import pytest
import trio
import trustme

from tests.integration.server_peer import Peer, message_frame, put_message
from trio_aerospike.server import open_embedded_cluster


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("node.test").configure_cert(context)
    return context


async def test_records_travel_over_tls_and_a_stopped_node_resets(
    authority: trustme.CA, server_context: ssl.SSLContext
) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with open_embedded_cluster(2, tls=server_context) as cluster:
        tcp = await trio.open_tcp_stream(*cluster.hosts[0])
        async with trio.SSLStream(tcp, context, server_hostname="node.test", https_compatible=True) as stream:
            peer = Peer(stream)
            assert await peer.put("k", a=1) == 0
            assert await peer.get("k") == {"a": 1}
            assert await peer.info_one("node") == "A1"
            await cluster.stop_node(0)
            with pytest.raises((trio.BrokenResourceError, EOFError)):
                await peer.get("k")


async def test_a_client_without_tls_gets_nowhere_and_harms_nobody(
    authority: trustme.CA, server_context: ssl.SSLContext
) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with open_embedded_cluster(1, tls=server_context) as cluster:
        async with await trio.open_tcp_stream(*cluster.hosts[0]) as plain:
            await plain.send_all(message_frame(put_message("k", {"a": 1})))
            with pytest.raises((trio.BrokenResourceError, EOFError)):
                while True:
                    if not await plain.receive_some():
                        raise EOFError
        tcp = await trio.open_tcp_stream(*cluster.hosts[0])
        async with trio.SSLStream(tcp, context, server_hostname="node.test", https_compatible=True) as stream:
            assert await Peer(stream).info_one("node") == "A1"


async def test_contexts_for_clients_and_streams_in_memory_do_not_go_with_tls(server_context: ssl.SSLContext) -> None:
    with pytest.raises(ValueError, match="CLIENT_AUTH"):
        async with open_embedded_cluster(1, tls=ssl.create_default_context()):
            pass
    with pytest.raises(ValueError, match="memory=True"):
        async with open_embedded_cluster(1, tls=server_context, memory=True):
            pass
