#include <inttypes.h>

#include "lib/core/format.h"
#include "lib/core/render_svg_work.h"

struct svg_unit {
    double worth;
    const char *name;
};

#define K 1024.0
static const struct svg_unit bytes[] = {{1, " B"},
                                        {K, " KB"},
                                        {K * K, " MB"},
                                        {K * K * K, " GB"},
                                        {K * K * K * K, " TB"},
                                        {K * K * K * K * K, " PB"},
                                        {K * K * K * K * K * K, " EB"}};
static const struct svg_unit counts[] = {{1, ""},     {1e4, "k"},  {1e6, "M"}, {1e9, "G"},
                                         {1e12, "T"}, {1e15, "P"}, {1e18, "E"}};
static const struct svg_unit seconds[] = {{1, " s"}, {60, " min"}, {3600, " h"}};

#define UNITS(list) list, sizeof(list) / sizeof((list)[0])

/* The largest unit that the value reaches. */
static struct svg_unit unit_of(double value, const struct svg_unit *units, size_t count)
{
    struct svg_unit found = units[0];

    for (size_t i = 1; i < count; i++) {
        if (value >= units[i].worth)
            found = units[i];
    }
    return found;
}

/* Thousands begin at 10,000: "5,000" is as short as "5k". */
static struct svg_unit count_unit(double value)
{
    struct svg_unit unit = unit_of(value, UNITS(counts));

    if (unit.name[0] == 'k')
        unit.worth = 1e3;
    return unit;
}

static struct svg_unit choose(const struct report_column *column, double most)
{
    struct svg_unit unit;

    if (column->kind == COLUMN_SUM && column->unit == UNIT_BYTES)
        return unit_of(most, UNITS(bytes));
    if (column->kind == COLUMN_SUM && column->unit == UNIT_SECONDS)
        return unit_of(most, UNITS(seconds));
    if (column->kind == COLUMN_SUM)
        return count_unit(most);
    unit = count_unit(most / (double)REPORT_MILLION);
    unit.worth *= (double)REPORT_MILLION;
    return unit;
}

/* 1, 2, 5, 10, 20, 50 ... */
static uint64_t next_round(uint64_t n)
{
    uint64_t power = 1;

    while (n / power >= 10)
        power *= 10;
    return n / power == 2 ? 5 * power : n / power * 2 * power;
}

void render_svg_scale(const struct report_column *column, uint64_t most, unsigned most_steps,
                      struct svg_scale *out)
{
    struct svg_unit unit = choose(column, (double)most);
    bool whole = column->kind == COLUMN_SUM && unit.worth == 1; /* nobody has half a message */
    uint64_t tenths = whole ? 10 : 1;
    double wanted = (double)most * 10 / unit.worth;

    while ((double)tenths * most_steps < wanted)
        tenths = next_round(tenths);
    *out = (struct svg_scale){.unit = unit.worth, .tenths = tenths, .count = 1, .name = unit.name};
    while ((double)tenths * out->count < wanted)
        out->count++;
}

double render_svg_scale_top(const struct svg_scale *s)
{
    return s->unit / 10 * (double)s->tenths * s->count;
}

void render_svg_scale_label(const struct svg_scale *s, unsigned i, struct buf *b)
{
    uint64_t tenths = s->tenths * i;

    format_count(b, tenths / 10);
    if (tenths % 10 != 0)
        buf_addf(b, ".%" PRIu64, tenths % 10);
    if (i > 0)
        buf_add_str(b, s->name);
}
