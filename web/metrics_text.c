#include "web/metrics_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- which form ------------------------------------------------------------------------------ */

const char *metrics_text_type(enum metrics_form form)
{
    return form == METRICS_OPENMETRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

/* "0.75" in thousandths; 1000 for what is no weight. */
static unsigned weight(struct slice text)
{
    unsigned value = 0, digit = 1000;

    if (text.len == 0 || (text.ptr[0] != '0' && text.ptr[0] != '1'))
        return 1000;
    for (size_t i = 0; i < text.len && i < 5; i++) {
        if (i == 1)
            continue;
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            break;
        value += (unsigned)(text.ptr[i] - '0') * digit;
        digit /= 10;
    }
    return value > 1000 ? 1000 : value;
}

/* A media range with its parameters: its weight, and whether it is one of a version that we write.
 */
static unsigned range_weight(struct slice parameters, const char *version)
{
    struct slice one, name;
    unsigned found = 1000;

    while (slice_cut(&parameters, ';', &one)) {
        one = slice_trim(one);
        if (!slice_cut(&one, '=', &name))
            continue;
        if (slice_equal_nocase(slice_trim(name), SLICE("q")))
            found = weight(slice_trim(one));
        if (slice_equal_nocase(slice_trim(name), SLICE("version")) &&
            !slice_equal(slice_trim(one), slice_str(version)))
            return 0;
    }
    return found;
}

enum metrics_form metrics_text_accepted(struct slice accept)
{
    unsigned open = 0, plain = 0;
    struct slice range, type;

    while (slice_cut(&accept, ',', &range)) {
        unsigned w;

        if (!slice_cut(&range, ';', &type))
            continue;
        type = slice_trim(type);
        if (slice_equal_nocase(type, SLICE("application/openmetrics-text"))) {
            w = range_weight(range, "1.0.0");
            open = w > open ? w : open;
        } else if (slice_equal_nocase(type, SLICE("text/plain")) ||
                   slice_equal_nocase(type, SLICE("text/*"))) {
            w = range_weight(range, "0.0.4");
            plain = w > plain ? w : plain;
        }
    }
    return open > 0 && open >= plain ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
}

/* --- writing --------------------------------------------------------------------------------- */

static void escape(struct buf *out, struct slice text, bool is_label)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\n') {
            buf_add_str(out, "\\n");
        } else {
            if (text.ptr[i] == '\\' || (is_label && text.ptr[i] == '"'))
                buf_add_char(out, '\\');
            buf_add_char(out, text.ptr[i]);
        }
    }
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), part = strlen(end);

    return length >= part && strcmp(text + length - part, end) == 0;
}

/* "# WORD NAME ", with the name that stands in metadata. */
static void metadata(struct metrics_text *t, const char *word)
{
    bool is_cut = t->form == METRICS_OPENMETRICS && t->type == METRICS_INFO;
    bool is_total = t->form == METRICS_PROMETHEUS && t->type == METRICS_COUNTER;

    buf_addf(t->out, "# %s %.*s%s ", word, (int)(strlen(t->name) - (is_cut ? strlen("_info") : 0)),
             t->name, is_total ? "_total" : "");
}

static const char *type_name(const struct metrics_text *t)
{
    static const char *const names[] = {[METRICS_COUNTER] = "counter",
                                        [METRICS_GAUGE] = "gauge",
                                        [METRICS_INFO] = "info",
                                        [METRICS_HISTOGRAM] = "histogram"};

    return t->form == METRICS_PROMETHEUS && t->type == METRICS_INFO ? "gauge" : names[t->type];
}

void metrics_text_family(struct metrics_text *t, const char *name, enum metrics_type type,
                         const char *help)
{
    t->name = name;
    t->type = type;
    t->help = help;
}

static void begin(struct metrics_text *t)
{
    static const char *const units[] = {"_seconds", "_bytes"};

    metadata(t, "HELP");
    escape(t->out, slice_str(t->help), t->form == METRICS_OPENMETRICS);
    buf_add_char(t->out, '\n');
    metadata(t, "TYPE");
    buf_addf(t->out, "%s\n", type_name(t));
    for (size_t i = 0; t->form == METRICS_OPENMETRICS && i < 2; i++) {
        if (!ends_with(t->name, units[i]))
            continue;
        metadata(t, "UNIT");
        buf_addf(t->out, "%s\n", units[i] + 1);
    }
    t->help = NULL;
}

void metrics_text_sample_as(struct metrics_text *t, const char *suffix,
                            const struct metrics_label *labels, size_t label_count,
                            const char *value)
{
    if (t->help != NULL)
        begin(t);
    if (suffix == NULL)
        suffix = t->type == METRICS_COUNTER ? "_total" : "";
    buf_addf(t->out, "%s%s", t->name, suffix);
    for (size_t i = 0; i < label_count; i++) {
        buf_addf(t->out, "%s%s=\"", i == 0 ? "{" : ",", labels[i].name);
        escape(t->out, labels[i].value, true);
        buf_add_char(t->out, '"');
    }
    buf_addf(t->out, "%s %s\n", label_count > 0 ? "}" : "", value);
}

void metrics_text_sample(struct metrics_text *t, const char *suffix,
                         const struct metrics_label *labels, size_t label_count, uint64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    metrics_text_sample_as(t, suffix, labels, label_count, text);
}

void metrics_text_end(struct metrics_text *t)
{
    if (t->form == METRICS_OPENMETRICS)
        buf_add_str(t->out, "# EOF\n");
}
