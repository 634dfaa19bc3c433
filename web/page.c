#include "web/page.h"

#include <stdio.h>
#include <time.h>

#include "lib/core/report.h"
#include "web/figures.h"

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

void page_fold_open(struct html *h, const char *summary)
{
    html_open(h, "details");
    html_attr(h, "class", SLICE("fold"));
    html_element(h, "summary", slice_str(summary));
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

/* What begins with two slashes is another host. */
struct slice page_local_path(struct slice to)
{
    bool good = to.len > 0 && to.ptr[0] == '/' &&
                (to.len == 1 || (to.ptr[1] != '/' && to.ptr[1] != '\\')) &&
                slice_find(to, '\\') < 0;

    return good ? to : SLICE("/");
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
