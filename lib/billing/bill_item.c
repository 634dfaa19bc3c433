#include "lib/billing/bill_item.h"

#include <inttypes.h>
#include <jansson.h>
#include <sysexits.h>

#include "lib/sys/json.h"

#define TEXT_BYTES 1024

static const struct {
    const char *name;
    int64_t bytes;
} units[] = {[BILLING_BYTES] = {"B", 1},
             [BILLING_MB] = {"MB", 1000000},
             [BILLING_GB] = {"GB", 1000000000},
             [BILLING_MIB] = {"MiB", INT64_C(1) << 20},
             [BILLING_GIB] = {"GiB", INT64_C(1) << 30}};

void bill_item_value(int64_t bytes, enum billing_units unit, struct buf *out)
{
    int64_t size = units[unit].bytes, whole = bytes < 0 ? -bytes : bytes, part;

    /* A credit is rounded towards 0: up, as all. */
    part = ((whole % size) * 1000 + (bytes < 0 ? 0 : size - 1)) / size;
    whole = whole / size + part / 1000;
    part %= 1000;
    if (bytes < 0 && (whole != 0 || part != 0))
        buf_add_char(out, '-');
    buf_addf(out, "%" PRId64, whole);
    if (size > 1)
        buf_addf(out, ".%03" PRId64, part);
}

static int make(const struct bill *b, const struct bill_row *row, size_t column,
                const struct settings *s, struct bill_item *item, struct arena *arena,
                struct err *err)
{
    const struct counter_info *info = &counter_table[b->columns[column]];
    enum billing_units unit = info->unit == UNIT_BYTES ? s->billing.units : BILLING_BYTES;
    struct buf text;

    buf_init(&text, TEXT_BYTES);
    *item = (struct bill_item){.account = row->account,
                               .field = info->name,
                               .amount = bill_billed(row, column),
                               .unit = info->unit == UNIT_BYTES ? units[unit].name : "",
                               .row = row};
    buf_addf(&text, "%.*s/%.*s/%s/1", SLICE_FMT(b->month), SLICE_FMT(row->account), info->name);
    item->id = arena_copy(arena, buf_slice(&text));
    buf_reset(&text);
    bill_item_value(item->amount, unit, &text);
    item->value = arena_copy(arena, buf_slice(&text));
    buf_fini(&text);
    return item->id.ptr != NULL && item->value.ptr != NULL
               ? 0
               : err_set(err, EX_OSERR, "out of memory");
}

static bool is_exported(const struct settings *s, enum counter id)
{
    for (size_t i = 0; i < s->billing.fields.count; i++) {
        if (counter_find(slice_str(s->billing.fields.items[i])) == (int)id)
            return true;
    }
    return s->billing.fields.count == 0 &&
           (id == COUNTER_IN_BYTES || id == COUNTER_OUT_BYTES || id == COUNTER_FORWARD_BYTES);
}

static int check_fields(const struct bill *b, const struct settings *s, struct err *err)
{
    for (size_t i = 0; i < s->billing.fields.count; i++) {
        const char *name = s->billing.fields.items[i];

        if (bill_column(b, (enum counter)counter_find(slice_str(name))) < 0)
            return err_set(err, EX_DATAERR,
                           "%.*s was closed before %s stood in billing.fields: its file does not "
                           "have it",
                           SLICE_FMT(b->month), name);
    }
    return 0;
}

int bill_item_list(const struct bill *b, const struct settings *s, struct arena *arena,
                   struct bill_items *out, struct err *err)
{
    *out = (struct bill_items){.count = 0};
    if (check_fields(b, s, err) != 0)
        return -1;
    for (size_t r = 0; r < b->count; r++) {
        for (size_t c = 0; c < b->column_count; c++) {
            if (!is_exported(s, b->columns[c]) || bill_billed(&b->rows[r], c) == 0)
                continue;
            out->items = arena_grow(arena, out->items, out->count, &out->room, sizeof *out->items);
            if (out->items == NULL)
                return err_set(err, EX_OSERR, "out of memory");
            if (make(b, &b->rows[r], c, s, &out->items[out->count++], arena, err) != 0)
                return -1;
        }
    }
    return 0;
}

static json_t *item_json(const struct bill *b, const struct bill_item *item)
{
    return json_pack("{s:o, s:o, s:o, s:s, s:I, s:o, s:s}", "id", json_text(item->id), "period",
                     json_text(b->month), "account", json_text(item->account), "field", item->field,
                     "amount", (json_int_t)item->amount, "value", json_text(item->value), "unit",
                     item->unit);
}

json_t *bill_item_json(const struct bill *b, const struct bill_item *item)
{
    json_t *json = item_json(b, item);

    if (b->has_customers)
        (void)json_object_set_new(json, "customer",
                                  item->row->customer.len > 0 ? json_text(item->row->customer)
                                                              : json_null());
    return json;
}
