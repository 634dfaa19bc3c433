#include "cli/report_lists.h"

#include <jansson.h>
#include <sysexits.h>

#include "lib/core/text.h"

#define ARENA_BYTES ((size_t)1 << 30)
#define TEXT_BYTES  ((size_t)1 << 30)
#define TEXTS_SHOWN 10

/* The latest replies of the first rows. */
static void add_texts(const struct list_question *q, const struct list_report *l, size_t width,
                      struct buf *b)
{
    struct buf line;
    bool any = false;

    buf_init(&line, TEXT_BYTES);
    for (size_t i = 0; i < l->table.row_count && i < TEXTS_SHOWN; i++) {
        buf_reset(&line);
        if (!read_list_text(q, l, i, &line))
            continue;
        buf_add_str(b, any ? "" : "\n");
        text_wrap(b, 0, true, width, buf_slice(&line));
        any = true;
    }
    buf_fini(&line);
}

static void add_table(const struct list_question *q, const struct list_report *l, struct buf *b)
{
    struct render_style style;

    cli_style(&style);
    buf_addf(b, "%s%s%s%.*s, %s to %s\n\n", style.colour ? "\033[1m" : "", q->kind->title,
             q->domain.len > 0 ? ", domain " : ", server", SLICE_FMT(q->domain),
             q->range->from_text, q->range->to_text);
    if (style.colour)
        buf_add_str(b, "\033[0m");
    if (l->table.row_count == 0)
        buf_add_str(b, "Nothing was found.\n");
    else
        table_table(&l->table, &style, true, b);
    if (l->more > 0)
        buf_addf(b, "(%zu more)\n", l->more);
    table_note_hidden(&l->table, &style, b);
    add_texts(q, l, style.width, b);
    if (l->remarks.count > 0)
        buf_add_char(b, '\n');
    for (size_t i = 0; i < l->remarks.count; i++)
        text_wrap(b, 0, false, style.width, l->remarks.items[i]);
}

static int write_output(const struct list_question *q, const struct list_report *l,
                        enum format format)
{
    struct buf b;
    int code;

    buf_init(&b, TEXT_BYTES);
    if (format == FORMAT_CSV)
        table_csv(&l->table, true, &b);
    else if (format == FORMAT_JSON)
        cli_add_json(&b, read_list_json(q, l));
    else
        add_table(q, l, &b);
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

int report_list_write(struct cli *cli, const struct list_question *q, enum format format)
{
    struct list_report list;
    struct err err = {0};
    struct arena arena;
    int code;

    arena_init(&arena, ARENA_BYTES);
    code = read_list(&cli->reader, q, &arena, &list, &err);
    code = code == 0 ? write_output(q, &list, format) : cli_fail(&err);
    arena_fini(&arena);
    return code;
}
