#include "collect/feed.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"

#define LOOK_LINES 1000 /* between two looks at when the file was written */
#define DELAY_MS   1000 /* a line may be written so long after the time that it bears */
#define TEXT_BYTES ((size_t)1 << 20)
#define FILE_WORD  "file:"
#define FITS_MS    10000 /* journalctl may need some time for its first entry */

void feed_init(struct feed *f, const struct feed_setup *setup, const char *name, unsigned index)
{
    *f = (struct feed){.setup = setup, .name = name, .index = index};
    log_reader_init(&f->reader, setup->log, index);
}

void feed_fini(struct feed *f)
{
    follow_close(f->follow);
    log_reader_fini(&f->reader);
}

const char *feed_path(const char *name)
{
    size_t len = strlen(FILE_WORD);

    return strncmp(name, FILE_WORD, len) == 0 ? name + len : name;
}

/* --- loading and saving ------------------------------------------------------------------------
 */

static int start(struct feed *f, const struct follow_position *at, struct err *err)
{
    struct follow_options options = {
        .mode = f->setup->mode,
        .from = f->setup->since_ms != 0 || f->setup->mode != FOLLOW_LIVE ? FOLLOW_FROM_START
                                                                         : FOLLOW_FROM_END,
        .since_ms = f->setup->since_ms};

    f->follow = follow_open(feed_path(f->name), &options, at, err);
    return f->follow == NULL ? -1 : 0;
}

static int start_at(struct feed *f, const struct collect_source *saved, struct err *err)
{
    struct follow_position at;

    if (follow_position_decode(&at, saved->position, err) < 0)
        return err_prefix(err, "%s", f->name);
    f->from_ms = saved->from_ms;
    f->to_ms = saved->to_ms;
    if (saved->reader.len > 0)
        (void)log_reader_decode(&f->reader, saved->reader);
    return start(f, &at, err);
}

static int start_new(struct feed *f, int64_t now_ms, struct err *err)
{
    f->is_new = true;
    f->from_ms = f->setup->since_ms;
    if (f->from_ms == 0 && f->setup->mode == FOLLOW_LIVE)
        f->from_ms = now_ms;
    f->to_ms = f->from_ms;
    return start(f, NULL, err);
}

int feed_load(struct feed *f, struct collect_db *db, int64_t now_ms, struct err *err)
{
    const struct feed_setup *setup = f->setup;
    struct collect_source saved;
    const char *name = f->name;
    unsigned index = f->index;
    int found = collect_db_source(db, slice_str(name), &saved, err);

    if (found < 0)
        return -1;
    feed_fini(f);
    feed_init(f, setup, name, index);
    return found == 1 ? start_at(f, &saved, err) : start_new(f, now_ms, err);
}

/* The hole that no line has ended yet is noted as one that ends now; later its end is set. */
static int gap_save(struct feed *f, struct collect_db *db, struct err *err)
{
    if (f->has_gap && f->gap_number == 0 &&
        collect_db_gap_add(db,
                           &(struct collect_gap){0, slice_str(f->name), f->gap.from_ms,
                                                 f->gap.to_ms, f->gap.lost, f->gap.reason},
                           &f->gap_number, err) < 0)
        return -1;
    if (f->gap_end_ms == 0)
        return 0;
    if (collect_db_gap_end(db, f->gap_number, f->gap_end_ms, err) < 0)
        return -1;
    f->gap_number = f->gap_end_ms = 0;
    return 0;
}

static int position_add(struct feed *f, struct buf *out, struct err *err)
{
    struct follow_position at;

    follow_position(f->follow, &at);
    follow_position_encode(&at, out);
    return out->failed ? err_set(err, EX_OSERR, "out of memory for a log's position") : 0;
}

int feed_save(struct feed *f, struct collect_db *db, struct err *err)
{
    struct buf position, reader;
    int rc;

    buf_init(&position, TEXT_BYTES);
    buf_init(&reader, TEXT_BYTES);
    rc = position_add(f, &position, err);
    log_reader_encode(&f->reader, &reader);
    if (rc == 0 && reader.failed)
        rc = err_set(err, EX_OSERR, "out of memory for a log's position");
    if (rc == 0)
        rc = gap_save(f, db, err);
    if (rc == 0)
        rc = collect_db_source_set(
            db,
            &(struct collect_source){slice_str(f->name), buf_slice(&position), buf_slice(&reader),
                                     f->from_ms, f->to_ms},
            err);
    buf_fini(&position);
    buf_fini(&reader);
    if (rc == 0)
        f->is_new = false;
    return rc;
}

/* --- lines -------------------------------------------------------------------------------------
 */

static void look_at_end(struct feed *f, int64_t now_ms)
{
    struct follow_position at;

    if (f->until_look-- > 0)
        return;
    f->until_look = LOOK_LINES;
    f->end_ms = now_ms;
    follow_position(f->follow, &at);
    if (at.cursor[0] == '\0' && at.written_ns > 0)
        f->end_ms = at.written_ns / 1000000;
}

static void gap_open(struct feed *f, const struct gap *found, int64_t now_ms)
{
    f->until_look = 0;
    if (f->has_gap) {
        f->gap.lost += found->lost;
        return;
    }
    (void)snprintf(f->reason, sizeof f->reason, "%.*s", SLICE_FMT(found->reason));
    f->has_gap = true;
    f->gap = (struct gap){.source = f->index,
                          .from_ms = f->last_ms > 0 ? f->last_ms : f->to_ms,
                          .to_ms = now_ms,
                          .lost = found->lost,
                          .reason = slice_str(f->reason)};
    if (f->gap.from_ms == 0 || f->gap.from_ms > now_ms)
        f->gap.from_ms = now_ms;
}

/* A hole that the line itself tells of is one that ends with it, too. */
static void gap_close(struct feed *f, struct feed_line *out)
{
    const struct log_reading *r = &out->reading;
    int64_t time_ms = r->line.time_ms;

    out->has_gap = false;
    if (r->is_hole)
        gap_open(f, &(struct gap){.lost = r->lost, .reason = r->reason}, time_ms);
    if (!f->has_gap)
        return;
    f->has_gap = false;
    if (f->gap_number != 0) {
        f->gap_end_ms = time_ms;
        return;
    }
    out->has_gap = true;
    out->gap = f->gap;
    out->gap.to_ms = time_ms > f->gap.from_ms ? time_ms : f->gap.from_ms;
}

static void take(struct feed *f, int64_t now_ms, struct feed_line *out)
{
    struct read_time_bounds bounds;

    look_at_end(f, now_ms);
    bounds = (struct read_time_bounds){.now_ms = now_ms, .end_ms = f->end_ms};
    out->has_gap = false;
    out->is_read = log_reader_read(&f->reader, out->bytes, &bounds, &out->reading);
    if (!out->is_read || out->reading.is_silent)
        return;
    gap_close(f, out);
    f->last_ms = out->reading.line.time_ms;
    if (f->from_ms == 0)
        f->from_ms = f->last_ms;
    if (f->last_ms > f->to_ms)
        f->to_ms = f->last_ms;
}

/* Nothing more is there now, so the log is read up to now. */
static void caught_up(struct feed *f, int64_t now_ms)
{
    if (f->from_ms == 0)
        f->from_ms = now_ms - DELAY_MS;
    if (f->to_ms < now_ms - DELAY_MS)
        f->to_ms = now_ms - DELAY_MS;
}

enum feed_result feed_next(struct feed *f, int64_t now_ms, struct feed_line *out)
{
    struct gap gap = {.source = f->index};

    f->has_failed = false;
    while (!f->is_ended && !f->is_stopped) {
        switch (follow_next(f->follow, clock_monotonic_ms(), &out->bytes, &gap, &f->err)) {
        case FOLLOW_LINE:
            take(f, now_ms, out);
            return FEED_LINE;
        case FOLLOW_GAP:
            gap_open(f, &gap, now_ms);
            break;
        case FOLLOW_NOTHING:
            caught_up(f, now_ms);
            return FEED_NOTHING;
        case FOLLOW_END:
            f->is_ended = true;
            caught_up(f, now_ms);
            break;
        case FOLLOW_ERROR:
            f->has_failed = true;
            return FEED_NOTHING;
        }
    }
    return FEED_NOTHING;
}

int feed_fd(const struct feed *f)
{
    return f->is_ended || f->is_stopped ? -1 : follow_fd(f->follow);
}

/* --- claims ------------------------------------------------------------------------------------
 */

static void hex_add(struct buf *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        buf_addf(out, "%02x", (unsigned)(unsigned char)bytes.ptr[i]);
}

/* Names may have blanks and any byte, so both parts are in hexadecimal. */
int feed_claim(struct feed *f, struct buf *out, struct err *err)
{
    struct buf position;
    int rc;

    buf_init(&position, TEXT_BYTES);
    rc = position_add(f, &position, err);
    if (rc == 0) {
        hex_add(out, slice_str(f->name));
        buf_add_char(out, ' ');
        hex_add(out, buf_slice(&position));
        buf_add_char(out, '\n');
    }
    buf_fini(&position);
    return rc;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hex_read(struct slice hex, struct buf *out)
{
    for (size_t i = 0; i + 1 < hex.len; i += 2) {
        int high = digit(hex.ptr[i]), low = digit(hex.ptr[i + 1]);

        if (high < 0 || low < 0)
            return false;
        buf_add_char(out, (char)(high << 4 | low));
    }
    return hex.len % 2 == 0 && !out->failed;
}

bool feed_claimed(struct slice claims, struct slice name, struct buf *out)
{
    struct slice line, word;
    bool found = false;
    struct buf text;

    buf_init(&text, TEXT_BYTES);
    while (!found && slice_cut(&claims, '\n', &line)) {
        buf_reset(&text);
        found = slice_cut(&line, ' ', &word) && hex_read(word, &text) &&
                slice_equal(buf_slice(&text), name) && hex_read(line, out);
    }
    buf_fini(&text);
    return found;
}

/* Where it cannot be told, it is taken: reading finds a hole then, while from another place it
 * could count twice. */
bool feed_fits(const char *name, struct slice position)
{
    struct follow_position at;

    return follow_position_decode(&at, position, NULL) == 0 &&
           follow_fits(feed_path(name), &at, clock_monotonic_ms() + FITS_MS, NULL) != 0;
}
