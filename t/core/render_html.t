#!/usr/bin/env python3
"""Reports as HTML: as in t/data/core/html (TG_GOLDEN=write writes them anew), every figure of the
grid in the table, harmless whatever names hold; and the style sheet fits what is written."""

import os
import random
import re
import sys
import urllib.parse
import xml.etree.ElementTree as tree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import grids
import tap

HOSTILE = (b"<script>alert(1)</script>", b"\"><img src=x onerror=alert(1)>",
           b"a'b&c;&amp;</td></table>",
           "\u202egnp.exe".encode(), b"\x1b[31m\r\n\t", b"javascript:alert(1)", b"]]>", b"<!--",
           "\uffff".encode(), b"x" * 300, "\u4e2d\u6587".encode() * 40, b"\xff\xfe<b>",
           b"../../etc")
# An element may only have these; "style" and "on..." are what a strict policy of content forbids.
ATTRIBUTES = set("""aria-hidden aria-labelledby aria-sort charset class content cx cy d fill
    fill-opacity font-family font-size font-weight height href id lang name patternUnits points
    preserveAspectRatio r role scope stroke stroke-dasharray stroke-opacity stroke-width tabindex
    text-anchor title viewBox width x x1 x2 y y1 y2""".split())


def counters(draw, most):
    return {name: draw.randrange(most) for name in
            ("in_messages", "in_bytes", "out_messages", "out_bytes", "forward_bytes")}


def plain_tree(text):
    """The page without the namespace of SVG, and without the style sheet."""
    text = re.sub(r"<style>.*?</style>", "<style></style>", text, flags=re.S)
    return tree.fromstring(text.replace(' xmlns="http://www.w3.org/2000/svg"', ""))


def text_of(element):
    return "".join(element.itertext())


# --- golden files --------------------------------------------------------------------------------

def goldens():
    draw = random.Random(8)
    days = [("2026-11-%02d" % (i + 1), b"", "." if i < 3 else "~" if i == 3 else "*",
             counters(draw, 1 << 31)) for i in range(5)]
    names = (b"example.com", "m\u00fcnchen.example".encode(), b"<b>.example", b"y.example",
             b"z.example")
    domains = [("", name, ".", counters(draw, 10 ** (12 - 2 * i)))
               for i, name in enumerate(names)]
    status = [("2026-11-%02d" % (i + 1), node, ".", {"status_seconds": i, "status_cpu_ms": 25 * i})
              for i in range(2) for node in (b"mx1", b"mx2")]
    for name, form, args, top in (
            ("days", "table-bar", ("smtp", "day", "", days), 0),
            ("domains", "table-bar", ("message-traffic", "", "domain", domains, "in_messages"), 3),
            ("both", "table-line", ("server-status", "day", "node", status), 0),
            ("file", "html-area", ("smtp", "day", "", days), 0),
            ("one", "html-bar", ("smtp", "", "", days[:1]), 0),
            ("empty", "html-bar", ("imap-usage", "day", "", []), 0)):
        text = re.sub(r"<style>.*?</style>", "<style></style>", grids.render(form, *args, top=top),
                      flags=re.S)
        grids.golden("t/data/core/html/%s.html" % name, text)


# --- what is true of every page ------------------------------------------------------------------

def faults_of(root):
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    if len(set(ids)) != len(ids):
        yield "an id twice: %s" % ids
    for element in root.iter():
        if element.tag in ("script", "iframe", "object", "img", "link", "base", "foreignObject"):
            yield "element %s" % element.tag
        for name, value in element.attrib.items():
            if name not in ATTRIBUTES:
                yield "%s has %s=%r" % (element.tag, name, value)
            if name == "href" and not re.match(r"/r/smtp\?", value):
                yield "leads to %r" % value
            if name in ("aria-labelledby",) and any(part not in ids for part in value.split()):
                yield "no element %r" % value


def check(text, what):
    try:
        root = plain_tree(text)
    except tree.ParseError as err:
        tap.ok(False, what + ": is XML", err, text)
        raise
    faults = list(faults_of(root))
    faults += ["control %r" % c for c in re.findall(
        r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)]
    tap.none(faults, what + ": well-formed, harmless, links and names right")
    return root


def rows_of(root):
    """(labels, {column: text}) of each row of the body, and the address of its first link."""
    table = root.find(".//table")
    names = [text_of(head).replace("bytes", " bytes").split()
             for head in table.find("thead/tr")]
    for row in table.findall("tbody/tr"):
        cells = list(row)
        yield [text_of(cell) for cell in cells if cell.tag == "th"], dict(
            (" ".join(name), text_of(cell)) for name, cell in zip(names, cells, strict=True)), \
            row.find(".//a")


# --- figures -------------------------------------------------------------------------------------

def shown_bytes(count):
    if count < 1000:
        return "%d B" % count
    value, units = count / 1024, ["KB", "MB", "GB", "TB", "PB", "EB"]
    while value >= 999.95:
        value /= 1024
        units.pop(0)
    return "%.1f %s" % (value, units[0])


def figures(draw):
    for most in (2, 1000, 1 << 20, 10 ** 12, 1 << 52):
        rows = [("2026-11-%02d" % (i + 1), b"", ".", counters(draw, most)) for i in range(28)]
        root = check(grids.render("table-bar", "smtp", "day", "", rows), "up to %d" % most)
        found, faults = list(rows_of(root)), []
        for (labels, cells, link), row in zip(found, rows, strict=True):
            c = row[3]
            want = {"in msgs": "{:,}".format(c["in_messages"]),
                    "in bytes": shown_bytes(c["in_bytes"]),
                    "out bytes": shown_bytes(c["out_bytes"]),
                    "total msgs": "{:,}".format(c["in_messages"] + c["out_messages"]),
                    "total bytes": shown_bytes(c["in_bytes"] + c["out_bytes"] + c["forward_bytes"])}
            faults += ["%s: %s is %r, not %r" % (row[0], name, cells.get(name), text)
                       for name, text in want.items() if cells.get(name) != text]
            if labels != [row[0]] or link.get("href") != "/r/smtp?from=" + row[0]:
                faults.append("%s: %r %r" % (row[0], labels, link.attrib))
        tap.none(faults, "every figure is in the table, and each day leads on")
        total = [text_of(cell) for cell in root.find(".//tfoot/tr")]
        tap.same(total[1], "{:,}".format(sum(row[3]["in_messages"] for row in rows)), "the total")


def hostile():
    rows = [("", name, ".", {"in_bytes": 10 ** 6 - i}) for i, name in enumerate(HOSTILE)]
    for form in ("table-bar", "html-bar"):
        root = check(grids.render(form, "smtp", "", "domain", rows), form + ", hostile names")
        found = list(rows_of(root))
        tap.same(len(found), len(rows), "each name is a row")
        if form == "table-bar":
            got = [urllib.parse.parse_qs(urllib.parse.urlsplit(link.get("href")).query,
                                         encoding="latin-1")["domain"][0].encode("latin-1")
                   for _, _, link in found]
            tap.same(got, list(HOSTILE), "and leads to that very name")
    unknown = grids.render("table-bar", "smtp", "day", "", [("2026-11-01", b"", "!", dict.fromkeys(
        ("in_messages", "in_bytes"), "?"))])
    cells = list(rows_of(check(unknown, "unknown")))[0][1]
    tap.same([cells["in msgs"], cells["out msgs"], cells["total bytes"]],
             ["\u2013unknown", "0", "\u2013unknown"], "what is unknown is never 0")
    tap.ok("\\x1b[31m\\x0d\\x0a\\x09" in [labels[0] for labels, _, _ in found],
           "controls are shown")


def sorting():
    rows = [("", b"%d.example" % i, ".", {"in_bytes": i}) for i in range(3)]
    for sort, column, direction in (("in_bytes", "in bytes", "descending"),
                                    ("domain", "domain", "ascending")):
        root = check(grids.render("table-bar", "smtp", "", "domain", rows, sort), "by " + sort)
        heads = root.findall(".//thead/tr/th")
        tap.same([(text_of(h), h.get("aria-sort")) for h in heads if h.get("aria-sort")],
                 [(column, direction)], "the head says so")
        links = [h.find("a").get("href") for h in heads]
        tap.ok("/r/smtp?sort=in_bytes" in links and "/r/smtp?sort=domain" in links, "heads sort",
               links)


# --- the style sheet -----------------------------------------------------------------------------

def classes_of(text):
    return {name for value in re.findall(r'class="([^"]*)"', text) for name in value.split()}


def source(path):
    with open(os.path.join(grids.SOURCE, path), encoding="utf-8") as f:
        return f.read()


def sheet():
    css, sample = source("web/static/tollgate.css"), source("t/data/web/sample.html")
    script = source("web/static/tollgate.js")
    tree.fromstring(sample)
    tap.none(re.findall(r"innerHTML|outerHTML|insertAdjacent|eval|document\.write|fetch|\.style\b",
                        script), "the script makes no markup, and asks for nothing")
    rules = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    styled = set(re.findall(r"\.([a-z][a-z0-9]*)", re.sub(r"\{[^{}]*\}", "{}", rules)))
    written = classes_of(sample) | set(re.findall(r'className = "(\w+)"', script))
    for form in ("table-bar", "table-line"):
        rows = [("2026-11-01", b"%d" % i, "~", {"in_bytes": 1 if i else "?"}) for i in range(9)]
        written |= classes_of(grids.render(form, "smtp", "day", "domain", rows))
    written |= classes_of(grids.render("table-bar", "smtp", "", "domain", rows))
    tap.none(sorted(styled - written), "every class of the sheet is in a page")
    tap.ok(len(css) < 11000, "the sheet is small", len(css))
    tap.none(re.findall(r"@import|url\(|https?:|!important", css), "and needs nothing else")
    text = grids.render("html-bar", "smtp", "day", "", [])
    tap.same(re.search(r"<style>(.*)</style>", text, re.S).group(1), css, "a file has all of it")
    used = set(re.findall(r"var\((--[a-z0-9]+)\)", css))
    tap.same(used, set(re.findall(r"(--[a-z0-9]+):", css)), "every colour is set and used")


def main():
    goldens()
    figures(random.Random(9))
    hostile()
    sorting()
    sheet()
    tap.done()


if __name__ == "__main__":
    main()
