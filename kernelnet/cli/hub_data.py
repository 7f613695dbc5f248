"""Components and sessions that a hub holds, from its database or over its status API: the same either way."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click
import msgspec
from msgspec import Struct

from kernelnet.artifacts import Component
from kernelnet.cli.common import reading
from kernelnet.hub.storage.transaction import Reader
from kernelnet.hub.views import sessions as sessionsView
from kernelnet.hub.views.components import byOwner, describe, describeWhole, entries, entryOf, reportsOn
from kernelnet.untrusted import plain

__all__ = ["ApiData", "HubData", "Listed", "StoredData", "Told", "Whole", "hubData"]

MOST = 10_000
"""Maximum number of components, and of sessions, that are looked at."""

PAGE = 500
MAX_ANSWER = 64 << 20
"""Bytes of the longest answer of a hub's API."""

TIMEOUT = 30.0
"""Seconds that an answer may take."""


class Listed(Struct):
    """A component as lists tell of it; see `kernelnet.hub.views.components.describe`."""

    id: str
    author: str
    digest: str
    state: str
    verdicts: dict[str, str]
    shared: str
    workbench: str | None = None
    workbench_digest: str | None = None
    trace: str | None = None
    trace_digest: str | None = None
    settings: dict[str, int] | None = None
    level: float | None = None
    older_rules: bool = False
    seq: int = 0
    owners: dict[str, str] = {}

    def who(self, verdict: str) -> list[str]:
        """Other AIs with this verdict on it."""
        return sorted(aiId for aiId, its in self.verdicts.items() if its == verdict)

    def voices(self, verdict: str) -> list[str]:
        """The same by owner, as people are told of it: each owner once, with their AIs; an AI without one by its id."""
        return byOwner(self.who(verdict), self.owners)


class Told(Struct):
    """The word of an AI that measured a component."""

    reporter: str
    performance: dict[str, Any]
    verdict: str | None = None


class Whole(Struct):
    """A component with its module, and the words of those who measured it."""

    component: Component
    reports: list[Told] = []


class HubData(Protocol):
    """
    Questions to a hub that runs or ran.

    @ivar name: what people call it: its folder or address.
    """

    name: str

    def components(self) -> list[Listed]:
        """All that make a claim, best first; `MOST` at most."""

    def whole(self, digest: str) -> Whole | None:
        """One of them; C{None}: it is gone."""

    def completed(self) -> list[dict[str, Any]]:
        """Collaboration sessions that were completed, as `kernelnet.hub.views.sessions.sessions` gives them."""


T = TypeVar("T")


class StoredData:
    """Of a hub's database, whether it runs or not."""

    def __init__(self, reader: Reader, name: str) -> None:
        self._reader = reader
        self.name = name

    def components(self) -> list[Listed]:
        return _claiming(msgspec.convert([*map(describe, entries(self._reader, limit=MOST))], list[Listed]))

    def whole(self, digest: str) -> Whole | None:
        entry = entryOf(self._reader, digest)
        if entry is None:
            return None
        return msgspec.convert({**describeWhole(entry, []), "reports": reportsOn(self._reader, digest)}, Whole)

    def completed(self) -> list[dict[str, Any]]:
        return sessionsView.sessions(self._reader, "completed", MOST)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nobody elsewhere: a token is for the hub alone."""

    def redirect_request(self, *arguments: Any) -> None:
        return None


class ApiData:
    """
    Of a hub's status API.

    @param url: of its dashboard.
    @param token: a viewer's.
    @param authority: the certificate of who signed the hub's; C{None}: whom this machine trusts.
    """

    def __init__(self, url: str, token: str, authority: Path | None = None) -> None:
        try:
            context = ssl.create_default_context(cafile=authority)
        except OSError as error:
            raise click.ClickException(f"can't use {authority} as a certificate: {error.strerror or error}") from None
        self._opener = urllib.request.build_opener(_Stay, urllib.request.HTTPSHandler(context=context))
        self.name = url
        self._url = url.rstrip("/")
        self._token = token

    def components(self) -> list[Listed]:
        class Page(Struct):
            components: list[Listed]
            next: str | None = None

        found: list[Listed] = []
        after = ""
        while len(found) < MOST:
            page = self._get(f"components?limit={PAGE}" + (f"&after={after}" if after else ""), Page)
            found += page.components
            if page.next is None:
                break
            after = urllib.parse.quote(page.next, safe="")
        return _claiming(found)

    def whole(self, digest: str) -> Whole | None:
        return self._get(f"components/{urllib.parse.quote(digest, safe='')}", Whole)

    def completed(self) -> list[dict[str, Any]]:
        class Page(Struct):
            sessions: list[dict[str, Any]]

        return self._get(f"sessions?state=completed&limit={PAGE}", Page).sessions

    def _get(self, resource: str, kind: type[T]) -> T:
        """@raise click.ClickException: it can't be had; one line."""
        # of http or https, as `hubData` sees to
        request = urllib.request.Request(f"{self._url}/api/{resource}")  # noqa: S310
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                data = answer.read(MAX_ANSWER + 1)
            if len(data) > MAX_ANSWER:
                raise click.ClickException(f"{self._url} answers with more than {MAX_ANSWER >> 20} MiB")
            return msgspec.json.decode(data, type=kind)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 401:
                raise click.ClickException(
                    f"{self._url} wants a viewer's token: kernelnet tokens issue NAME --role viewer makes one, for"
                    " --token-file or KERNELNET_TOKEN"
                ) from None
            raise click.ClickException(f"{self._url} answers {error.code} {plain(str(error.reason), 100)}") from None
        except (OSError, ValueError, HTTPException, msgspec.MsgspecError) as error:
            reason = plain(str(getattr(error, "reason", error)), 200)
            raise click.ClickException(f"{self._url} is no hub's dashboard, or can't be reached: {reason}") from None


def _claiming(found: list[Listed]) -> list[Listed]:
    return [one for one in found if one.workbench and one.trace_digest and one.level is not None]


@contextmanager
def hubData(source: str | None, token: str = "", authority: Path | None = None) -> Iterator[HubData]:
    """
    @param source: a state directory or a dashboard's address; C{None}: the state directory that there is by default.
    @param token: see `ApiData`, and C{authority}.
    @raise click.ClickException: there is no hub; one line.
    """
    if source is not None and source.startswith(("http://", "https://")):
        yield ApiData(source, token, authority)
        return
    with reading(Path(source) if source is not None else None) as reader:
        yield StoredData(reader, source or "this user's hub")
