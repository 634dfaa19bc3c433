"""axe-core in a page: what would keep somebody from using it."""

import os

import proc

# The rules of WCAG 2.2, levels A and AA, and axe's own advice.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """axe.run(document, %s).then(found => found.violations.map(rule =>
rule.id + ": " + rule.help + ": " +
rule.nodes.slice(0, 3).map(node => node.html.slice(0, 160) + " " +
node.any.concat(node.all, node.none).map(check => check.message).join("; ")).join(" | ")))"""
RULES = '{resultTypes: ["violations"], %s, rules: {"target-size": {enabled: true}}}'
ALL = RULES % ('runOnly: {type: "tag", values: %s}' % TAGS)
# What depends on the colours alone.
COLOURS = '{resultTypes: ["violations"], runOnly: ["color-contrast", "link-in-text-block"]}'


def source():
    """The program, which contrib/fetch-axe gets once; RuntimeError if it cannot."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = os.environ.get("TG_AXE_ROOT", os.path.join(cache, "tollgate", "axe"))
    code, _, err = proc.run([os.path.join(proc.SOURCE, "contrib", "fetch-axe"), folder])
    if code != 0:
        raise RuntimeError(err)
    return proc.read_text(os.path.join(folder, "node_modules", "axe-core", "axe.min.js"))


def findings(page, program, what=ALL):
    """The rules that the page breaks, with the elements that do."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(program + "; 0")
    return page.evaluate(RUN % what)
