#include "cli/usage_over.h"

#include <inttypes.h>
#include <sysexits.h>

#include "cli/progress.h"
#include "lib/core/format.h"
#include "lib/read/read_usage_rows.h"
#include "lib/sys/clock.h"

#define ARENA_BYTES ((size_t)1 << 30)
#define TEXT_BYTES  ((size_t)256 << 20)
#define COLUMNS_MAX 16

/* Those of `usage', behind that of the account. */
static size_t columns_make(struct table_column columns[COLUMNS_MAX])
{
    TG_ASSERT(read_usage_column_count < COLUMNS_MAX);
    columns[0] =
        (struct table_column){.name = "account", .head = "account", .canonical = true, .cut = 30};
    for (size_t i = 0; i < read_usage_column_count; i++)
        columns[1 + i] = read_usage_columns[i];
    columns[1 + READ_USAGE_OVER_AT].head = "full on";
    columns[1 + READ_USAGE_OVER_AT].minor = true;
    return 1 + read_usage_column_count;
}

static void fill(const struct holder_over *over, struct table *l, bool utf8)
{
    for (size_t i = 0; i < over->count; i++) {
        const struct holder_over_row *row = &over->list[i];

        read_usage_add_row_at(l, 1, &row->usage, over->now_ms, utf8);
        table_text(l, 0, row->account);
    }
}

static void add_text(const struct holder_over *over, const struct table *l,
                     const struct render_style *style, const struct holder_over_question *q,
                     struct buf *b)
{
    if (over->count == 0) {
        buf_addf(b, "Nobody has used %" PRIu64 "%% of a limit.\n", q->percent);
        return;
    }
    table_table(l, style, true, b);
    table_note_hidden(l, style, b);
}

static int show(const struct holder_over *over, const struct holder_over_question *q, int format,
                struct arena *arena)
{
    struct table_column columns[COLUMNS_MAX];
    struct render_style style;
    struct table l;
    struct buf b;
    int code;

    cli_style(&style);
    table_init(&l, columns, columns_make(columns), arena);
    fill(over, &l, format == 0 && style.utf8);
    buf_init(&b, TEXT_BYTES);
    if (format == 0)
        add_text(over, &l, &style, q, &b);
    else if (format == 1)
        table_csv(&l, true, &b);
    else
        cli_add_json(&b, table_json(&l));
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

int usage_over(struct cli *cli, const struct setup *s, const struct holder_over_question *q,
               int format)
{
    struct progress progress;
    struct holder_over over;
    struct err err = {0};
    struct arena arena;
    int code;

    arena_init(&arena, ARENA_BYTES);
    progress_start(&progress, cli, clock_monotonic_ms());
    code = holder_over_read(s, &cli->reader, q, &arena, &over, &err);
    progress_end(&progress);
    code = code == 0 ? show(&over, q, format, &arena) : cli_fail(&err);
    arena_fini(&arena);
    return code;
}
