#include "lib/ledger/in_doubt.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/sys/log.h"

#define IN_DOUBT_MAX 16384

static int note(struct ledger *l, const struct in_doubt *d, struct err *err)
{
    log_event(LOG_WARNING, "message in doubt",
              LOG_TEXT("qid", d->queue_id.len > 0 ? d->queue_id : SLICE("unknown")),
              LOG_NUM("number", d->number), LOG_STR("counted", "yes"));
    return ledger_in_doubt_add(l, d, err);
}

/* Reads what the journal still has of them; numbers found are set to 0. A held message is not in
 * doubt: it counts when it is released, and one that the MTA does not hold is forgotten then. A
 * journal that cannot be read is reported by lib/ledger/folding. */
static int note_found(struct ledger *l, const char *dir, uint64_t *numbers, size_t count,
                      struct err *err)
{
    struct err ignored;
    struct journal_reader *reader =
        journal_reader_open(dir, (struct journal_position){0}, &ignored);
    struct record r;
    size_t at = 0;
    int rc = 0;

    while (reader != NULL && rc == 0 && at < count &&
           journal_reader_next(reader, &r, &ignored) == 1) {
        while (at < count && numbers[at] < r.number)
            at++;
        if (at == count || numbers[at] != r.number)
            continue;
        if (r.kind == RECORD_MESSAGE)
            rc = note(l, &(struct in_doubt){r.number, r.queue_id, r.time_ms}, err);
        numbers[at++] = 0;
    }
    journal_reader_close(reader);
    return rc;
}

static int note_all(struct ledger *l, struct journal *journal, const char *dir, uint64_t *numbers,
                    size_t count, struct err *err)
{
    uint64_t next_number;

    (void)journal_now(journal, &next_number);
    if (note_found(l, dir, numbers, count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        /* A number that was never written: the MTA got no answer for that message. */
        if (numbers[i] == 0 || numbers[i] >= next_number)
            continue;
        if (note(l, &(struct in_doubt){numbers[i], SLICE_NONE, 0}, err) < 0)
            return -1;
    }
    return 0;
}

int in_doubt_note(struct ledger *ledger, struct journal *journal, const char *journal_dir,
                  struct err *err)
{
    uint64_t *numbers = calloc(IN_DOUBT_MAX, sizeof *numbers);
    size_t count;
    int rc;

    if (numbers == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    count = journal_in_doubt(journal, numbers, IN_DOUBT_MAX);
    if (count > IN_DOUBT_MAX)
        count = IN_DOUBT_MAX;
    rc = count == 0 ? 0 : ledger_begin(ledger, err);
    if (rc == 0 && count > 0)
        rc = note_all(ledger, journal, journal_dir, numbers, count, err);
    if (rc == 0 && count > 0)
        rc = ledger_commit(ledger, err);
    if (rc < 0)
        ledger_rollback(ledger);
    else if (count > 0 && ledger_sync(ledger, err) >= 0)
        journal_in_doubt_forget(journal);
    free(numbers);
    return rc;
}
