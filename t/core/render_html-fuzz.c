/* A page with any names, one a line of the input, has the tags and attributes that it has with
 * plain names: no name becomes markup, in the table, in both charts, in links. */
#include <string.h>

#include "lib/core/err.h"
#include "lib/core/render_html.h"
#include "lib/core/utf8.h"

#define NAMES_MOST 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void link_add(void *context, struct slice step, struct slice by, struct buf *url)
{
    (void)context;
    (void)step;
    buf_add_str(url, "/d");
    html_url_segment(url, by);
    html_url_query(url, "user", by);
}

static void page_write(const struct slice *names, size_t count, struct buf *b)
{
    const struct render_link link = {link_add, NULL};
    const struct render_html_style style = {.id = "x", .link = &link};
    struct report_grid g;
    struct tally t = {{0}};
    struct err err;
    struct html h;

    TG_ASSERT(report_grid_init(&g, report_find(SLICE("smtp")), NULL, "domain", 1 << 20, &err) == 0);
    TG_ASSERT(report_grid_order(&g, SLICE("in_bytes"), false, 0, &err) == 0);
    g.scope = "server";
    g.name = names[0];
    for (size_t i = 0; i < count; i++) {
        t.value[COUNTER_IN_BYTES] = (uint64_t)(count - i) << 20;
        TG_ASSERT(report_grid_add_sums(&g, SLICE_NONE, names[i], &t, &err) == 0);
    }
    report_grid_finish(&g);
    html_init(&h, b);
    render_html_heading(&g, &h);
    render_html_figure(&g, &style, &h);
    render_html_table(&g, &style, &h);
    TG_ASSERT(!b->failed && h.depth == 0);
    report_grid_fini(&g);
}

static size_t count_of(const struct buf *b, char c)
{
    size_t count = 0;

    for (size_t i = 0; i < b->len; i++)
        count += b->data[i] == c;
    return count;
}

/* Line ends are those between elements. */
static bool has_controls(struct slice s)
{
    while (s.len > 0) {
        size_t length = utf8_length(s);

        if (length == 0 || (utf8_is_control(utf8_code(s, length)) && *s.ptr != '\n'))
            return true;
        s = slice_from(s, length);
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = {(const char *)data, size}, names[NAMES_MOST], plain[NAMES_MOST];
    struct buf got, want;
    size_t count = 0;

    while (count < NAMES_MOST && slice_cut(&rest, '\n', &names[count])) {
        names[count] = slice_to(names[count], 2000);
        plain[count] = names[count].len > 0 ? SLICE("a") : SLICE("");
        count++;
    }
    if (count == 0)
        return 0;
    buf_init(&got, (size_t)1 << 24);
    buf_init(&want, (size_t)1 << 24);
    page_write(names, count, &got);
    page_write(plain, count, &want);
    TG_ASSERT(count_of(&got, '<') == count_of(&want, '<'));
    TG_ASSERT(count_of(&got, '>') == count_of(&want, '>'));
    TG_ASSERT(count_of(&got, '"') == count_of(&want, '"'));
    TG_ASSERT(count_of(&got, '\'') == 0 && count_of(&got, '\n') == count_of(&want, '\n'));
    TG_ASSERT(!has_controls(buf_slice(&got)));
    buf_fini(&got);
    buf_fini(&want);
    return 0;
}
