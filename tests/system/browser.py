"""Debian's Chromium without a window, driven by selenium."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

__all__ = ["NoBrowser", "startBrowser"]


class NoBrowser(Exception):
    """It is not installed; the text says what is needed."""


def startBrowser(folder: Path) -> Any:
    """
    @param folder: for its profile.
    @return: a C{webdriver.Chrome}; whoever asked ends it with C{quit()}.
    @raise NoBrowser: see there.
    """
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        raise NoBrowser("needs chromium and chromedriver (Debian's packages chromium and chromium-driver)")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = chromium
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'browser'}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(chromedriver))
