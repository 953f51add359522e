"""A small web to crawl: eight hosts with links, redirects, missing pages, and pages that robots may not visit."""

from __future__ import annotations

import contextlib
import random
from collections import defaultdict

import trio

HOSTS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
PAGES_PER_HOST = 24
CRAWL_DELAY = 0.01
ROBOTS = f"User-agent: *\nDisallow: /private/\nCrawl-delay: {CRAWL_DELAY}\n"


class SmallWeb:
    """Eight hosts behind one listener, which records the requests and their times."""

    def __init__(self) -> None:
        self.port = 0
        self.requests = 0
        self.busiest = 0
        self.shortest_pause = float("inf")
        self._busy: set[str] = set()
        self._under_way: defaultdict[str, int] = defaultdict(int)
        self._last: dict[str, float] = {}

    async def serve(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        await trio.serve_listeners(self._answer_requests, [listener], task_status=task_status)  # type: ignore[arg-type]

    async def _answer_requests(self, stream: trio.SocketStream) -> None:
        buffer = b""
        with contextlib.suppress(trio.BrokenResourceError):
            while True:
                while b"\r\n\r\n" not in buffer:
                    data = await stream.receive_some()
                    if not data:
                        return
                    buffer += data
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                line, *fields = head.decode().split("\r\n")
                host = dict(field.lower().split(": ", 1) for field in fields)["host"]
                await stream.send_all(await self._respond(host.removesuffix(".example"), line.split()[1]))

    async def _respond(self, host: str, path: str) -> bytes:
        began = trio.current_time()
        if path != "/robots.txt":
            self.requests += 1
            self.shortest_pause = min(self.shortest_pause, began - self._last.get(host, -1e9))
        self._under_way[host] += 1
        self.busiest = max(self.busiest, self._under_way[host])
        try:
            await trio.sleep(random.uniform(0.001, 0.004))
            status, header, body = self._page(host, path)
        finally:
            self._under_way[host] -= 1
            self._last[host] = trio.current_time()
        return f"HTTP/1.1 {status}\r\nContent-Length: {len(body.encode())}\r\n{header}\r\n{body}".encode()

    def _page(self, host: str, path: str) -> tuple[str, str, str]:
        if path == "/robots.txt":
            return "200 OK", "Content-Type: text/plain\r\n", ROBOTS
        _, kind, number = (path if path != "/" else "/page/0").split("/")
        if kind == "old":
            return "301 Moved Permanently", f"Location: /page/{number}\r\n", ""
        if kind != "page":
            return "404 Not Found", "", ""
        here = int(number)
        if here % 13 == 5 and f"{host}{path}" not in self._busy:
            self._busy.add(f"{host}{path}")
            return "503 Service Unavailable", "", ""
        dice = random.Random(f"{host}/{here}")
        links = [f"/page/{child}" for child in (2 * here + 1, 2 * here + 2) if child < PAGES_PER_HOST]
        links += [f"http://{dice.choice(HOSTS)}.example/page/{dice.randrange(PAGES_PER_HOST)}#top" for _ in range(4)]
        links += [f"http://{HOSTS[(HOSTS.index(host) + 1) % len(HOSTS)]}.example/", f"/old/{here}", "/private/diary"]
        links += [f"/gone/{here}"] if here % 10 == 3 else []
        anchors = " ".join(f'<a href="{link}">{link}</a>' for link in links)
        return "200 OK", "Content-Type: text/html\r\n", f"<title>{host} {here}</title><body>{anchors}</body>"
