#!/usr/bin/env python3
"""charts.py RESULTS FOLDER: the figures of bench.py as SVG, and as tables in FOLDER/figures.txt."""

import html
import json
import math
import os
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 64, 20, 96, 48
NAMES = 40  # where those of the lines begin
# Colours that differ in brightness as well as in hue, and a shape each, for those who see fewer.
COLOURS = ("#1b5e9b", "#c2571a", "#2e8540", "#7b3fa0", "#8a6d00", "#555555", "#c2327d")
STYLE = ("text { font: 12px sans-serif; fill: #222 } .t { font-size: 14px; font-weight: bold } "
         ".g { stroke: #ddd } .a { stroke: #555 } "
         "@media (prefers-color-scheme: dark) { svg { background: #1d1d1d } text { fill: #ddd } "
         ".g { stroke: #3a3a3a } .a { stroke: #aaa } }")


def short(value):
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return "%g%s" % (round(value / size, 2), letter)
    return "%g" % round(value, 2)


def tops(most):
    """Steps of the upright axis, from 0."""
    size = 10 ** math.floor(math.log10(most or 1))
    step = next(s * size / 5 for s in (.5, 1, 2, 2.5, 5, 10) if s * size / 5 * 5 >= most)
    return [step * i for i in range(6)]


class Chart:
    """Lines over steps that grow by factors: each step has the same room."""

    def __init__(self, title, unit, steps):
        self.steps = steps
        self.out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">' % (
            WIDTH, HEIGHT), "<title>%s</title>" % html.escape(title),
                    "<style>%s</style>" % STYLE,
                    '<text class="t" x="8" y="20">%s</text>' % html.escape(title),
                    '<text x="8" y="%d">%s</text>' % (TOP - 8, html.escape(unit))]

    def x(self, step):
        last = max(len(self.steps) - 1, 1)
        return LEFT + (WIDTH - LEFT - RIGHT) * self.steps.index(step) / last

    def y(self, value):
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / self.top

    def axes(self, most, across):
        ticks = tops(most)
        self.top = ticks[-1]
        for value in ticks:
            self.out.append('<path class="g" d="M%d %.1fH%d"/><text x="%d" y="%.1f" '
                            'text-anchor="end">%s</text>' % (LEFT, self.y(value), WIDTH - RIGHT,
                                                             LEFT - 6, self.y(value) + 4,
                                                             short(value)))
        for step in self.steps:
            self.out.append('<text x="%.1f" y="%d" text-anchor="middle">%s</text>' % (
                self.x(step), HEIGHT - BOTTOM + 18, short(step)))
        self.out.append('<path class="a" d="M%d %dH%d"/><text x="%d" y="%d" text-anchor="middle">'
                        '%s</text>' % (LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, (LEFT + WIDTH) // 2,
                                       HEIGHT - 10, html.escape(across)))

    def line(self, number, name, points):
        colour = COLOURS[number % len(COLOURS)]
        places = [(self.x(s), self.y(v)) for s, v in points]
        self.out.append('<path fill="none" stroke="%s" stroke-width="2" d="M%s"/>' % (
            colour, "L".join("%.1f %.1f" % p for p in places)))
        for at, (_, value) in zip(places, points):
            self.out.append('<circle cx="%.1f" cy="%.1f" r="%d" fill="%s"><title>%s: %s</title>'
                            "</circle>" % (at + (3 + number % 2, colour, html.escape(name),
                                                 short(value))))
        left = 8 + LEFT + number % 3 * 215
        top = NAMES + number // 3 * 16
        self.out.append('<rect x="%d" y="%d" width="10" height="10" fill="%s"/><text x="%d" y="%d">'
                        "%s</text>" % (left, top - 9, colour, left + 14, top, html.escape(name)))

    def text(self):
        return "\n".join(self.out + ["</svg>", ""])


def chart(title, unit, across, lines):
    """lines: name -> [(step, value)]"""
    steps = sorted({s for points in lines.values() for s, _ in points})
    c = Chart(title, unit, steps)
    c.axes(max(v for points in lines.values() for _, v in points), across)
    for number, (name, points) in enumerate(lines.items()):
        c.line(number, name, points)
    return c.text()


def column(results, number):
    return {name: [(p[0], p[number]) for p in points] for name, points in results.items()}


def charts(r):
    """File name -> SVG."""
    found, growth = {}, r.get("growth", {})
    for what, across in (("connections", "connections"), ("hosted", "hosted domains, ten send"),
                         ("domains", "hosted domains, all send"),
                         ("recipients", "recipients a message"), ("body", "kB of the body")):
        if what in growth:
            found[what] = chart("Messages a second by " + across, "messages/s", across,
                                column(growth[what], 1))
            found[what + "-cpu"] = chart("Processor time of the filter by " + across,
                                         "us a message", across, column(growth[what], 2))
    if "behind" in growth:
        found["behind"] = chart("Messages a second while Redis is away", "messages/s",
                                "records that wait in the journal",
                                {"tollgated": [tuple(p) for p in growth["behind"]["points"]]})
    for what, points in r.get("memory", {}).items():
        found["memory-" + what] = chart("Memory of tollgated by " + what, "MB", what,
                                        {"tollgated": [tuple(p) for p in points]})
    return found


def table(title, figures, columns):
    lines = ["", title, ""]
    lines.append("  %-36s" % "" + "".join("%14s" % c[0] for c in columns))
    for name, found in figures.items():
        lines.append("  %-36s" % name + "".join("%14s" % c[1](found) for c in columns))
    return lines


def against(floor):
    """Messages a second; and messages in a second of processor time, of program and Redis."""
    return [("of libmilter", lambda f: "%.2f" % (f["per_second"] / floor["per_second"])),
            ("by cpu", lambda f: "%.2f" % (floor["cpu_us"] / max(f["cpu_us"] + f["redis_us"], .1)))]


def tables(r):
    m = r["machine"]
    lines = ["Figures of %s on %s, %s GB, Linux %s." % (m["date"], m["processors"], m["memory_gb"],
                                                       m["kernel"]),
             "Load average at the begin %.1f, at the end %.1f%s." % (
                 m["load_at_begin"], m["load_at_end"],
                 "; the short form, one round: ratios are rough" if r["quick"] else ""),
             ", ".join("%s %s" % v for v in m["versions"].items()) + ".",
             "Medians of interleaved rounds. Made by `make bench`."] + r.get("notes", [])
    costs = [("messages/s", lambda f: "%.0f" % f["per_second"]),
             ("cpu us", lambda f: "%.1f" % f["cpu_us"]),
             ("redis us", lambda f: "%.1f" % f["redis_us"]),
             ("p50 ms", lambda f: "%.2f" % (f["p50_us"] / 1e3)),
             ("p99 ms", lambda f: "%.2f" % (f["p99_us"] / 1e3))]
    for shape, figures in r.get("speed", {}).items():
        lines += table("Closed loop, " + shape, figures, costs[:1] + against(
            figures["libmilter, nothing"]) + costs[1:3] + [
                ("client us", lambda f: "%.1f" % f["client_cpu_us"])] + costs[3:])
    if "rate" in r:
        lines += table("Open loop, 300 messages a second", r["rate"], costs[1:])
    if "postfix" in r:
        floor = r["postfix"].get("no filter", {}).get("per_second", 1)
        lines += table("Through Postfix, 20 sessions", r["postfix"], costs[:1] + [
            ("of no filter", lambda f, n=floor: "%.2f" % (f["per_second"] / n)), costs[1]])
    lines += ["", "Goals", ""]
    for goal in r["goals"]:
        lines.append("  %-72s %8s %8s %s" % (goal["what"], goal["wanted"], goal["found"],
                                             "" if goal["good"] else "missed"))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        results = json.load(f)
    folder = sys.argv[2]
    for name, svg in charts(results).items():
        with open(os.path.join(folder, name + ".svg"), "w", encoding="utf-8") as f:
            f.write(svg)
    with open(os.path.join(folder, "figures.txt"), "w", encoding="utf-8") as f:
        f.write(tables(results))


main()
