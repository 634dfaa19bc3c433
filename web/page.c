#include "web/page.h"

#include <stdio.h>
#include <time.h>

#include "lib/core/report.h"
#include "web/figures.h"
#include "web/static_files.h"

#define URL_BYTES 4096

/* --- small things ---------------------------------------------------------------------------- */

void page_link(struct html *h, struct slice url, struct slice text)
{
    html_open(h, "a");
    html_attr_url(h, "href", url);
    html_text(h, text);
    html_close(h, "a");
}

void page_hidden(struct html *h, const char *name, struct slice value)
{
    if (value.len == 0)
        return;
    html_open(h, "input");
    html_attr(h, "type", SLICE("hidden"));
    html_attr(h, "name", slice_str(name));
    html_attr(h, "value", value);
    html_close(h, "input");
}

void page_button(struct html *h, const char *class_name, const char *text)
{
    html_open(h, "button");
    html_attr(h, "type", SLICE("submit"));
    html_attr(h, "class", slice_str(class_name));
    html_text(h, slice_str(text));
    html_close(h, "button");
}

void page_form_open(struct exchange *x, struct html *h, const char *path, const char *class_name)
{
    html_open(h, "form");
    html_attr(h, "method", SLICE("post"));
    html_attr_url(h, "action", slice_str(path));
    html_attr(h, "class", slice_str(class_name));
    page_hidden(h, "token", x->who.token);
}

struct slice page_time(int64_t unix_s, char room[PAGE_TIME_ROOM])
{
    time_t t = (time_t)unix_s;
    struct tm broken;

    if (unix_s <= 0 || localtime_r(&t, &broken) == NULL ||
        strftime(room, PAGE_TIME_ROOM, "%Y-%m-%d %H:%M:%S %Z", &broken) == 0)
        return SLICE("never");
    return slice_str(room);
}

/* --- tables ---------------------------------------------------------------------------------- */

static void add_class(struct html *h, const struct page_head *head)
{
    if (head->is_number || head->is_minor)
        html_attr(h, "class",
                  slice_str(head->is_number ? head->is_minor ? "n minor" : "n" : "minor"));
}

static void add_caption_id(struct html *h, const char *attribute, const char *id)
{
    char text[64];

    (void)snprintf(text, sizeof text, "%s-caption", id);
    html_attr(h, attribute, slice_str(text));
}

void page_table_open(struct html *h, const char *id, const char *caption,
                     const struct page_head *heads, size_t count)
{
    html_open(h, "div");
    html_attr(h, "class", SLICE("scroll"));
    html_attr(h, "role", SLICE("region"));
    html_attr(h, "tabindex", SLICE("0"));
    add_caption_id(h, "aria-labelledby", id);
    html_open(h, "table");
    html_open(h, "caption");
    add_caption_id(h, "id", id);
    html_text(h, slice_str(caption));
    html_close(h, "caption");
    html_open(h, "thead");
    html_open(h, "tr");
    for (size_t i = 0; i < count; i++) {
        html_open(h, "th");
        html_attr(h, "scope", SLICE("col"));
        add_class(h, &heads[i]);
        html_text(h, slice_str(heads[i].text));
        html_close(h, "th");
    }
    html_close(h, "tr");
    html_close(h, "thead");
    html_open(h, "tbody");
    html_newline(h);
}

void page_table_close(struct html *h)
{
    html_close(h, "tbody");
    html_close(h, "table");
    html_close(h, "div");
    html_newline(h);
}

void page_cell(struct html *h, const struct page_head *head, struct slice text)
{
    html_open(h, "td");
    add_class(h, head);
    html_text(h, text);
    html_close(h, "td");
}

void page_cell_link(struct html *h, const struct page_head *head, struct slice url,
                    struct slice text)
{
    html_open(h, "td");
    add_class(h, head);
    page_link(h, url, text);
    html_close(h, "td");
}

void page_cell_time(struct html *h, const struct page_head *head, int64_t unix_s)
{
    char text[PAGE_TIME_ROOM];

    html_open(h, "td");
    html_attr(h, "class", head->is_minor ? SLICE("step minor") : SLICE("step"));
    html_text(h, page_time(unix_s, text));
    html_close(h, "td");
}

void page_cell_name(struct html *h, struct slice url, struct slice text)
{
    html_open(h, "th");
    html_attr(h, "scope", SLICE("row"));
    if (url.len > 0) {
        html_open(h, "a");
        html_attr_url(h, "href", url);
    }
    html_element(h, "bdi", text);
    if (url.len > 0)
        html_close(h, "a");
    html_close(h, "th");
}

/* --- the frame ------------------------------------------------------------------------------- */

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

static void add_nav(struct exchange *x, struct html *h)
{
    html_open(h, "nav");
    html_attr(h, "aria-label", SLICE("Pages"));
    add_nav_link(x, h, "/", "Overview");
    add_nav_link(x, h, "/r/smtp", "Traffic");
    add_nav_link(x, h, "/violations", "Violations");
    if (x->who.role != WEB_ROLE_USER)
        add_nav_link(x, h, "/held", "Held");
    if (x->who.role != WEB_ROLE_USER)
        add_nav_link(x, h, "/billing", "Billing");
    if (x->who.role == WEB_ROLE_ADMIN)
        add_nav_link(x, h, "/status", "Status");
    html_close(h, "nav");
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

static void add_header(struct exchange *x, struct html *h)
{
    html_open(h, "a");
    html_attr(h, "class", SLICE("skip"));
    html_attr_url(h, "href", SLICE("#main"));
    html_text(h, SLICE("Skip to the content"));
    html_close(h, "a");
    html_open(h, "header");
    html_open(h, "a");
    html_attr(h, "class", SLICE("brand"));
    html_attr_url(h, "href", SLICE("/"));
    html_text(h, SLICE("Tollgate"));
    html_close(h, "a");
    if (x->who.via != VIA_NOTHING) {
        add_nav(x, h);
        add_who(x, h);
    }
    html_close(h, "header");
    html_newline(h);
}

static void add_meta(struct html *h, const char *name, const char *content)
{
    html_open(h, "meta");
    html_attr(h, "name", slice_str(name));
    html_attr(h, "content", slice_str(content));
    html_close(h, "meta");
}

static void add_head_link(struct html *h, const char *rel, const char *file)
{
    char url[STATIC_FILES_URL];

    html_open(h, "link");
    html_attr(h, "rel", slice_str(rel));
    html_attr_url(h, "href", static_files_url(file, url));
    html_close(h, "link");
}

static void add_head(struct html *h, const char *title)
{
    char url[STATIC_FILES_URL];

    html_open(h, "head");
    html_open(h, "meta");
    html_attr(h, "charset", SLICE("utf-8"));
    html_close(h, "meta");
    add_meta(h, "viewport", "width=device-width, initial-scale=1");
    html_open(h, "title");
    html_textf(h, "%s - Tollgate", title);
    html_close(h, "title");
    add_head_link(h, "stylesheet", "tollgate.css");
    add_head_link(h, "icon", "icon.svg"); /* else a browser asks for /favicon.ico */
    html_open(h, "script");
    html_attr_url(h, "src", static_files_url("tollgate.js", url));
    html_attr_flag(h, "defer", true);
    html_close(h, "script");
    html_close(h, "head");
    html_newline(h);
}

void page_begin(struct exchange *x, struct html *h, const char *title)
{
    html_init(h, &x->response.body);
    html_doctype(h);
    html_open(h, "html");
    html_attr(h, "lang", SLICE("en"));
    add_head(h, title);
    html_open(h, "body");
    add_header(x, h);
    html_open(h, "main");
    html_attr(h, "id", SLICE("main"));
    html_element(h, "h1", slice_str(title));
    html_newline(h);
}

void page_end(struct exchange *x, struct html *h)
{
    char now[PAGE_TIME_ROOM];

    html_close(h, "main");
    html_newline(h);
    if (x->who.via != VIA_NOTHING) {
        html_open(h, "footer");
        html_text(h, SLICE("Made at "));
        html_text(h, page_time(x->now_ms / 1000, now));
        html_text(h, SLICE("; days and months are those of "));
        html_text(h, slice_str(x->settings->timezone));
        html_text(h, SLICE("."));
        html_close(h, "footer");
    }
    html_close(h, "body");
    html_close(h, "html");
    html_newline(h);
}
