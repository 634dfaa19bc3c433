#include "web/page_message.h"

#include <stdio.h>
#include <sysexits.h>

#include "lib/core/format.h"
#include "lib/core/mail_trace_text.h"
#include "lib/read/read_violations_table.h"
#include "web/figures_message.h"
#include "web/page.h"
#include "web/page_rows.h"
#include "web/scope.h"

#define URL_BYTES  4096
#define TEXT_BYTES 65536

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

/* --- counted --------------------------------------------------------------------------------- */

static const struct page_head counted_heads[] = {
    {"counted at", false, false}, {"class", false, false},     {"account", false, false},
    {"user", false, false},       {"recipients", true, false}, {"bytes", true, false}};

static void add_number(struct html *h, size_t column, uint64_t n)
{
    struct buf text;

    buf_init(&text, 64);
    format_count(&text, n);
    page_cell(h, &counted_heads[column], buf_slice(&text));
    buf_fini(&text);
}

static void add_row(struct html *h, const struct figures_counted *c)
{
    char time[PAGE_TIME_ROOM];

    html_open(h, "tr");
    page_cell_name(h, SLICE_NONE, page_time(c->time_s, time));
    page_cell(h, &counted_heads[1], c->class_name);
    page_cell(h, &counted_heads[2], c->account);
    page_cell(h, &counted_heads[3], c->user);
    add_number(h, 4, c->recipients);
    add_number(h, 5, c->bytes);
    html_close(h, "tr");
    html_newline(h);
}

static void add_counted(struct html *h, const struct figures_message *f)
{
    if (f->in_doubt)
        html_element_class(h, "p", "alert",
                           SLICE("tollgated stopped before the mail server confirmed its reply: "
                                 "see whether the mail log has the message as queued; if not, it "
                                 "is counted once too often."));
    if (f->counted_count == 0)
        return;
    html_element(h, "h2", SLICE("Counted"));
    page_table_open(h, "counted", "As what it was let through, by account and class", counted_heads,
                    sizeof counted_heads / sizeof counted_heads[0]);
    for (size_t i = 0; i < f->counted_count; i++)
        add_row(h, &f->counted[i]);
    page_table_close(h);
    if (f->has_more)
        html_element(h, "p", SLICE("More of it is in the journal of that node."));
}

/* --- the mail log ---------------------------------------------------------------------------- */

static const struct page_head told_heads[] = {{"time", false, false}, {"event", false, false}};

static void add_event(struct html *h, const struct mail_event *e)
{
    char time[PAGE_TIME_ROOM];
    struct buf text;

    buf_init(&text, TEXT_BYTES);
    mail_trace_text(e, &text);
    html_open(h, "tr");
    page_cell_name(h, SLICE_NONE, page_time(e->time_ms / 1000, time));
    page_cell(h, &told_heads[1], buf_slice(&text));
    html_close(h, "tr");
    html_newline(h);
    buf_fini(&text);
}

static void add_told(struct html *h, const struct figures_told *told, size_t number)
{
    struct mail_trace_head head;
    struct mail_trace_reader r;
    struct mail_event e;
    struct err damaged = {0};
    char id[32];

    if (mail_trace_open(&r, told->trace, &head, &damaged) != 0)
        return;
    (void)snprintf(id, sizeof id, "log-%zu", number);
    html_open(h, "h2");
    html_text(h, SLICE("The mail log of "));
    html_element(h, "bdi", told->instance);
    html_close(h, "h2");
    page_table_open(h, id, "What the log says of it, as tollgate-collect read it", told_heads,
                    sizeof told_heads / sizeof told_heads[0]);
    while (mail_trace_next(&r, &e, &damaged) == 1)
        add_event(h, &e);
    page_table_close(h);
    if (head.left_out > 0) {
        html_open(h, "p");
        html_textf(h, "%llu more lines were not kept.", (unsigned long long)head.left_out);
        html_close(h, "p");
    }
}

/* --- the rest -------------------------------------------------------------------------------- */

static void add_asked(struct html *h, const struct figures_message *f)
{
    html_open(h, "p");
    if (f->node.len > 0) {
        html_text(h, SLICE("Of what was counted the node "));
        html_element(h, "bdi", f->node);
        html_text(h, f->counted_unknown ? SLICE(" was asked, but cannot read its journal.")
                                        : SLICE(" was asked."));
    } else {
        html_text(h, SLICE("What was counted is not known: no tollgated of this machine could be "
                           "asked ("));
        html_text(h, f->unasked);
        html_text(h, SLICE(")."));
    }
    html_close(h, "p");
}

/* What these pages cannot know. */
static void add_where(struct html *h, const struct figures_message *f)
{
    add_asked(h, f);
    html_open(h, "p");
    if (f->untold.len > 0) {
        html_text(h,
                  SLICE("What the mail log says is not known: no tollgate-collect of this machine "
                        "could be asked ("));
        html_text(h, f->untold);
        html_text(h, SLICE("). "));
    }
    html_text(h, SLICE("If another node took the message, run there, as root: "));
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
        html_element_class(
            &h, "p", "empty",
            SLICE("Nothing is known here: it crossed no limit that is on record, is not on hold, "
                  "and is not among the counted messages that were looked at."));
    add_counted(&h, f);
    add_violations(x, &h, f);
    add_held(x, &h, f);
    for (size_t i = 0; i < f->told_count; i++)
        add_told(&h, &f->told[i], i);
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
