/* The bodies of requests: CloudEvents 1.0 (batched, JSON), and Plesk's set_traffic (XML). */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/billing/bill_read.h"
#include "lib/billing/bill_target_work.h"
#include "lib/core/html.h"
#include "lib/core/text.h"
#include "lib/sys/json.h"

#define TIME_BYTES 64

/* The end of the month, which is when the figure is known. */
static int month_end(const struct bill *b, time_t *end, struct err *err)
{
    struct bill_month month;

    if (bill_month_parse(b->month, 0, &month, err) != 0)
        return -1;
    *end = month.end;
    return 0;
}

int bill_target_events(const struct bill_target *t, const struct bill *b,
                       const struct bill_item *const *items, size_t count, struct buf *out,
                       struct err *err)
{
    json_t *events = json_array();
    struct buf time;
    time_t end;

    if (month_end(b, &end, err) != 0) {
        json_decref(events);
        return -1;
    }
    buf_init(&time, TIME_BYTES);
    text_time_exact(&time, (int64_t)end - 1);
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(
            events,
            json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:s, s:o}", "specversion", "1.0", "id",
                      json_text(items[i]->id), "source", t->source, "type", "org.tollgate.period",
                      "subject", json_text(items[i]->account), "time", json_text(buf_slice(&time)),
                      "datacontenttype", "application/json", "data", bill_item_json(b, items[i])));
    buf_fini(&time);
    json_add(out, events, JSON_COMPACT);
    return out->failed ? err_set(err, EX_OSERR, "out of memory") : 0;
}

/* Plesk sets the traffic of a day: the same call twice is the same as once. One of our domains is a
 * subscription of Plesk's, each day an operation of the packet. */
static void plesk_bytes(struct html *h, const char *element, int64_t bytes)
{
    html_open(h, element);
    html_textf(h, "%" PRId64, bytes);
    html_close(h, element);
}

static void plesk_day(struct html *h, struct slice id, const char *date, const int64_t *bytes)
{
    html_open(h, "set_traffic");
    html_element(h, "dom_id", id);
    html_element(h, "date", slice_str(date));
    plesk_bytes(h, "smtp_in", bytes[BILL_TRAFFIC_IN]);
    plesk_bytes(h, "smtp_out", bytes[BILL_TRAFFIC_OUT]);
    plesk_bytes(h, "pop3_imap_in", 0);
    plesk_bytes(h, "pop3_imap_out", bytes[BILL_TRAFFIC_MAILBOX]);
    html_close(h, "set_traffic");
}

static void plesk_account(struct html *h, const struct bill_target *t, const struct bill *b,
                          const struct bill_item *item)
{
    struct err ignored;
    struct slice id = bill_target_id(t, item->account, &ignored);

    for (size_t day = 0; day < t->days->count; day++)
        plesk_day(h, id, t->days->names[day], bill_days_of(t->days, b, item->row, day));
}

int bill_target_plesk(const struct bill_target *t, const struct bill *b,
                      const struct bill_item *const *items, size_t count, struct buf *out,
                      struct err *err)
{
    struct html h;

    for (size_t i = 0; i < count; i++) {
        if (bill_target_id(t, items[i]->account, err).ptr == NULL)
            return -1;
    }
    buf_add_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    html_init(&h, out);
    html_open(&h, "packet");
    html_open(&h, "webspace");
    for (size_t i = 0; i < count; i++)
        plesk_account(&h, t, b, items[i]);
    html_close(&h, "webspace");
    html_close(&h, "packet");
    html_newline(&h);
    return out->failed ? err_set(err, EX_OSERR, "out of memory") : 0;
}
