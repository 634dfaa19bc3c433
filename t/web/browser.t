#!/usr/bin/env python3
"""The pages in a real browser: every page of the table of routes, wide and narrow, light and dark,
with and without JavaScript. Nothing on the console, nothing that keeps somebody out, no sideways
scroll, every control by keyboard; and what people do there, done by clicks."""

import os
import re
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import axe
import proc
import tap
import tree
from browser import PROGRAM, Browser
from web_world import BUCHER, HEBREW, HUGE, HUGE_MONTH, LONG_DOMAIN, PASSWORD, PEOPLE, WebWorld

WIDE, NARROW, ZOOMED = 1280, 390, 320  # CSS pixels; 1280 at 400 % are 320
# Addresses of the routes that hold a "*"; the others are their own.
SAMPLES = {
    "/r/*": ["/r/smtp", "/r/smtp?chart=line", "/r/smtp?mode=domain&sort=in_bytes",
             "/r/smtp?mode=user&domain=example.com",
             "/r/smtp?domain=" + LONG_DOMAIN + "&chart=area",
             "/r/message-traffic?step=month&from=2026-09", "/r/throttle-violations?mode=domain",
             "/r/imap-usage", "/r/server-status", "/r/smtp?from=2027-01&to=2027-01",
             "/r/smtp?from=%s&to=%s&mode=domain" % (HUGE_MONTH, HUGE_MONTH),
             "/r/smtp?mode=user&domain=" + HEBREW, "/r/smtp?mode=customer",
             "/r/refusals", "/r/anomalies"],
    "/d/*": ["/d/example.com", "/d/" + BUCHER, "/d/" + LONG_DOMAIN, "/d/" + HUGE],
    "/c/*": ["/c/4711"],
    "/adjust/*": ["/adjust/example.com"],
    "/limits/*": ["/limits/example.com", "/limits/" + LONG_DOMAIN, "/limits/@customer:4711"],
    "/q/*": ["/q/4jWnX01VvBz1cTBS"],
    "/held/*/*": ["/held/mx1/4jWnX012VvBz1cTBS"],
    "/billing/*": ["/billing/2026-10"],
    "/help/*": ["/help/smtp"],
}
WRONG = ["/nothing", "/r/smtp?from=yesterdax"]  # pages that say what is wrong

# Where Tab leads to, in the order of the text: of radio buttons to the one that is chosen.
CONTROLS = """[...document.querySelectorAll(
'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')].filter(e =>
e.tabIndex >= 0 && e.checkVisibility({visibilityProperty: true}) &&
(e.type !== 'radio' || e.checked))"""
# Notes each element that gets the focus, and whether that is to be seen.
WALK = """window.walked = []; window.blurred = []; addEventListener('focusin', event => {
const e = event.target, style = getComputedStyle(e);
if (walked.at(-1) !== e) walked.push(e);
if (style.outlineStyle === 'none' && style.boxShadow === 'none') blurred.push(e.outerHTML); });
0"""


# --- what holds for every page -------------------------------------------------------------------


def routes():
    """Paths of the pages that are read."""
    text = tree.read("web/routes.c").decode()
    found = re.findall(r'\{"(/[^"]*)", READ[^,]*, ROUTE_(?:SIGNED|OPEN), (\w+)\}', text)
    return [path for path, handler in found
            if handler.startswith("page_") and not path.endswith(".svg")]


def addresses():
    paths = routes()
    missing = [path for path in paths if "*" in path and path not in SAMPLES]
    tap.none(missing, "every route has an address in SAMPLES")
    return [url for path in paths if path not in missing for url in SAMPLES.get(path, [path])]


def walk(page):
    """By keyboard through the page, all around it: faults."""
    page.evaluate(WALK)
    count = page.evaluate(CONTROLS + ".length")
    dates = page.evaluate("document.querySelectorAll('input[type=date]').length")
    missed = ["not walked"]
    for _ in range(3):  # where the way begins is the browser's affair
        page.settle()
        page.press("Tab", count + 3 * dates + 1)  # a date has three parts and a button
        missed = page.evaluate(
            "(() => { const all = %s, from = walked.lastIndexOf(all[0], -all.length);"
            " return all.filter((e, i) => walked[Math.max(from, 0) + i] !== e).slice(0, 3)"
            ".map(e => e.outerHTML.slice(0, 100)); })()" % CONTROLS)
        if not missed:
            break
    faults = ["Tab does not lead to, or not in order: %s; %s" % (html, page.evaluate(
        "walked.length + ' steps from ' + walked[0]?.outerHTML.slice(0, 60)")) for html in missed]
    return faults + ["focus not to be seen: " + html[:100]
                     for html in page.evaluate("[...new Set(blurred)]")]


def measure(page, width):
    wide = page.evaluate("document.scrollingElement.scrollWidth")
    if wide <= width:
        return []
    out = page.evaluate(
        "[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll > *, nav > *, "
        ".hidden, .skip, svg *') && e.getBoundingClientRect().right > innerWidth + 1)"
        ".slice(0, 3).map(e => e.outerHTML.slice(0, 120))")
    return ["%d wide, in a window of %d: %s" % (wide, width, out)]


class Judge:
    """Looks at pages of a site, and keeps what is wrong with them."""

    def __init__(self, page, url, program):
        self.page, self.url, self.program, self.faults, self.count = page, url, program, [], 0

    def note(self, address, how, faults):
        self.faults += ["%s (%s): %s" % (address, how, fault) for fault in faults]

    def look(self, address, width, scheme, rules):
        self.page.look(width, scheme=scheme, touch=width < WIDE)
        self.count += 1
        how = "%d, %s" % (width, scheme)
        self.note(address, how, measure(self.page, width))
        if rules:
            self.note(address, how, axe.findings(self.page, self.program, rules))

    def judge(self, address, script, wrong=False):
        self.page.look(WIDE, script=script)
        self.page.console.clear()
        self.page.asked.clear()
        self.page.open(self.url + address)
        self.page.look(WIDE)
        self.look(address, WIDE, "light", axe.ALL)
        self.look(address, WIDE, "dark", axe.COLOURS)
        self.look(address, NARROW, "light", axe.ALL if script else axe.COLOURS)
        self.look(address, NARROW, "dark", axe.COLOURS)
        self.look(address, ZOOMED, "light", None)
        self.page.look(WIDE if script else NARROW)
        self.note(address, "keyboard, wide" if script else "keyboard, narrow", walk(self.page))
        self.note(address, "console", self.page.console[1 if wrong else 0:])
        self.note(address, "asks elsewhere", [url for url in self.page.asked if not url.startswith(
            (self.url, "data:"))])


def every_page(page, world, program):
    began = time.monotonic()
    judge = Judge(page, world.url, program)
    for address in addresses():
        for script in (True, False):
            judge.judge(address, script)
    for address in WRONG:
        judge.judge(address, True, wrong=True)
    tap.none(judge.faults, "%d looks at pages: no findings" % judge.count)
    tap.ok(judge.count > 200, "there are many", judge.count)
    tap.note("%.0f s" % (time.monotonic() - began))


def after_installation(browser, folder, program):
    world = WebWorld(folder, full=False)
    page = browser.page()
    sign_in(page, world, "root")
    judge = Judge(page, world.url, program)
    for address in ("/", "/r/smtp", "/r/smtp?mode=domain", "/violations", "/held", "/status"):
        judge.judge(address, True)
    tap.none(judge.faults, "right after the installation: no findings")
    tap.same(world.stop(), 0, "that site stops")


# --- what people do ------------------------------------------------------------------------------


def sign_in(page, world, name):
    page.look(WIDE)
    page.open(world.url + "/signin")
    page.type("input[name=user]", name)
    page.type("input[name=password]", PASSWORD)
    page.click("main button")


def themes(page, how):
    shown = "document.documentElement.dataset.theme ?? 'auto'"
    for theme in ("light", "dark", "auto"):
        page.click("header .theme button")
        tap.same(page.evaluate(shown), theme, how + "the theme " + theme)
    tap.same(page.path(), "/r/smtp?mode=domain", how + "and leads back")


def chosen_theme(page, how):
    page.click("header a[href='/account']")
    page.click(".choice button[value=dark]")
    tap.same(page.evaluate("[document.documentElement.dataset.theme, document.querySelector("
                           "'.choice [aria-pressed=true]').innerText, location.pathname]"),
             ["dark", "Dark", "/account"], how + "a theme is chosen")
    tap.ok(page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)",
           how + "and is dark")


def menu(page):
    """The comforts of the script: the list of reports closes as lists do."""
    is_open = "document.querySelector('.menu').open"
    page.click("header .menu summary", leads=False)
    tap.ok(page.evaluate(is_open), "the list of reports opens")
    page.press("Escape")     # does not wait for what the page does
    proc.wait_for("the list to close", lambda: not page.evaluate(is_open))
    tap.same(page.evaluate("document.activeElement.localName"), "summary",
             "Escape closes it, and leaves the focus there")
    page.click("header .menu summary", leads=False)
    page.click("footer", leads=False)
    tap.ok(not page.evaluate(is_open), "so does a click elsewhere")


def unfold(page):
    """The filter, which a narrow page folds."""
    if page.evaluate("document.querySelector('.fold summary').checkVisibility()"):
        page.click(".fold summary", leads=False)


def ask(page, mode):
    unfold(page)
    page.click("input[value=%s]" % mode, leads=False)
    page.click(".filter button")


def drill_down(page, how):
    """From the server to a domain to a user."""
    page.click("header .menu summary", leads=False)
    page.click("header .menu a[href='/r/message-data']")
    tap.same(page.text("h1"), "Message data", how + "a report is chosen")
    page.click("header nav > a[href='/r/smtp']")
    ask(page, "domain")
    tap.ok("mode=domain" in page.path(), how + "the domains by a click", page.path())
    page.click("th a[href*='sort=in_bytes']")
    tap.ok(page.evaluate("document.querySelector('th[aria-sort=descending]').innerText")
           .split() == ["in", "bytes"], how + "a click on a head sorts")
    first = page.text("tbody th")
    page.click("th[aria-sort] a")
    tap.ok(page.evaluate("document.querySelectorAll('th[aria-sort=ascending]').length") == 1 and
           page.text("tbody th") != first, how + "another turns it round")
    page.click("tbody a[href*='domain=example.com']")
    tap.ok("/r/smtp?domain=example.com" in page.path(), how + "a domain leads to its trend",
           page.path())
    ask(page, "user")
    page.click("tbody a[href*='user=anna']")
    tap.ok("user=anna%40example.com" in page.path() and "anna@example.com" in page.text(".scope"),
           how + "a user to his", page.path())


def other_forms(browser, page, world, how):
    page.open(world.url + "/r/smtp?domain=example.com")
    query = "?domain=example.com"
    name, data = browser.downloaded(lambda: page.click(".links a[href*='.csv']", leads=False))
    cookie = page.call("Network.getCookies")["cookies"][0]
    want = world.web.get("/r/smtp.csv" + query, "%(name)s=%(value)s" % cookie).body
    tap.ok(data == want and len(want) > 500 and name.startswith("smtp"), how + "CSV is downloaded",
           name, data[:200])
    unfold(page)
    page.type_into_list("select[name=chart]", "l")
    page.click(".filter button")
    tap.ok("chart=line" in page.path() and
           page.evaluate("document.querySelectorAll('figure path.l1').length") > 0,
           how + "another chart", page.path())


def leave(page, how):
    page.click("header form[action='/signout'] button")
    tap.same(page.path(), "/signin", how + "sign-out leads to the sign-in")
    page.open(page.evaluate("location.origin") + "/r/smtp?mode=domain")
    tap.same(page.path(), "/signin?to=" + urllib.parse.quote("/r/smtp?mode=domain", safe=""),
             how + "after which the pages are closed")


def clicks(browser, world):
    for script, width in ((True, WIDE), (False, WIDE), (False, ZOOMED)):
        how = "%s JavaScript, %d wide: " % ("with" if script else "without", width)
        page = browser.page()
        page.look(width, script=script, touch=width < WIDE)
        page.open(world.url + "/r/smtp?mode=domain")
        page.type("input[name=user]", "root")
        page.type("input[name=password]", "wrong")
        page.click("main button")
        tap.ok("Name or password is wrong" in page.text("[role=alert]"), how + "a wrong password")
        page.type("input[name=password]", PASSWORD)
        page.press("Enter", leads=True)
        tap.same(page.path(), "/r/smtp?mode=domain", how + "signed in, where one was going")
        themes(page, how)
        drill_down(page, how)
        other_forms(browser, page, world, how)
        chosen_theme(page, how)
        if script:
            menu(page)
        leave(page, how)
        page.close()


def roles(browser, world, program):
    for name in ("anna", "anna@example.com"):
        page = browser.page()
        sign_in(page, world, name)
        judge = Judge(page, world.url, program)
        for address in ("/", "/r/smtp", "/violations", "/account"):
            judge.judge(address, True)
        tap.none(judge.faults, name + ": no findings")
        page.close()


def main():
    tap.need(PROGRAM, "npm", "bash")
    folder, empty = proc.scratch("browser"), proc.scratch("browser-empty")
    program = axe.source()
    world = WebWorld(folder)
    browser = Browser(folder)
    clicks(browser, world)
    if not proc.is_sanitized("tollgate-web"):  # once is enough: it is the same markup
        page = browser.page()
        sign_in(page, world, "root")
        every_page(page, world, program)
        roles(browser, world, program)
        after_installation(browser, empty, program)
    browser.stop()
    tap.same(world.stop(), 0, "it stops")


tap.run(main)
