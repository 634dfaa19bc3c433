/* The frame of a page: what stands before and behind its content. */
#include "web/page.h"
#include "web/page_header.h"
#include "web/static_files.h"
#include "web/theme.h"

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
    theme_attr(x, h);
    add_head(h, title);
    html_open(h, "body");
    page_header(x, h);
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
