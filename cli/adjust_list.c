#include <inttypes.h>
#include <jansson.h>
#include <sysexits.h>

#include "cli/adjust.h"
#include "lib/core/format.h"
#include "lib/core/text.h"
#include "lib/sys/json.h"

#define OUTPUT_BYTES ((size_t)1 << 28)

static void add_amounts(const struct adjustment *a, struct buf *b)
{
    const char *apart = "";

    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        if (a->amounts[i] == 0)
            continue;
        buf_addf(b, "%s%s %+" PRId64, apart, counter_table[i].name, a->amounts[i]);
        apart = ", ";
    }
}

static void add_table(const struct adjustment_list *list, struct buf *b)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct adjustment *a = &list->items[i].adjustment;

        buf_addf(b, "%.*s  ", SLICE_FMT(a->period));
        format_left(b, list->items[i].account, 24);
        buf_add_str(b, "  ");
        format_text(b, a->id);
        buf_add_str(b, "\n    ");
        add_amounts(a, b);
        buf_add_str(b, "\n    ");
        text_time(b, a->at_s);
        buf_add_str(b, ", ");
        format_text(b, a->by);
        buf_add_str(b, ": ");
        format_text(b, a->reason);
        if (a->evidence.len > 0) {
            buf_add_str(b, "\n    ");
            format_text(b, a->evidence);
        }
        buf_add_char(b, '\n');
    }
}

/* RFC 4180 */
static void add_quoted(struct buf *b, struct slice text)
{
    buf_add_str(b, ",\"");
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            buf_add_char(b, '"');
        buf_add_char(b, text.ptr[i]);
    }
    buf_add_char(b, '"');
}

/* A line for each amount. */
void adjust_list_csv(const struct adjustment_list *list, struct buf *b)
{
    buf_add_str(b, "account,period,field,amount,id,reason,evidence,by,at\r\n");
    for (size_t i = 0; i < list->count; i++) {
        const struct adjustment *a = &list->items[i].adjustment;

        for (size_t c = 0; c < COUNTER_COUNT; c++) {
            if (a->amounts[c] == 0)
                continue;
            buf_addf(b, "%.*s,%.*s,%s,%" PRId64, SLICE_FMT(list->items[i].account),
                     SLICE_FMT(a->period), counter_table[c].name, a->amounts[c]);
            add_quoted(b, a->id);
            add_quoted(b, a->reason);
            add_quoted(b, a->evidence);
            add_quoted(b, a->by);
            buf_add_char(b, ',');
            text_time_exact(b, a->at_s);
            buf_add_str(b, "\r\n");
        }
    }
}

static json_t *amounts_json(const struct adjustment *a)
{
    json_t *amounts = json_object();

    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        if (a->amounts[i] != 0)
            (void)json_object_set_new(amounts, counter_table[i].name, json_integer(a->amounts[i]));
    }
    return amounts;
}

static void add_json(const struct adjustment_list *list, struct buf *b)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->count; i++) {
        const struct adjustment *a = &list->items[i].adjustment;

        (void)json_array_append_new(
            array, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "account",
                             json_text(list->items[i].account), "period", json_text(a->period),
                             "id", json_text(a->id), "amounts", amounts_json(a), "reason",
                             cli_json_text(a->reason), "evidence", cli_json_text(a->evidence), "by",
                             cli_json_text(a->by), "at", cli_json_time(a->at_s)));
    }
    cli_add_json(b, array);
}

int adjust_list(const struct adjustment_list *list, enum format format)
{
    struct buf b;
    int code;

    buf_init(&b, OUTPUT_BYTES);
    if (format == FORMAT_TABLE && list->count == 0)
        buf_add_str(&b, "There are no adjustments.\n");
    else if (format == FORMAT_TABLE)
        add_table(list, &b);
    else if (format == FORMAT_CSV)
        adjust_list_csv(list, &b);
    else
        add_json(list, &b);
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}
