"""A headless Chromium without network, for the checks of report pages.

Needs selenium 4 (from PyPI), and `chromium` and `chromium-driver` (from Debian).
"""

import base64
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

# Reads the data of a page in the page, as a reader of the file would.
DATA = "return JSON.parse(document.getElementById('data').textContent)"


def location(page):
    return Path(page).resolve().as_uri()


@contextmanager
def chromium(width=1280, height=800, dark=False, reduced_motion=True):
    """A browser that resolves no name, keeps nothing, and logs what the page says and asks for."""
    options = webdriver.ChromeOptions()
    options.binary_location = os.environ.get("CHROMIUM") or shutil.which("chromium") or "chromium"
    profile = tempfile.mkdtemp(prefix="caliper-browser-")
    for argument in [
        "--headless=new",
        "--no-sandbox",  # Containers run as root, and have no user namespaces to sandbox with.
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--force-color-profile=srgb",
        f"--user-data-dir={profile}",
        f"--window-size={width},{height}",
    ]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = Service(os.environ.get("CHROMEDRIVER") or shutil.which("chromedriver") or "chromedriver")
    driver = webdriver.Chrome(options=options, service=service)
    try:
        driver.set_script_timeout(120)
        driver.set_page_load_timeout(120)
        screen(driver, width, height)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        if reduced_motion:
            features.append({"name": "prefers-reduced-motion", "value": "reduce"})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        # The browser opens its own start page first: what that has asked for is not looked at.
        driver.get("about:blank")
        driver.get_log("performance")
        driver.get_log("browser")
        yield driver
    finally:
        driver.quit()
        shutil.rmtree(profile, ignore_errors=True)


def screen(driver, width, height, mobile=False):
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def requests_of(driver):
    """Addresses that were asked for since the last call, except for the page itself and what it holds."""
    found = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated"):
            found.append(message["params"].get("request", message["params"])["url"])
    return found


def is_outside(address, page):
    own = location(page)
    return not (address.split("#")[0] == own or address.startswith(("data:", "blob:", "about:")))


def complaints(driver):
    """What the browser has logged since the last call: errors and warnings of scripts, policy and loading."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def picture(driver, path, whole=False):
    what = {"format": "png", "captureBeyondViewport": whole}
    if whole:
        size = driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        what["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 6000), "scale": 1}
    Path(path).write_bytes(base64.b64decode(driver.execute_cdp_cmd("Page.captureScreenshot", what)["data"]))


def fragment_of(cell):
    """The fragment of the address that opens a cell; JavaScript's encodeURIComponent leaves these characters."""
    return "#cell=" + quote(cell, safe="!*'()")


def cell_id(data, cell):
    """The id of a cell, as the page and the command line write it."""
    column = data["columns"][data["cells"]["column"][cell]]
    variant = column.get("variant") or {}
    labels = [f"{axis['name']}={variant[axis['name']]}" for axis in data["axes"][1:] if axis["name"] in variant]
    rest = f"[{','.join(labels)}]" if labels else ""
    return f"{data['releases'][data['cells']['release'][cell]]}/{column['python']}{rest}"
