"""Grids of invented rows, rendered by t/core/render_print."""

import os
import subprocess

import tap

BUILD = os.environ.get("TG_BUILD", ".")
SOURCE = os.environ.get("TG_SOURCE", ".")


def row_text(row):
    step, by, marks, counters = row
    return " ".join([step or "-", by.hex() or "-", marks] +
                    ["%s=%s" % pair for pair in counters.items()]) + "\n"


def render(form, report, step, by, rows, sort="", top=0):
    """rows: (step, by as bytes, marks, {counter: value or "?"}); what is printed."""
    argv = [os.path.join(BUILD, "t/core/render_print"), form, report, step or "-", by or "-",
            sort or "-", str(top)]
    run = subprocess.run(argv, input="".join(map(row_text, rows)).encode(), capture_output=True,
                         check=False)
    if run.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(argv), run.stderr.decode()))
    return run.stdout.decode("utf-8")


def golden(path, got):
    """The same as that file below SOURCE; TG_GOLDEN=write writes it anew."""
    if os.environ.get("TG_GOLDEN") == "write":
        with open(os.path.join(SOURCE, path), "w", encoding="utf-8", newline="") as f:
            f.write(got)
    with open(os.path.join(SOURCE, path), encoding="utf-8", newline="") as f:
        tap.same(got, f.read(), "as in " + path)
