#!/usr/bin/env python3
"""Makes the pictures in doc/screenshots anew: run by `make screenshots`.
usage: screenshots.py [FOLDER [ADDRESS...]]   with addresses: these, in both sizes and themes

Looks nicer with the package fonts-inter; pngquant makes them small, and has to be there."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
from browser import Browser
from web_world import PASSWORD, WebWorld

SIZES = {"wide": (1280, 860), "narrow": (390, 780)}
# Name, address, size, theme.
PICTURES = (
    ("overview", "/", "wide", "light"),
    ("domains", "/r/smtp?mode=domain", "wide", "dark"),
    ("traffic-narrow", "/r/smtp", "narrow", "light"),
    ("domain-narrow", "/r/smtp?domain=example.com", "narrow", "dark"),
)
COLOURS = "128"  # of a picture; more make it larger, not better
FONTS = """<?xml version="1.0"?>
<fontconfig>
<include>/etc/fonts/fonts.conf</include>
<match target="pattern">
<test name="family" compare="not_eq"><string>monospace</string></test>
<edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit>
</match>
</fontconfig>
"""


def wanted(addresses):
    """The pictures; of addresses, all of each."""
    if not addresses:
        return PICTURES
    return [("%s-%s-%s" % (re.sub(r"\W+", "-", address).strip("-") or "overview", size, scheme),
             address, size, scheme)
            for address in addresses for size in SIZES for scheme in ("light", "dark")]


def take(page, url, picture, folder):
    name, address, size, scheme = picture
    width, height = SIZES[size]
    page.look(width, height, scheme, touch=size == "narrow")
    page.call("Emulation.setScrollbarsHidden", hidden=True)
    page.open(url + address)
    path = os.path.join(folder, name + ".png")
    page.screenshot(path)
    subprocess.run(["pngquant", "--force", "--strip", "--output", path, COLOURS, path], check=True)
    print(path)


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(proc.SOURCE, "doc", "screenshots")
    os.makedirs(folder, exist_ok=True)
    scratch = proc.scratch("screenshots")
    fonts = os.path.join(scratch, "fonts.conf")
    proc.write_text(fonts, FONTS)
    os.environ["FONTCONFIG_FILE"] = fonts
    world, browser = WebWorld(scratch), Browser(scratch)
    page = browser.page()
    page.open(world.url + "/signin")
    page.type("input[name=user]", "root")
    page.type("input[name=password]", PASSWORD)
    page.click("main button")
    for picture in wanted(sys.argv[2:]):
        take(page, world.url, picture, folder)
    browser.stop()
    world.stop()


main()
