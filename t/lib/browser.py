"""Chromium without a window, driven by its own protocol over a pair of pipes: pages are opened,
clicked and typed into as by a person, and asked what they look like.

What a page would write on the console, every address it asks for, and every answer that is an error
is kept, for the tests to judge."""

import base64
import fcntl
import json
import os
import select
import time

import proc

PROGRAM = "/usr/lib/chromium/chromium"
# No sandbox: it does not work as root. Nothing but the page is asked of any network.
OPTIONS = ["--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--disable-gpu",
           "--no-first-run", "--disable-extensions", "--disable-background-networking",
           "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
           "--disable-features=Translate,OptimizationHints,MediaRouter", "--no-proxy-server",
           "--force-color-profile=srgb", "--font-render-hinting=none", "--mute-audio",
           "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "about:blank"]
TIMEOUT_S = 60 * proc.PATIENCE
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27}


class BrowserError(Exception):
    pass


def _high_pipe():
    """Chromium reads from 3 and writes to 4: no end of ours may have these numbers."""
    low = os.pipe()
    high = tuple(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in low)
    for fd in low:
        os.close(fd)
    return high


class _Pipe:
    """Messages are JSON texts that end with a zero byte."""

    def __init__(self, read_fd, write_fd):
        self.read_fd, self.write_fd = read_fd, write_fd
        self.rest = b""

    def send(self, message):
        text = json.dumps(message).encode() + b"\0"
        while text:
            text = text[os.write(self.write_fd, text):]

    def receive(self, end):
        """The next message; None after the time `end`."""
        while b"\0" not in self.rest:
            if not select.select([self.read_fd], [], [], max(0, end - time.monotonic()))[0]:
                return None
            more = os.read(self.read_fd, 1 << 20)
            if not more:
                raise BrowserError("chromium has ended")
            self.rest += more
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)


class Browser:
    def __init__(self, folder):
        self.folder = os.path.join(folder, "chromium")
        self.downloads = os.path.join(folder, "downloads")
        os.makedirs(self.downloads)
        to_chromium, write_fd = _high_pipe()
        read_fd, from_chromium = _high_pipe()
        self.pipe, self.number, self.handlers = _Pipe(read_fd, write_fd), 0, {}
        self.daemon = proc.Daemon(
            ["bash", "-c", 'exec "$@" 3<&%d 4>&%d' % (to_chromium, from_chromium), "chromium",
             PROGRAM, "--user-data-dir=" + self.folder, *OPTIONS],
            os.path.join(folder, "chromium.log"), env={"HOME": folder, "TZ": "UTC"},
            fds=(to_chromium, from_chromium))
        os.close(to_chromium)
        os.close(from_chromium)

    def post(self, method, session="", **parameters):
        """A call whose answer nobody waits for; its number."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self.pipe.send(message)
        return self.number

    def call(self, method, session="", **parameters):
        number = self.post(method, session, **parameters)
        answer = self.until(lambda m: m.get("id") == number, method)
        if "error" in answer:
            raise BrowserError("%s: %s" % (method, answer["error"].get("message")))
        return answer["result"]

    def until(self, test, what):
        """Hands events on until one (or an answer) passes the test, which is returned."""
        end = time.monotonic() + TIMEOUT_S
        while True:
            message = self.pipe.receive(end)
            if message is None:
                raise BrowserError("no answer in %d s: %s" % (TIMEOUT_S, what))
            if "method" in message:
                handler = self.handlers.get(message.get("sessionId", ""))
                if handler:
                    handler(message["method"], message["params"])
            if test(message):
                return message

    def page(self):
        """A new page in a session of its own: no cookie is shared."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        self.call("Browser.setDownloadBehavior", behavior="allow", browserContextId=context,
                  downloadPath=self.downloads, eventsEnabled=True)
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)
        session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        return Page(self, session["sessionId"], context)

    def downloaded(self, act):
        """The bytes of the file that act() makes the browser download."""
        seen = {}

        def is_over(message):
            if message.get("method") == "Browser.downloadWillBegin":
                seen.update(name=message["params"]["suggestedFilename"])
            return message.get("method") == "Browser.downloadProgress" and \
                message["params"]["state"] != "inProgress"

        self.handlers[""] = lambda method, params: None
        act()
        over = self.until(is_over, "download")
        if over["params"]["state"] != "completed":
            raise BrowserError("the download was cancelled")
        with open(os.path.join(self.downloads, seen["name"]), "rb") as f:
            return seen["name"], f.read()

    def stop(self):
        try:
            self.call("Browser.close")
        except BrowserError:
            pass
        self.daemon.wait()


class Page:
    """A page that is open: where it is, what it shows, what went wrong."""

    def __init__(self, browser, session, context):
        self.browser, self.session, self.context = browser, session, context
        self.loads, self.console, self.asked = 0, [], []
        browser.handlers[session] = self._take
        for domain in ("Page", "Runtime", "Log", "Network", "DOM", "Accessibility"):
            self.call(domain + ".enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)

    def _take(self, method, params):
        if method == "Page.loadEventFired":
            self.loads += 1
        elif method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif method == "Log.entryAdded":
            self.console.append("%(level)s: %(text)s" % params["entry"])
        elif method == "Runtime.consoleAPICalled":
            self.console.append("%s: %s" % (params["type"], params["args"]))
        elif method == "Runtime.exceptionThrown":
            self.console.append("exception: " + json.dumps(params["exceptionDetails"]))

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def close(self):
        self.browser.handlers.pop(self.session)
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)

    # --- how it is looked at

    def look(self, width, height=900, scheme="light", script=True, touch=False):
        """The window (CSS pixels), the system's theme, and whether scripts may run."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=touch)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setScriptExecutionDisabled", value=not script)

    def open(self, url):
        loads = self.loads
        answer = self.call("Page.navigate", url=url)
        if "errorText" in answer:
            raise BrowserError("%s: %s" % (url, answer["errorText"]))
        self._await_load(loads, url)

    def _await_load(self, loads, what):
        if self.loads <= loads:
            self.browser.until(lambda _: self.loads > loads, "load of " + what)

    def evaluate(self, expression):
        """The value of an expression of JavaScript, also where the page may run none."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in answer:
            raise BrowserError("%s: %s" % (expression[:100], json.dumps(
                answer["exceptionDetails"])[:1000]))
        return answer["result"].get("value")

    def settle(self):
        """Until what was last asked for is painted: before, it takes no keys."""
        self.call("Page.bringToFront")
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame("
                      "() => done(0))))")

    def path(self):
        return self.evaluate("location.pathname + location.search")

    def text(self, selector="body"):
        return self.evaluate("document.querySelector(%s)?.innerText ?? ''" % json.dumps(selector))

    def screenshot(self, path, whole=False):
        taken = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as f:
            f.write(base64.b64decode(taken["data"]))

    # --- what a person does

    def click(self, selector, leads=True):
        """Clicks the middle of the first such element; waits for the page that it leads to."""
        where = (
            "(() => { const e = document.querySelector(%s); if (!e) return null;"
            " e.scrollIntoView({block: 'center', inline: 'center'});"
            " const r = [...e.getClientRects()].find(r => r.width && r.height);"
            " return [r.x + r.width / 2, r.y + r.height / 2];"
            "})()" % json.dumps(selector))
        place = proc.wait_for("element to click, %s on %s" % (selector, self.path()),
                              lambda: self.evaluate(where))
        loads = self.loads
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left",
                      clickCount=1)
        if leads:
            self._await_load(loads, selector)

    def press(self, key, times=1, leads=False):
        """Does not wait for what the page does, but for the one that the key leads to."""
        loads = self.loads
        text = {"Enter": "\r"}.get(key, "")
        for _ in range(times):
            for kind in ("keyDown" if text else "rawKeyDown", "keyUp"):
                self.browser.post("Input.dispatchKeyEvent", self.session, type=kind, key=key,
                                  code=key, windowsVirtualKeyCode=KEYS[key],
                                  text=text if kind == "keyDown" else "")
        if leads:
            self._await_load(loads, key)

    def type(self, selector, text):
        self.evaluate("document.querySelector(%s).focus()" % json.dumps(selector))
        self.call("Input.insertText", text=text)

    def type_into_list(self, selector, letter):
        """Chooses the entry of a list (select) that begins so."""
        self.evaluate("document.querySelector(%s).focus()" % json.dumps(selector))
        self.call("Input.dispatchKeyEvent", type="keyDown", key=letter, text=letter)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=letter)
