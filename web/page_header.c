#include "web/page_header.h"

#include <stdio.h>

#include "lib/read/read_list.h"
#include "web/figures.h"
#include "web/page.h"
#include "web/static_files.h"
#include "web/theme.h"

/* --- pages ----------------------------------------------------------------------------------- */

static void add_nav_link(struct exchange *x, struct html *h, const char *path, const char *text)
{
    struct slice url = slice_str(path);

    html_open(h, "a");
    html_attr_url(h, "href", url);
    if (slice_equal(x->request.path, url))
        html_attr(h, "aria-current", SLICE("page"));
    html_text(h, slice_str(text));
    html_close(h, "a");
}

static void add_report(struct exchange *x, struct html *h, const char *name, const char *title)
{
    char path[128];

    (void)snprintf(path, sizeof path, "/r/%s", name);
    html_open(h, "li");
    add_nav_link(x, h, path, title);
    html_close(h, "li");
}

/* Refusals, anomalies: not for users. */
static void add_lists(struct exchange *x, struct html *h)
{
    const struct list_kind *kind;

    for (size_t i = 0; x->who.role != WEB_ROLE_USER && (kind = read_list_at(i)) != NULL; i++)
        add_report(x, h, kind->name, kind->title);
}

/* A list that opens by itself: it needs no script. */
static void add_reports(struct exchange *x, struct html *h)
{
    static const enum report_scope levels[] = {[WEB_ROLE_ADMIN] = SCOPE_SERVER,
                                               [WEB_ROLE_DOMAIN] = SCOPE_DOMAIN,
                                               [WEB_ROLE_USER] = SCOPE_USER};
    const struct scope scope = {.level = levels[x->who.role]};
    const struct report_kind *kind;

    html_open(h, "details");
    html_attr(h, "class", SLICE("menu"));
    html_open(h, "summary");
    if (x->request.segment_count == 2 && slice_equal(x->request.segments[0], SLICE("r")) &&
        !slice_equal(x->request.segments[1], SLICE("smtp")))
        html_attr(h, "class", SLICE("here"));
    html_text(h, SLICE("Reports"));
    html_close(h, "summary");
    html_open(h, "ul");
    for (size_t i = 0; (kind = report_at(i)) != NULL; i++) {
        if (figures_exists(kind, &scope))
            add_report(x, h, kind->name, kind->title);
    }
    add_lists(x, h);
    html_close(h, "ul");
    html_close(h, "details");
}

static void add_nav(struct exchange *x, struct html *h)
{
    html_open(h, "nav");
    html_attr(h, "aria-label", SLICE("Pages"));
    add_nav_link(x, h, "/", "Overview");
    add_nav_link(x, h, "/r/smtp", "Traffic");
    add_reports(x, h);
    add_nav_link(x, h, "/violations", "Violations");
    if (x->who.role != WEB_ROLE_USER)
        add_nav_link(x, h, "/held", "Held");
    if (x->who.role != WEB_ROLE_USER)
        add_nav_link(x, h, "/billing", "Billing");
    if (x->who.role == WEB_ROLE_ADMIN && x->settings->billing.customers.count > 0)
        add_nav_link(x, h, "/customers", "Customers");
    if (x->who.role == WEB_ROLE_ADMIN)
        add_nav_link(x, h, "/status", "Status");
    html_close(h, "nav");
}

/* --- the rest -------------------------------------------------------------------------------- */

static void add_brand(struct html *h)
{
    char url[STATIC_FILES_URL];

    html_open(h, "a");
    html_attr(h, "class", SLICE("brand"));
    html_attr_url(h, "href", SLICE("/"));
    html_open(h, "img");
    html_attr_url(h, "src", static_files_url("icon.svg", url));
    html_attr(h, "alt", SLICE(""));
    html_attr(h, "width", SLICE("20"));
    html_attr(h, "height", SLICE("20"));
    html_close(h, "img");
    html_text(h, SLICE("Tollgate"));
    html_close(h, "a");
}

static void add_who(struct exchange *x, struct html *h)
{
    html_open(h, "form");
    html_attr(h, "method", SLICE("post"));
    html_attr_url(h, "action", SLICE("/signout"));
    page_link(h, SLICE("/account"), x->who.name);
    if (x->who.via == VIA_SESSION) {
        page_hidden(h, "token", x->who.token);
        page_button(h, "plain", "Sign out");
    }
    html_close(h, "form");
}

void page_header(struct exchange *x, struct html *h)
{
    html_open(h, "a");
    html_attr(h, "class", SLICE("skip"));
    html_attr_url(h, "href", SLICE("#main"));
    html_text(h, SLICE("Skip to the content"));
    html_close(h, "a");
    html_open(h, "header");
    add_brand(h);
    if (x->who.via != VIA_NOTHING)
        add_nav(x, h);
    theme_button(x, h);
    if (x->who.via != VIA_NOTHING)
        add_who(x, h);
    html_close(h, "header");
    html_newline(h);
}
