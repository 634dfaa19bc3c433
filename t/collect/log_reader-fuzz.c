/* Any bytes as a log: each line is read or refused, the same with the reader's state saved before
 * it, and the machines count the same with their book saved. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collect/dovecot.h"
#include "collect/filters.h"
#include "collect/log_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1795899600000)
#define DAY (INT64_C(24) * 3600 * 1000)

static uint64_t counted;

static void count(void *to, int64_t time_ms, const struct payer *payer, enum counter id,
                  uint64_t amount)
{
    (void)to;
    TG_ASSERT(time_ms <= NOW + DAY && amount > 0 && id < COUNTER_COUNT);
    TG_ASSERT(payer->domain.len > 0 || payer->user.len == 0);
    counted += amount;
}

static bool same_line(const struct log_line *a, const struct log_line *b)
{
    return a->time_ms == b->time_ms && slice_equal(a->host, b->host) &&
           slice_equal(a->tag, b->tag) && slice_equal(a->service, b->service) &&
           slice_equal(a->text, b->text) && a->daemon == b->daemon && a->pid == b->pid &&
           a->times == b->times;
}

static void line_check(struct log_reader *r, const struct log_setup *setup, struct machine *m,
                       struct slice line)
{
    static const struct read_time_bounds bounds = {NOW, NOW};
    struct log_reading first, again;
    struct log_reader other;
    struct buf state;
    bool is_read;

    buf_init(&state, 100);
    log_reader_encode(r, &state);
    log_reader_init(&other, setup, 0);
    TG_ASSERT(log_reader_decode(&other, buf_slice(&state)));
    is_read = log_reader_read(r, line, &bounds, &first);
    TG_ASSERT(log_reader_read(&other, line, &bounds, &again) == is_read);
    if (is_read && !first.is_silent) {
        TG_ASSERT(same_line(&first.line, &again.line) && first.line.time_ms <= NOW + DAY);
        TG_ASSERT(first.line.times > 0 && first.line.pid >= -1);
        (void)dovecot_line(m, &first.line);
        (void)filters_line(m, &first.line);
    }
    log_reader_fini(&other);
    buf_fini(&state);
}

static void book_check(struct machine *m)
{
    struct open_book *copy = open_new();
    struct open_entry *at = NULL;
    struct open_change change;

    dovecot_types(copy);
    filters_types(copy);
    while (open_change_next(m->open, &at, &change) == 1)
        TG_ASSERT(change.is_gone || open_restore(copy, &change));
    TG_ASSERT(open_count(copy, OPEN_DOVECOT) == open_count(m->open, OPEN_DOVECOT));
    open_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct slice names[] = {{"postfix", 7}};
    static const struct machine_list list = {names, 1};
    static const struct sink sink = {.count = count};
    const struct log_setup setup = {&list, NULL};
    struct machine_rules rules = {.spam_service = size % 3, .dovecot_proxy = size % 2 == 1};
    struct slice rest = {(const char *)data, size}, line;
    struct hosted *hosted = hosted_new((size_t)1 << 20);
    struct owners owners;
    struct machine m = {.rules = &rules, .owners = &owners, .sink = &sink, .open = open_new()};
    struct log_reader reader;

    TG_ASSERT(hosted_add_domain(hosted, SLICE("host.test"), SLICE_NONE, NULL) == 0);
    hosted->users = true;
    owners_init(&owners, hosted);
    dovecot_types(m.open);
    filters_types(m.open);
    log_reader_init(&reader, &setup, 0);
    while (slice_cut(&rest, '\n', &line))
        line_check(&reader, &setup, &m, line);
    dovecot_tick(&m, NOW);
    book_check(&m);
    log_reader_fini(&reader);
    open_free(m.open);
    owners_fini(&owners);
    hosted_free(hosted);
    return 0;
}
