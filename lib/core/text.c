#include "lib/core/text.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "lib/core/format.h"

#define MINUTE_S 60
#define HOUR_S   3600
#define DAY_S    86400
#define WIDTH    78

static bool local(int64_t unix_s, struct tm *tm)
{
    time_t t = (time_t)unix_s;

    return localtime_r(&t, tm) != NULL;
}

void text_time(struct buf *b, int64_t unix_s)
{
    char text[64] = "?";
    struct tm tm;

    if (local(unix_s, &tm))
        (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    buf_add_str(b, text);
}

void text_time_exact(struct buf *b, int64_t unix_s)
{
    char text[64] = "", zone[8] = "";
    struct tm tm;

    if (local(unix_s, &tm)) {
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
        (void)strftime(zone, sizeof zone, "%z", &tm); /* +0100 */
        buf_addf(b, "%s%.3s:%s", text, zone, zone + 3);
    }
}

void text_clock(struct buf *b, int64_t unix_s, int64_t now_s)
{
    char text[64] = "?";
    struct tm then, now;
    bool good = local(unix_s, &then) && local(now_s, &now);
    bool near = unix_s < now_s + DAY_S / 2 && unix_s > now_s - DAY_S / 2;

    if (good && (near || (then.tm_yday == now.tm_yday && then.tm_year == now.tm_year)))
        (void)strftime(text, sizeof text, "%H:%M", &then);
    else if (good)
        (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M", &then);
    buf_add_str(b, text);
}

static void add_two(struct buf *b, int64_t n, int64_t unit, const char *large, const char *small)
{
    buf_addf(b, "%" PRId64 "%s", n / unit, large);
    if (n % unit != 0)
        buf_addf(b, " %" PRId64 "%s", n % unit, small);
}

void text_duration(struct buf *b, int64_t seconds)
{
    int64_t minutes = (seconds + MINUTE_S - 1) / MINUTE_S;

    if (seconds < MINUTE_S)
        buf_addf(b, "%" PRId64 "s", seconds < 0 ? 0 : seconds);
    else if (minutes < HOUR_S / MINUTE_S)
        buf_addf(b, "%" PRId64 "min", minutes);
    else if (minutes < DAY_S / MINUTE_S)
        add_two(b, minutes, HOUR_S / MINUTE_S, "h", "min");
    else
        add_two(b, (seconds + HOUR_S - 1) / HOUR_S, DAY_S / HOUR_S, "d", "h");
}

/* format_bytes pads the unit of small ones for tables. */
static void add_bytes(struct buf *b, uint64_t n)
{
    if (n < 1000)
        buf_addf(b, "%" PRIu64 " B", n);
    else
        format_bytes(b, n);
}

void text_amount(struct buf *b, enum limit_metric metric, uint64_t n)
{
    if (n == LIMIT_UNLIMITED)
        buf_add_str(b, "unlimited");
    else if (metric == METRIC_BYTES)
        add_bytes(b, n);
    else
        format_count(b, n);
}

void text_compact(struct buf *b, enum limit_metric metric, uint64_t n)
{
    size_t start = b->len;

    if (metric != METRIC_BYTES || n < 1000) {
        buf_addf(b, "%" PRIu64, n);
        return;
    }
    format_bytes(b, n); /* 9.8 GB: the blank and the B go */
    if (!b->failed && b->len > start + 3) {
        b->data[b->len - 3] = b->data[b->len - 2];
        b->len -= 2;
        b->data[b->len] = '\0';
    }
}

void text_limit(struct buf *b, const struct limit *l)
{
    text_amount(b, l->metric, l->max);
    if (l->metric != METRIC_BYTES || l->max == LIMIT_UNLIMITED)
        buf_addf(b, " %s", limit_metric_name(l->metric));
    buf_addf(b, " per %.*s", SLICE_FMT(l->per));
}

const char *text_stopped(enum limit_action action)
{
    static const char *const words[] = {[ACTION_LOG] = "accepted and logged",
                                        [ACTION_HOLD] = "held",
                                        [ACTION_DEFER] = "deferred",
                                        [ACTION_REJECT] = "refused"};

    return words[action];
}

void text_wrap(struct buf *b, size_t indent, bool bullet, size_t width, struct slice text)
{
    struct slice word;
    size_t used;

    width = width == 0 ? WIDTH : width;
    format_fill(b, " ", indent);
    buf_add_str(b, bullet ? "- " : "");
    indent += bullet ? 2 : 0;
    used = indent;
    while (slice_word(&text, " \n", &word)) {
        size_t wide = format_width(word);

        if (used > indent && used + 1 + wide > width) {
            buf_add_char(b, '\n');
            format_fill(b, " ", indent);
            used = indent;
        }
        if (used > indent) {
            buf_add_char(b, ' ');
            used++;
        }
        format_text(b, word);
        used += wide;
    }
    buf_add_char(b, '\n');
}

void text_entry(struct buf *b, struct slice name, size_t column, size_t width, struct slice text)
{
    size_t start = b->len;

    text_wrap(b, column, false, width, text);
    if (!b->failed)
        memcpy(b->data + start, name.ptr, name.len);
}

void text_bar(struct buf *b, uint64_t percent, size_t width, bool utf8)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    uint64_t parts = (percent < 100 ? percent : 100) * width * 8 / 100;
    size_t whole = (size_t)(parts / 8), used = whole;

    if (percent > 0 && parts == 0)
        parts = 1;
    format_fill(b, utf8 ? "█" : "#", whole);
    if (utf8 && parts % 8 != 0) {
        buf_add_str(b, eighths[parts % 8]);
        used++;
    }
    format_fill(b, utf8 ? " " : ".", width - used);
}
