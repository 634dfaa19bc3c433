#include "lib/read/read_list.h"

#include <jansson.h>

#include "lib/read/read_list_work.h"
#include "lib/sys/json.h"

static const struct list_kind kinds[] = {
    {READ_LIST_REFUSALS, "refusals", "Refusals by other mail servers",
     "other servers that refuse this one's mail, and the lists they name"},
    {READ_LIST_ANOMALIES, "anomalies", "Anomalies",
     "logins and domains far above what is usual for them"},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

const struct list_kind *read_list_at(size_t index)
{
    return index < KINDS ? &kinds[index] : NULL;
}

const struct list_kind *read_list_find(struct slice name)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (slice_equal(slice_str(kinds[i].name), name))
            return &kinds[i];
    }
    return NULL;
}

/* Lists are made of what the logs say, as reports are. */
static int read_remarks(struct reader *r, const struct report_time *t, struct arena *arena,
                        struct remark_list *remarks, struct err *err)
{
    struct coverage_nodes nodes;

    if (read_coverage_nodes(r, true, arena, &nodes, err) != 0)
        return -1;
    return read_remarks_logs(&nodes, NULL, t->from, t->to, t->now, arena, remarks, err);
}

int read_list(struct reader *r, const struct list_question *q, struct arena *arena,
              struct list_report *out, struct err *err)
{
    *out = (struct list_report){.more = 0};
    if (read_remarks(r, &q->range->time, arena, &out->remarks, err) != 0)
        return -1;
    return q->kind->id == READ_LIST_REFUSALS ? read_list_refusals(r, q, arena, out, err)
                                             : read_list_anomalies(r, q, arena, out, err);
}

bool read_list_text(const struct list_question *q, const struct list_report *l, size_t row,
                    struct buf *b)
{
    return q->kind->id == READ_LIST_REFUSALS && read_list_refusals_text(&l->table, row, b);
}

json_t *read_list_json(const struct list_question *q, const struct list_report *l)
{
    json_t *json = json_object(), *remarks = json_array();

    for (size_t i = 0; i < l->remarks.count; i++)
        (void)json_array_append_new(remarks, json_text(l->remarks.items[i]));
    (void)json_object_set_new(json, "report", json_string(q->kind->name));
    (void)json_object_set_new(json, "domain",
                              q->domain.len > 0 ? json_text(q->domain) : json_null());
    (void)json_object_set_new(json, "from", json_string(q->range->from_text));
    (void)json_object_set_new(json, "to", json_string(q->range->to_text));
    (void)json_object_set_new(json, "timezone", json_string(q->timezone));
    (void)json_object_set_new(json, "remarks", remarks);
    (void)json_object_set_new(json, "rows", table_json(&l->table));
    (void)json_object_set_new(json, "more", json_integer((json_int_t)l->more));
    return json;
}
