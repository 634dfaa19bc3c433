/* tollgate top --format json: one object a picture, on one line */
#include <jansson.h>

#include "cli/top_screen.h"
#include "lib/read/read_violations_table.h"
#include "lib/sys/json.h"

static const char *const value_names[TOP_VALUES] = {[TOP_MESSAGES] = "messages_per_s",
                                                    [TOP_RECIPIENTS] = "recipients_per_s",
                                                    [TOP_BYTES] = "bytes_per_s",
                                                    [TOP_IN] = "in_messages_per_s",
                                                    [TOP_STOPPED] = "stopped_per_s"};

/* Three decimals, as quotients have in reports. */
static json_t *rates(const double rate[TOP_VALUES])
{
    json_t *o = json_object();

    for (size_t v = 0; v < TOP_VALUES; v++) {
        double rounded = (double)(int64_t)(rate[v] * 1000 + 0.5) / 1000;

        (void)json_object_set_new(o, value_names[v], json_real(rounded));
    }
    return o;
}

static json_t *senders(const struct top_data *d)
{
    json_t *list = json_array();

    for (size_t i = 0; i < d->sender_count && i < TOP_JSON_ROWS; i++) {
        json_t *o = rates(d->senders[i]->rate);

        (void)json_object_set_new(o, "account", json_text(d->senders[i]->name));
        (void)json_array_append_new(list, o);
    }
    return list;
}

static json_t *limits(const struct top_data *d, struct arena *arena)
{
    json_t *list;
    struct table table;

    table_init(&table, read_usage_columns, read_usage_column_count, arena);
    for (size_t i = 0; i < d->limit_count && i < TOP_JSON_ROWS; i++)
        read_usage_add_row(&table, &d->limits[i].row, d->store_ms, false);
    list = table_json(&table);
    for (size_t i = 0; i < json_array_size(list); i++)
        (void)json_object_set_new(json_array_get(list, i), "account",
                                  json_text(d->limits[i].holder));
    return list;
}

static json_t *violations(const struct top_data *d, struct arena *arena)
{
    struct table table;

    table_init(&table, read_violations_columns, read_violations_column_count, arena);
    for (size_t i = 0; i < d->violations.count; i++)
        read_violations_add_row(&table, &d->violations.items[i].v);
    return table_json(&table);
}

static void set_picture(json_t *o, const struct top_data *d, struct arena *arena)
{
    (void)json_object_set_new(o, "mode",
                              json_string(d->setup.rules->observe ? "observe" : "enforce"));
    (void)json_object_set_new(o, "nodes", json_integer((json_int_t)d->node_count));
    (void)json_object_set_new(o, "accounts", json_integer((json_int_t)d->account_count));
    (void)json_object_set_new(o, "server", rates(d->server));
    (void)json_object_set_new(o, "senders", senders(d));
    (void)json_object_set_new(o, "limits", limits(d, arena));
    (void)json_object_set_new(o, "violations", violations(d, arena));
}

void top_json(const struct top_data *d, const struct err *err, int64_t now_s, struct arena *arena,
              struct buf *b)
{
    json_t *o = json_object();

    (void)json_object_set_new(o, "time", cli_json_time(now_s));
    (void)json_object_set_new(o, "error", cli_json_text(slice_str(err->text)));
    if (err->code == 0)
        set_picture(o, d, arena);
    json_add(b, o, JSON_COMPACT | JSON_REAL_PRECISION(12));
}
