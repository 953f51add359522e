"""Fetch pages, and parse robots.txt, titles and links."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin
from urllib.robotparser import RobotFileParser

import attrs
import trio

AGENT = "small-crawler"
#: Seconds between two requests to a host without a crawl delay.
PAUSE = 0.01


@attrs.frozen
class Answer:
    """The answer of a host."""

    status: int
    fields: dict[str, str]
    body: str


class Visit:
    """A connection to one host, for requests one after the other."""

    def __init__(self, host: str, stream: trio.SocketStream) -> None:
        self._host = host
        self._stream = stream

    async def get(self, path: str) -> Answer:
        """Ask for a page.

        Raises:
            OSError, trio.TooSlowError: The host did not answer.
        """
        try:
            with trio.fail_after(10):
                request = f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\nUser-Agent: {AGENT}\r\n\r\n"
                await self._stream.send_all(request.encode())
                data = await self._more(b"")
                while b"\r\n\r\n" not in data:
                    data = await self._more(data)
                head, _, body = data.partition(b"\r\n\r\n")
                line, *rest = head.decode("latin-1").split("\r\n")
                fields = {name.lower(): value for name, _, value in (field.partition(": ") for field in rest)}
                while len(body) < int(fields.get("content-length", 0)):
                    body = await self._more(body)
        except trio.BrokenResourceError as error:
            raise OSError(f"the connection to {self._host} is broken") from error
        return Answer(int(line.split()[1]), fields, body.decode(errors="replace"))

    async def _more(self, data: bytes) -> bytes:
        received = await self._stream.receive_some()
        if not received:
            raise OSError(f"{self._host} has closed the connection")
        return data + received


class Rules:
    """What a host's robots.txt allows, and the seconds that it asks for between requests."""

    def __init__(self, text: str) -> None:
        lines = text.splitlines()
        self._parser = RobotFileParser()
        self._parser.parse(lines)
        fields = {name.strip().lower(): value for name, _, value in (line.partition(":") for line in lines)}
        # The parser of the standard library supports whole seconds only.
        self.pause = float(fields.get("crawl-delay", PAUSE))

    def allow(self, url: str) -> bool:
        """Whether robots.txt allows the path."""
        return self._parser.can_fetch(AGENT, url)


class LinkReader(HTMLParser):
    """Collects the title and the links of a page."""

    def __init__(self, url: str, text: str) -> None:
        super().__init__()
        self.title = ""
        self.links: list[str] = []
        self._url = url
        self._in_title = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note links."""
        self._in_title = tag == "title"
        target = dict(attrs).get("href") if tag == "a" else None
        if target:
            self.links.append(urldefrag(urljoin(self._url, target)).url)

    def handle_data(self, data: str) -> None:
        """Note the title."""
        if self._in_title:
            self.title += data
