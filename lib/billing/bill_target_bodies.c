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

/* Traffic of all services in bytes, on the last day of the month: absolute, so that the same call
 * twice is the same as once. */
static int64_t sum_of(const struct bill *b, const struct bill_row *row, const enum counter *ids,
                      size_t count)
{
    int64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        int column = bill_column(b, ids[i]);

        sum += column >= 0 ? bill_billed(row, (size_t)column) : 0;
    }
    return sum > 0 ? sum : 0;
}

enum { PLESK_DEPTH = 3 };
static const char *const plesk_elements[PLESK_DEPTH] = {"packet", "webspace", "set_traffic"};

static void plesk_bytes(struct html *h, const char *element, int64_t bytes)
{
    html_open(h, element);
    html_textf(h, "%" PRId64, bytes);
    html_close(h, element);
}

int bill_target_plesk(const struct bill_target *t, const struct bill *b,
                      const struct bill_item *item, struct buf *out, struct err *err)
{
    static const enum counter in[] = {COUNTER_IN_BYTES},
                              sent[] = {COUNTER_OUT_BYTES, COUNTER_FORWARD_BYTES},
                              mailbox[] = {COUNTER_POP_BYTES, COUNTER_IMAP_BYTES};
    struct slice id = bill_target_id(t, item->account, err);
    char date[PERIOD_TEXT];
    struct html h;
    time_t end;

    if (id.ptr == NULL || month_end(b, &end, err) != 0)
        return -1;
    period_name(PERIOD_DAY, end - 1, date);
    buf_add_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    html_init(&h, out);
    for (size_t n = 0; n < PLESK_DEPTH; n++)
        html_open(&h, plesk_elements[n]);
    html_element(&h, "dom_id", id);
    html_element(&h, "date", slice_str(date));
    plesk_bytes(&h, "smtp_in", sum_of(b, item->row, in, 1));
    plesk_bytes(&h, "smtp_out", sum_of(b, item->row, sent, 2));
    plesk_bytes(&h, "pop3_imap_in", 0);
    plesk_bytes(&h, "pop3_imap_out", sum_of(b, item->row, mailbox, 2));
    for (size_t n = PLESK_DEPTH; n > 0; n--)
        html_close(&h, plesk_elements[n - 1]);
    html_newline(&h);
    return out->failed ? err_set(err, EX_OSERR, "out of memory") : 0;
}
