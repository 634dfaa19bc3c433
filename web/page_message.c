#include "web/page_message.h"

#include <stdio.h>
#include <sysexits.h>

#include "lib/read/read_violations_table.h"
#include "web/figures_message.h"
#include "web/page.h"
#include "web/page_rows.h"
#include "web/scope.h"

#define URL_BYTES 4096

void page_message_cell(struct html *h, const struct page_head *head, struct slice queue_id)
{
    struct buf url;

    buf_init(&url, URL_BYTES);
    buf_add_str(&url, "/q");
    html_url_segment(&url, queue_id);
    if (queue_id.len > 0)
        page_cell_link(h, head, buf_slice(&url), queue_id);
    else
        page_cell(h, head, queue_id);
    buf_fini(&url);
}

/* --- limits ---------------------------------------------------------------------------------- */

static void add_violations(struct exchange *x, struct html *h, const struct figures_message *f)
{
    struct table table;

    if (f->violation_count == 0)
        return;
    table_init(&table, read_violations_columns, read_violations_column_count, &x->arena);
    for (size_t i = 0; i < f->violation_count; i++)
        read_violations_add_row(&table, &f->violations[i]);
    html_element(h, "h2", SLICE("Limits"));
    page_rows(h, "violations", "Limits that it crossed, the newest first", &table);
}

/* --- held ------------------------------------------------------------------------------------ */

static const struct page_head held_heads[] = {
    {"account", false, false}, {"held since", false, false}, {"node", false, false}};

static void add_held(struct exchange *x, struct html *h, const struct figures_message *f)
{
    if (f->held.count == 0)
        return;
    html_element(h, "h2", SLICE("On hold"));
    page_table_open(h, "held", "Where limits keep it on hold", held_heads,
                    sizeof held_heads / sizeof held_heads[0]);
    for (size_t i = 0; i < f->held.count; i++) {
        const struct held_entry *e = &f->held.items[i];
        char time[PAGE_TIME_ROOM];

        html_open(h, "tr");
        page_cell_name(h, SLICE_NONE, e->account);
        page_cell(h, &held_heads[1], page_time(e->time_s, time));
        page_cell(h, &held_heads[2], e->node);
        html_close(h, "tr");
        html_newline(h);
    }
    page_table_close(h);
    if (x->who.role == WEB_ROLE_ADMIN) {
        html_open(h, "p");
        html_text(h, SLICE("It leaves the hold when there is room, or by "));
        html_open(h, "code");
        html_text(h, SLICE("tollgate release "));
        html_text(h, f->id);
        html_close(h, "code");
        html_text(h, SLICE(" on that node."));
        html_close(h, "p");
    }
}

/* --- the rest -------------------------------------------------------------------------------- */

/* What these pages cannot know. */
static void add_where(struct html *h, const struct figures_message *f)
{
    html_open(h, "p");
    html_text(h, SLICE("The node that took the message knows more, such as what the mail log says "
                       "of its deliveries. Run there, as root: "));
    html_open(h, "code");
    html_text(h, SLICE("tollgate why "));
    html_text(h, f->id);
    html_close(h, "code");
    html_close(h, "p");
    html_newline(h);
}

static void write_page(struct exchange *x, const struct figures_message *f)
{
    char title[128];
    struct html h;

    (void)snprintf(title, sizeof title, "Message %.*s", SLICE_FMT(f->id));
    page_begin(x, &h, title);
    if (!figures_message_is_known(f))
        html_element_class(&h, "p", "empty",
                           SLICE("It crossed no limit that is on record, and is not on hold."));
    add_violations(x, &h, f);
    add_held(x, &h, f);
    if (x->who.role == WEB_ROLE_ADMIN)
        add_where(&h, f);
    page_end(x, &h);
}

int page_message(struct exchange *x, struct err *err)
{
    static const char *const no_parameters[] = {NULL};
    struct figures_message f;

    if (http_query_allow(&x->query, no_parameters, err) != 0 ||
        figures_message(x, x->request.segments[1], &f, err) != 0)
        return -1;
    if (!figures_message_is_known(&f) && x->who.role != WEB_ROLE_ADMIN)
        return scope_nothing(err);
    write_page(x, &f);
    return 0;
}
