#include "lib/core/units.h"

#include <inttypes.h>

struct unit {
    /* As they may be written: one, several, as the configuration is printed, another way. */
    const char *one, *several, *printed, *other;
    uint64_t factor;
};

/* Smallest first. */
static const struct unit time_units[] = {
    {"ms", "ms", "ms", "ms", 1},
    {"second", "seconds", "s", "sec", 1000},
    {"min", "min", "min", "minutes", 60 * 1000},
    {"hour", "hours", "h", "h", 3600 * 1000},
    {"day", "days", "days", "d", 86400 * 1000},
};

static const struct unit size_units[] = {
    {"B", "bytes", "B", "b", 1},
    {"K", "kB", "KB", "k", UINT64_C(1) << 10},
    {"M", "mb", "MB", "m", UINT64_C(1) << 20},
    {"G", "gb", "GB", "g", UINT64_C(1) << 30},
    {"T", "tb", "TB", "t", UINT64_C(1) << 40},
};

/* So that the sum of a unit's parts fits: 999 T is below 2^50 times 10^4. */
#define MOST_DECIMALS 4
#define KINDS         ((sizeof time_units) / (sizeof time_units[0]))
_Static_assert(sizeof time_units == sizeof size_units, "both kinds have as many units");

static const struct unit *units_of(enum units_kind kind)
{
    return kind == UNITS_TIME ? time_units : size_units;
}

static bool is_named(const struct unit *unit, struct slice name)
{
    return slice_equal(name, slice_str(unit->one)) || slice_equal(name, slice_str(unit->several)) ||
           slice_equal(name, slice_str(unit->printed)) || slice_equal(name, slice_str(unit->other));
}

uint64_t units_factor(enum units_kind kind, struct slice name)
{
    const struct unit *units = units_of(kind);

    if (name.len == 0)
        return kind == UNITS_SIZE ? 1 : 0;
    for (size_t i = 0; i < KINDS; i++) {
        if (is_named(&units[i], name))
            return units[i].factor;
    }
    return 0;
}

static size_t digits_of(struct slice text, size_t from)
{
    size_t at = from;

    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
        at++;
    return at - from;
}

/* Of "1.5GB" the 5; cut off below the smallest unit. */
static bool fraction_add(struct slice digits, uint64_t factor, int64_t *value)
{
    uint64_t part, scale = 1;

    if (digits.len > MOST_DECIMALS || !slice_number(digits, &part))
        return false;
    for (size_t i = 0; i < digits.len; i++)
        scale *= 10;
    return !__builtin_add_overflow(*value, (int64_t)(part * factor / scale), value);
}

bool units_parse(enum units_kind kind, struct slice text, int64_t *value)
{
    size_t digits = digits_of(text, 0), decimals = 0, end = digits;
    uint64_t n, factor;

    if (digits < text.len && text.ptr[digits] == '.') {
        decimals = digits_of(text, digits + 1);
        end += 1 + decimals;
    }
    if (end == text.len || !slice_number(slice_to(text, digits), &n) || n > INT64_MAX)
        return false;
    factor = units_factor(kind, slice_from(text, end));
    if (factor == 0 || __builtin_mul_overflow((int64_t)n, (int64_t)factor, value))
        return false;
    if (end == digits)
        return true;
    return factor > 1 &&
           fraction_add((struct slice){text.ptr + digits + 1, decimals}, factor, value);
}

/* The largest unit that divides the value; the smallest for 0. */
static const struct unit *largest(enum units_kind kind, uint64_t value)
{
    const struct unit *units = units_of(kind);
    size_t i = value == 0 ? 0 : KINDS - 1;

    while (value % units[i].factor != 0)
        i--;
    return &units[i];
}

/* One day is 24h, as people write it, and sizes end with GB. */
void units_format(enum units_kind kind, struct buf *b, int64_t value)
{
    const struct unit *unit = largest(kind, (uint64_t)value);

    if ((unit == &time_units[KINDS - 1] && (uint64_t)value == unit->factor) ||
        unit == &size_units[KINDS - 1])
        unit--;
    buf_addf(b, "%" PRIu64 "%s", (uint64_t)value / unit->factor, unit->printed);
}

void units_format_window(struct buf *b, uint64_t ms)
{
    const struct unit *unit = largest(UNITS_TIME, ms);

    if (unit == &time_units[1])
        buf_addf(b, "%" PRIu64 "s", ms / unit->factor);
    else if (ms == unit->factor)
        buf_add_str(b, unit->one);
    else
        buf_addf(b, "%" PRIu64 "%s", ms / unit->factor, unit->several);
}
