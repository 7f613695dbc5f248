"""
Pages that a browser is shown instead of JSON when it is refused: text, whose words are escaped.

A style sheet would have to be fetched, which who isn't signed in may not.
"""

from __future__ import annotations

from html import escape

from twisted.web.http import Request

__all__ = ["isBrowser", "page"]

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} – kernelnet hub</title>
</head>
<body>
<h1>{title}</h1>
<p>{why}</p>
{more}
</body>
</html>
"""
_SIGN_IN = (
    "<p>On the machine that the hub runs on, <code>kernelnet dashboard</code> prints a new address: open it in this"
    " browser. It works once, within ten minutes.</p>"
)
_TITLES = {401: "You are not signed in", 404: "There is no such page", 429: "Too many attempts"}


def isBrowser(request: Request) -> bool:
    """Whether somebody will read the answer: a page's own requests, and programs, do not ask for HTML by name."""
    return b"text/html" in (request.getHeader(b"accept") or b"").lower()


def page(code: int, why: str) -> bytes:
    """
    @param code: HTTP's, of the refusal.
    @param why: as programs are told.
    """
    more = _SIGN_IN if code == 401 else '<p><a href="/">to the dashboard</a></p>'
    title = _TITLES.get(code, "That can't be answered")
    return _PAGE.format(title=escape(title), why=escape(f"{why[:1].upper()}{why[1:]}."), more=more).encode()
