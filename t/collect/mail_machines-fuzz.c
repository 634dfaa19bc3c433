/* Any bytes as a log: no machine is upset by it, and what is open can be saved and brought back. */
#include <stdint.h>
#include <string.h>

#include "collect/log_reader.h"
#include "collect/mail_machines.h"
#include "lib/core/err.h"
#include "lib/core/mail_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *to, int64_t time_ms, const struct payer *payer, enum counter id,
                  uint64_t amount)
{
    (void)to;
    (void)time_ms;
    TG_ASSERT(id < COUNTER_COUNT && amount > 0);
    TG_ASSERT(payer->domain.len > 0 || payer->user.len == 0);
}

static void gap(void *to, const struct gap *gap)
{
    (void)to;
    TG_ASSERT(gap->from_ms <= gap->to_ms);
}

static void refusal(void *to, const struct refusal *r)
{
    (void)to;
    TG_ASSERT(r->text.len <= 400 && r->list.len < 128);
}

static void message(void *to, struct slice queue_id, int64_t first_ms, int64_t last_ms,
                    struct slice trace)
{
    struct mail_trace_reader r;
    struct mail_trace_head head;
    struct mail_event e;
    int rc;

    (void)to;
    TG_ASSERT(queue_id.len > 0 && first_ms <= last_ms);
    TG_ASSERT(mail_trace_open(&r, trace, &head, NULL) == 0);
    while ((rc = mail_trace_next(&r, &e, NULL)) == 1)
        ;
    TG_ASSERT(rc == 0);
}

/* Another book, of all that has changed since the last time. */
static void save(struct machine *m)
{
    struct open_book *other = open_new();
    struct open_entry *at = NULL;
    struct open_change c;

    TG_ASSERT(other != NULL);
    mail_machines_types(other);
    while (open_change_next(m->open, &at, &c) == 1)
        TG_ASSERT(c.is_gone || open_restore(other, &c));
    open_saved(m->open);
    open_free(other);
}

static void lines_feed(struct machine *m, struct slice rest)
{
    static struct slice names[] = {{"postfix", 7}};
    static const struct machine_list list = {names, 1};
    const struct log_setup setup = {&list, NULL};
    const struct read_time_bounds bounds = {INT64_C(1796083199000), INT64_C(1796083199000)};
    struct log_reader reader;
    struct log_reading reading;
    struct slice line;
    int lines = 0;

    log_reader_init(&reader, &setup, 0);
    while (slice_cut(&rest, '\n', &line)) {
        if (!log_reader_read(&reader, line, &bounds, &reading) || reading.is_silent)
            continue;
        (void)mail_machines_line(m, &reading.line);
        if (++lines % 3 == 0)
            save(m);
    }
    log_reader_fini(&reader);
    mail_machines_tick(m, INT64_C(1797083199000));
    save(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sink sink = {
        .count = count, .gap = gap, .refusal = refusal, .message = message};
    struct machine_rules rules = {.spam_service = SPAM_SPAMD};
    struct hosted *hosted = hosted_new((size_t)1 << 20);
    struct owners owners;
    struct machine m = {.rules = &rules, .owners = &owners, .sink = &sink, .open = open_new()};

    TG_ASSERT(hosted_add_domain(hosted, SLICE("host.test"), SLICE_NONE, NULL) == 0 &&
              hosted_add_network(hosted, &hosted->host, SLICE("127.0.0.0/8"), NULL) == 0);
    hosted->users = true;
    owners_init(&owners, hosted);
    mail_machines_types(m.open);
    lines_feed(&m, (struct slice){(const char *)data, size});
    TG_ASSERT(open_count(m.open, OPEN_GONE) == 0 && open_count(m.open, OPEN_SMTP_OUT) == 0);
    open_free(m.open);
    owners_fini(&owners);
    hosted_free(hosted);
    return 0;
}
