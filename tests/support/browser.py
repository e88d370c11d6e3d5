"""A headless Chromium, as a person would use it: by its DevTools protocol over a pipe, with no other package."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

#: Names that distributions give it.
NAMES = ("chromium", "chromium-browser", "google-chrome")
#: Seconds after which an answer, or what is waited for, does not come any more: the machine may be busy.
PATIENCE = 60


def find():
    """The program, None if it is not installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A running browser with a fresh profile; a context manager.

    Example::

        with Browser() as browser:
            tab = browser.open(path.as_uri())
            tab.evaluate("document.title")
    """

    def __init__(self, *flags):
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        # It reads from descriptor 3 and writes to 4.
        shell = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        own = ["--remote-debugging-pipe", f"--user-data-dir={self._profile.name}"]
        self._process = subprocess.Popen(
            ["bash", "-c", shell, find(), *options, *camera, *own, *flags, "about:blank"],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in), os.close(theirs_out)
        self._rest, self._number, self.events = b"", 0, []
        # Not select.select: it refuses descriptors above 1,023, and a process that ran many tests may have them.
        self._waiting = select.poll()
        self._waiting.register(self._in, select.POLLIN)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close")
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            os.close(self._out), os.close(self._in)
            self._profile.cleanup()

    def open(self, url, **screen):
        """A new tab; `screen` is what `Tab.resize` takes."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, session, target)
        for domain in ("Page", "Runtime", "Network", "DOM", "Log"):
            tab.call(f"{domain}.enable")
        if screen:
            tab.resize(**screen)
        tab.call("Page.navigate", url=url)
        tab.wait_for("document.readyState === 'complete'")
        return tab

    def call(self, method, session=None, **parameters):
        """What the browser answers; what happened meanwhile is in `events`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            found = self._read()
            if found.get("id") == self._number:
                assert "error" not in found, f"{method}: {found['error']}"
                return found["result"]
            self.events.append(found)

    def _read(self):
        while b"\0" not in self._rest:
            assert self._waiting.poll(PATIENCE * 1000), "the browser does not answer"
            some = os.read(self._in, 1 << 20)
            assert some, "the browser has ended"
            self._rest += some
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)


class Tab:
    """A page."""

    def __init__(self, browser, session, target):
        self.browser, self._session, self._target = browser, session, target

    def call(self, method, **parameters):
        return self.browser.call(method, self._session, **parameters)

    def events(self, method):
        """What the page's events of that name say."""
        found = [event for event in self.browser.events if event.get("sessionId") == self._session]
        return [event["params"] for event in found if event["method"] == method]

    def evaluate(self, expression):
        """The value of an expression of JavaScript, a promise's too."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]["exception"].get("description")
        return found["result"].get("value")

    def wait_for(self, expression):
        """Waits until an expression is true, and returns its value."""
        end = time.monotonic() + PATIENCE
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < end, f"{expression} does not become true"
            time.sleep(0.02)
        return value

    def text(self, selector):
        """An element's text as it is shown, with one space for each run of white space."""
        return " ".join(self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText").split())

    def press(self, key):
        """A key: Tab, Enter or Space."""
        code = {"Tab": 9, "Enter": 13, "Space": 32}[key]
        text = {"Enter": "\r", "Space": " "}.get(key)
        name = " " if key == "Space" else key
        given = {"key": name, "code": key, "windowsVirtualKeyCode": code, "nativeVirtualKeyCode": code}
        if text:
            given["text"] = text
        self.call("Input.dispatchKeyEvent", type="keyDown", **given)
        self.call("Input.dispatchKeyEvent", type="keyUp", **given)

    def tab_to(self, selector):
        """Presses the tabulator until an element has the focus."""
        for _ in range(30):
            if self.evaluate(f"document.activeElement?.matches({json.dumps(selector)})"):
                return
            self.press("Tab")
        raise AssertionError(f"{selector} cannot be reached by keyboard")

    def choose_files(self, selector, files):
        """As if somebody had chosen files in a dialog."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=list(map(str, files)))

    def resize(self, width=1024, height=768, dark=False, touch=False, cores=None):
        """What screen it believes to have, and how many processors."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=touch)
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        if cores:
            self.call("Emulation.setHardwareConcurrencyOverride", hardwareConcurrency=cores)

    def screenshot(self, path):
        """A PNG of the whole page."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        Path(path).write_bytes(base64.b64decode(found["data"]))

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self._target)
