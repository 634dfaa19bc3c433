#include "lib/ledger/amounts.h"

#include <inttypes.h>
#include <sysexits.h>

#define UNKNOWN_MAX_BYTES 65536

/* Texts written by us are in the table's order: looking on from the last find makes one round of
 * it. */
static int find_from(int start, struct slice name)
{
    for (int i = 0; i < COUNTER_COUNT; i++) {
        int at = (start + i) % COUNTER_COUNT;

        if (slice_equal(name, slice_str(counter_table[at].name)))
            return at;
    }
    return -1;
}

static bool take_pair(struct slice *rest, struct slice *name, uint64_t *amount)
{
    struct slice number;

    return slice_cut(rest, ' ', name) && name->len > 0 && slice_cut(rest, ' ', &number) &&
           slice_number(number, amount) && *amount <= AMOUNT_MAX;
}

/* Known counters are added to *out, unknown pairs to *unknown (which may be NULL). */
static int read_pairs(struct slice text, struct tally *out, struct buf *unknown, struct err *err)
{
    struct slice rest = text, name;
    uint64_t amount;
    int at = 0, found;

    while (rest.len > 0) {
        if (!take_pair(&rest, &name, &amount))
            return err_set(err, EX_DATAERR, "\"%.*s\" is not a list of counters",
                           (int)(text.len < 200 ? text.len : 200), text.ptr);
        found = find_from(at, name);
        if (found >= 0) {
            at = found;
            out->value[found] += amount;
        } else if (unknown != NULL) {
            buf_addf(unknown, " %.*s %" PRIu64, SLICE_FMT(name), amount);
        }
    }
    return 0;
}

int amounts_read(struct slice text, struct tally *out, struct err *err)
{
    return read_pairs(text, out, NULL, err);
}

static int write_known(const struct tally *t, struct buf *out, struct err *err)
{
    const char *blank = "";

    for (int i = 0; i < COUNTER_COUNT; i++) {
        if (t->value[i] > AMOUNT_MAX)
            return err_set(err, EX_DATAERR, "%s %" PRIu64 " is beyond what can be counted exactly",
                           counter_table[i].name, t->value[i]);
        if (t->value[i] == 0)
            continue;
        buf_add_str(out, blank);
        buf_add_str(out, counter_table[i].name);
        buf_add_char(out, ' ');
        buf_add_number(out, t->value[i]);
        blank = " ";
    }
    return 0;
}

static int write_all(const struct tally *known, const struct buf *unknown, struct buf *out,
                     struct err *err)
{
    if (write_known(known, out, err) < 0)
        return -1;
    buf_add(out, out->len == 0 ? slice_from(buf_slice(unknown), 1) : buf_slice(unknown));
    return out->failed || unknown->failed ? err_set(err, EX_OSERR, "out of memory for counters")
                                          : 0;
}

int amounts_sum(struct slice text, const struct tally *more, struct buf *out, struct err *err)
{
    struct tally sum = *more;
    struct buf unknown;
    int rc;

    buf_init(&unknown, UNKNOWN_MAX_BYTES);
    rc = read_pairs(text, &sum, &unknown, err);
    if (rc == 0)
        rc = write_all(&sum, &unknown, out, err);
    buf_fini(&unknown);
    return rc;
}

int amounts_difference(struct slice text, struct slice less, struct buf *out, struct err *err)
{
    struct tally a = {0}, b = {0};

    if (read_pairs(text, &a, NULL, err) < 0 || read_pairs(less, &b, NULL, err) < 0)
        return -1;
    for (int i = 0; i < COUNTER_COUNT; i++) {
        if (b.value[i] > a.value[i])
            return err_set(err, EX_DATAERR, "%s went back from %" PRIu64 " to %" PRIu64,
                           counter_table[i].name, b.value[i], a.value[i]);
        a.value[i] -= b.value[i];
    }
    return write_known(&a, out, err);
}
