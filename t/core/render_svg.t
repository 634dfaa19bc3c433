#!/usr/bin/env python3
"""Charts in SVG: as in t/data/core/svg (TG_GOLDEN=write writes them anew), and for invented grids
of every shape: well-formed, harmless, nothing outside the picture, heights as the values, links to
their steps, round numbers on the axis."""

import datetime
import os
import random
import re
import sys
import unicodedata
import urllib.parse
import xml.etree.ElementTree as tree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import grids
import tap

SVG = "{http://www.w3.org/2000/svg}"
# What a name may hold that a page must survive.
HOSTILE = ("<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "a'b&c;&amp;</svg>",
           "\u202egnp.exe", "\x1b[31m\r\n\t\x00", "javascript:alert(1)", "]]>", "<!--", "\ufffe",
           "x" * 300, "\u4e2d\u6587" * 40, "e\u0301" * 9, "../../etc", "url(#x)", "{{7*7}}", "")
UNITS = {"": 1, "B": 1, "KB": 1024, "MB": 1024 ** 2, "GB": 1024 ** 3, "TB": 1024 ** 4,
         "PB": 1024 ** 5, "EB": 1024 ** 6, "k": 10 ** 3, "M": 10 ** 6, "G": 10 ** 9, "T": 10 ** 12,
         "P": 10 ** 15, "E": 10 ** 18}


def day(i):
    return (datetime.date(2026, 11, 1) + datetime.timedelta(i)).isoformat()


def smtp(draw, most):
    return {"in_messages": draw.randrange(100), "in_bytes": draw.randrange(most),
            "out_bytes": draw.randrange(most // 3 + 1),
            "forward_bytes": draw.randrange(most // 9 + 1)}


def days(draw, count, most, marks="."):
    return [(day(i), b"", marks, smtp(draw, most)) for i in range(count)]


def named(draw, names, most):
    return [("", name, ".", smtp(draw, most // (i + 1))) for i, name in enumerate(names)]


# --- golden files --------------------------------------------------------------------------------

def goldens():
    draw = random.Random(5)
    november = days(draw, 28, 3 << 30)
    november[25] = november[25][:2] + ("~",) + november[25][3:]
    november[27] = november[27][:2] + ("*",) + november[27][3:]
    unknown = [row if i not in (7, 8, 15) else row[:3] + (dict.fromkeys(row[3], "?"),)
               for i, row in enumerate(november)]
    names = [b"example.com", "m\u00fcnchen.example".encode(), b"<script>.example",
             b"a-rather-long-name.of-a-domain.of-a-customer.of-a-provider.example.com"]
    nine = names + [b"%d.example" % k for k in range(5)]
    both = [(day(i), name, ".", smtp(draw, (1 << 30) // (j + 1)))
            for i in range(6) for j, name in enumerate(nine)]
    hours = [("2026-11-%02dT%02d" % (20 + i // 24, i % 24), b"", ".", smtp(draw, 90))
             for i in range(30)]
    for name, form, args in (
            ("days-bar", "svg-bar", ("smtp", "day", "", november)),
            ("days-line", "svg-line", ("smtp", "day", "", november)),
            ("days-area", "svg-area", ("smtp", "day", "", unknown)),
            ("days-narrow", "narrow-bar", ("smtp", "day", "", november)),
            ("line-unknown", "page-line", ("smtp", "day", "", unknown)),
            ("hours", "svg-bar", ("smtp", "hour", "", hours)),
            ("names", "page-bar", ("smtp", "", "domain", named(draw, names, 1 << 40))),
            ("names-narrow", "narrow-bar", ("smtp", "", "domain", named(draw, names, 1 << 40))),
            ("both", "svg-bar", ("smtp", "day", "domain", both)),
            ("columns", "svg-bar", ("message-traffic", "", "", [("", b"", ".", {
                "in_messages": 12, "out_messages": 10 ** 12, "bounces_received": 5})])),
            ("quotient", "svg-bar", ("server-status", "day", "node", [
                (day(i), node, ".", {"status_seconds": 60, "status_cpu_ms": 600 * (i + 1)})
                for i in range(3) for node in (b"mx1", b"mx2")])),
            ("one", "svg-line", ("smtp", "day", "", november[:1])),
            ("zero", "svg-bar", ("smtp", "day", "", [(day(0), b"", ".", {}),
                                                     (day(1), b"", "*", {})])),
            ("unknown", "narrow-bar", ("smtp", "day", "", [
                row[:3] + (dict.fromkeys(row[3], "?"),) for row in november[:3]])),
            ("empty", "svg-bar", ("smtp", "day", "", []))):
        grids.golden("t/data/core/svg/%s.svg" % name, grids.render(form, *args))


# --- what is true of every chart -----------------------------------------------------------------

def width_of(text, font):
    """At most, in any usual font: 0.62 of its size a column."""
    columns = sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF"
                  else 1 for c in text)
    return columns * font * 0.62


def number(element, name):
    return float(element.get(name, "0"))


def texts_outside(root):
    width, height = (float(part) for part in root.get("viewBox").split()[2:])
    font = number(root, "font-size")
    for text in root.iter(SVG + "text"):
        wide = width_of(text.text or "", font)
        x = number(text, "x") - {"start": 0, "middle": wide / 2, "end": wide}[
            text.get("text-anchor", "start")]
        if x < -0.2 or x + wide > width + 0.2 or \
                not font * 0.7 <= number(text, "y") <= height - font * 0.2:
            yield "outside: %r at %s %s, %s wide, in %s" % (text.text, x, text.get("y"), wide,
                                                           root.get("viewBox"))


def shapes_outside(root):
    width, height = (float(part) for part in root.get("viewBox").split()[2:])
    for rect in root.iter(SVG + "rect"):
        if number(rect, "x") < 0 or number(rect, "x") + number(rect, "width") > width + 0.1 or \
                number(rect, "y") < 0 or number(rect, "y") + number(rect, "height") > height + 0.1:
            yield "outside: %r" % rect.attrib


def harms(root, text):
    """What a strict policy of content forbids, and what runs."""
    for element in root.iter():
        if element.tag in (SVG + "script", SVG + "style", SVG + "foreignObject", SVG + "image"):
            yield element.tag
        for name, value in element.attrib.items():
            if name == "style" or name.startswith("on") or \
                    "script" in value.lower() and name != "href":
                yield "%s=%r" % (name, value)
    for found in re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text):
        yield "control %r" % found


def names_of(root):
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    wanted = root.get("aria-labelledby").split()
    wanted += [element.get("fill")[5:-1] for element in root.iter()
               if (element.get("fill") or "").startswith("url(#")]
    if len(set(ids)) != len(ids):
        yield "an id twice: %s" % ids
    for name in wanted:
        if name not in ids:
            yield "no element %s" % name
    first = [child.tag for child in root][:2]
    if first != [SVG + "title", SVG + "desc"] or not all(child.text for child in list(root)[:2]):
        yield "title and desc come first, and say something"


def bars(root):
    """(title, link, element) of each bar; title and link are None where nothing points at it."""
    for element in root:
        if element.tag in (SVG + "a", SVG + "g") and not element.get("aria-hidden"):
            yield element.findtext(SVG + "title"), element.get("href"), element


def check(text, what, links):
    """The root of a chart, after what is true of all of them."""
    try:
        root = tree.fromstring(text)
    except tree.ParseError as err:
        tap.ok(False, what + ": is XML", err, text)
        return None
    faults = list(texts_outside(root)) + list(shapes_outside(root)) + list(harms(root, text)) + \
        list(names_of(root))
    if root.get("role") != ("group" if links else "img"):
        faults.append("role %s" % root.get("role"))
    tap.none(faults, what + ": well-formed, harmless, inside, named")
    return root


# --- values --------------------------------------------------------------------------------------

def drawn(element, size):
    """What the bar's series take: the height (width) of its patterns but the hatch."""
    return sum(number(rect, size) for rect in element.findall(SVG + "rect")
               if re.match(r"url\(#.*-[1-6]\)", rect.get("fill", "")))


def total(counters):
    return sum(counters.get(name, 0) for name in ("in_bytes", "out_bytes", "forward_bytes"))


def ticks(root):
    """(value, place) of the labels of the axis of values, from 0 up."""
    for text in root.iter(SVG + "text"):
        if text.get("class") == "tick" and text.get("text-anchor") == "end":
            amount, unit = re.fullmatch(r"([\d,.]+) ?([A-Za-z]*)", text.text).groups()
            yield float(amount.replace(",", "")) * UNITS[unit], number(text, "y")


def check_axis(root, most, what):
    marks = list(ticks(root))
    steps = [b[0] - a[0] for a, b in zip(marks, marks[1:])]
    tap.ok(marks[0][0] == 0 and 2 <= len(marks) <= 6 and marks[-1][0] >= most * 0.999999 and
           marks[-2][0] < most + 1 and max(steps) - min(steps) <= max(steps) * 1e-6 and
           ("%e" % (steps[0] / unit_of(root)))[0] in "125", what + ": a few round numbers", marks)
    return marks


def unit_of(root):
    last = [text.text for text in root.iter(SVG + "text")
            if text.get("class") == "tick" and text.get("text-anchor") == "end"][-1]
    return UNITS[re.fullmatch(r"[\d,.]+ ?([A-Za-z]*)", last).group(1)]


def check_steps(draw, count, most, form):
    rows = days(draw, count, most)
    rows[0][3]["in_bytes"] = max(rows[0][3]["in_bytes"], 1)
    what = "%d days of up to %d" % (count, most)
    root = check(grids.render(form + "-bar", "smtp", "day", "", rows), what, True)
    largest = max(total(row[3]) for row in rows)
    marks = check_axis(root, largest, what)
    a_unit = (marks[0][1] - marks[-1][1]) / marks[-1][0]
    faults = []
    for (title, link, element), row in zip(bars(root), rows, strict=True):
        want = max(total(row[3]) * a_unit, 1 if total(row[3]) else 0)
        if abs(drawn(element, "height") - want) > 0.15:
            faults.append("%s is %s high, not %s" % (row[0], drawn(element, "height"), want))
        if form == "narrow" and count > 103:  # 3 pixels each: nobody points at one
            if link or title:
                faults.append("a link for nobody: %s" % title)
        elif link != "/r/smtp?from=" + row[0] or not title.startswith(row[0] + ": "):
            faults.append("%s leads to %s" % (title, link))
    tap.none(faults, what + ": heights as the values, each a link to its day")
    labels = [text.text for text in root.iter(SVG + "text") if text.get("text-anchor") == "middle"]
    tap.ok(labels[0] == "Nov 1" and len(labels) == len(set(labels)) or count > 360,
           what + ": labels, each once", labels)


def check_names(draw, names, most, form):
    rows = named(draw, names, most)
    what = "%d names of up to %d" % (len(names), most)
    root = check(grids.render(form + "-bar", "smtp", "", "domain", rows), what, True)
    rows.sort(key=lambda row: (-total(row[3]), row[1]))
    found, faults = list(bars(root)), []
    longest = max(drawn(element, "width") for _, _, element in found)
    largest = max(total(row[3]) for row in rows[:39])
    for (title, link, element), row in zip(found[:39], rows):
        want = total(row[3]) * longest / largest if largest else 0
        if abs(drawn(element, "width") - want) > 1.1 and len(rows) < 40:
            faults.append("%s is %s wide, not %s" % (title, drawn(element, "width"), want))
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query, encoding="latin-1")
        if query.get("domain", [""])[0].encode("latin-1") != row[1]:
            faults.append("%r leads to %s" % (row[1], link))
    tap.none(faults, what + ": widths as the values, each a link to its name")
    tap.same(len(found), min(len(rows), 40), what + ": each a bar, 40 at most")
    if len(rows) > 40:
        tap.ok(found[-1][0].startswith("(%d more): " % (len(rows) - 39)) and found[-1][1] is None,
               "the others are one bar without a link", found[-1][:2])


def properties(draw):
    for form in ("page", "narrow"):
        for count in (1, 2, 7, 28, 31, 92, 366):
            check_steps(draw, count, draw.choice((2, 900, 5000, 10 ** 7)), form)
        for most in (2, 10, 1023, 1025, 10 ** 6, 10 ** 12, 2 ** 52):
            check_steps(draw, 5, most, form)
        hostile = [name.encode().replace(b"\0", b"\x01") for name in HOSTILE if name]
        hostile.append(b"\xff\xc3<")
        check_names(draw, hostile, 10 ** 9, form)
        for count in (1, 3, 39, 40, 41, 200):
            check_names(draw, [b"d%03d.example" % i for i in range(count)], 10 ** 12, form)


def kinds(draw):
    """Lines and areas, of days and names, with holes: none breaks."""
    for form in ("svg", "page", "narrow"):
        for kind in ("bar", "line", "area"):
            for _ in range(4):
                count = draw.choice((1, 2, 20, 31))
                names = [n.encode().replace(b"\0", b"") or b"-" for n in
                         draw.sample(HOSTILE, draw.choice((1, 3, 9)))]
                rows = [(day(i), name, "".join(draw.sample("*!~?", draw.randrange(4))) or ".",
                         smtp(draw, 10 ** draw.randrange(1, 15)) if draw.random() < 0.8
                         else dict.fromkeys(("in_bytes", "out_bytes", "forward_bytes"), "?"))
                        for i in range(count) for name in names]
                check(grids.render("%s-%s" % (form, kind), "smtp", "day", "domain", rows),
                      "%s %s, %d x %d" % (form, kind, count, len(names)), form != "svg")


def marks():
    """The running step is hatched, a gap has its mark, and both are explained."""
    rows = [(day(0), b"", ".", {"in_bytes": 5}), (day(1), b"", "~", {"in_bytes": 5}),
            (day(2), b"", "*", {"in_bytes": 5}), (day(3), b"", ".", dict.fromkeys(
                ("in_bytes", "out_bytes", "forward_bytes"), "?"))]
    for kind in ("bar", "line", "area"):
        root = check(grids.render("page-" + kind, "smtp", "day", "", rows), kind, True)
        have = ["".join(sign for sign, found in (
            ("*", any("hatch" in (r.get("fill") or "") for r in element)),
            ("~", any(r.get("class") == "gap" for r in element)),
            ("?", any("blank" in (r.get("fill") or "") for r in element))) if found)
            for _, _, element in bars(root)]
        tap.same(have, ["", "~", "*", "?"], kind + ": the marks")
        words = " ".join(text.text for text in root.iter(SVG + "text"))
        tap.ok("so far" in words and "gap in the log" in words, kind + ": are explained", words)
        titles = [title for title, _, _ in bars(root)]
        tap.ok("so far" in titles[2] and "gap 240 s" in titles[1], kind + ": stand in the titles",
               titles)


def main():
    draw = random.Random(20261128)
    goldens()
    marks()
    properties(draw)
    kinds(draw)
    tap.done()


if __name__ == "__main__":
    main()
