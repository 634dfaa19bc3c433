/* tollgate doctor: how a finding is written. */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/doctor.h"
#include "lib/core/format.h"
#include "lib/sys/json.h"

#define INDENT       9 /* of all lines but a finding's first */
#define TEXT_BYTES   4096
#define REPORT_BYTES ((size_t)16 << 20)

static size_t word_len(struct slice rest)
{
    size_t len = 0;

    while (len < rest.len && rest.ptr[len] != ' ')
        len++;
    return len;
}

/* Writes the text behind `used` columns, broken between words to fit the terminal. */
static void put_text(const struct doctor *d, size_t used, struct slice text)
{
    while (text.len > 0) {
        struct slice word = slice_to(text, word_len(text));

        if (d->width > 0 && used + format_width(word) > d->width && used > INDENT) {
            (void)printf("\n%*s", INDENT, "");
            used = INDENT;
        }
        used += format_width(word) + 1;
        text = slice_from(text, word.len + 1);
        (void)printf("%.*s%s", SLICE_FMT(word), text.len > 0 ? " " : "");
    }
    (void)putchar('\n');
}

/* Texts of the store, Postfix or a file may hold anything. */
static void put_clean(const struct doctor *d, size_t used, const char *text)
{
    struct buf clean;

    buf_init(&clean, TEXT_BYTES * 12);
    format_text(&clean, slice_str(text));
    put_text(d, used, buf_slice(&clean));
    buf_fini(&clean);
}

static const char *const words[] = {"ok", "warn", "fail", "unknown"};

static void put_finding(const struct doctor *d, enum verdict verdict, const char *what,
                        const char *text)
{
    static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m", "\033[33m"};

    (void)printf("%s%-7s%s  %s: ", d->colour ? colours[verdict] : "", words[verdict],
                 d->colour ? "\033[0m" : "", what);
    put_clean(d, INDENT + strlen(what) + 2, text);
}

static json_t *last_finding(const struct doctor *d)
{
    return json_array_get(d->findings, json_array_size(d->findings) - 1);
}

void doctor_say(struct doctor *d, enum verdict verdict, const char *what, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    d->counts[verdict]++;
    if (d->findings == NULL)
        put_finding(d, verdict, what, text);
    else
        (void)json_array_append_new(
            d->findings, json_pack("{s:s,s:s,s:o,s:n,s:[]}", "verdict", words[verdict], "subject",
                                   what, "text", json_text(slice_str(text)), "fix", "details"));
}

void doctor_fix(const struct doctor *d, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (d->findings != NULL) {
        (void)json_object_set_new(last_finding(d), "fix", json_text(slice_str(text)));
        return;
    }
    (void)printf("%*sfix: ", INDENT, "");
    put_clean(d, INDENT + strlen("fix: "), text);
}

void doctor_detail(const struct doctor *d, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (d->findings != NULL) {
        (void)json_array_append_new(json_object_get(last_finding(d), "details"),
                                    json_text(slice_str(text)));
        return;
    }
    (void)printf("%*s", INDENT, "");
    put_clean(d, INDENT, text);
}

static void put_json(const struct doctor *d, struct buf *b)
{
    json_t *o = json_object();

    (void)json_object_set(o, "findings", d->findings);
    for (size_t i = 0; i < DOCTOR_VERDICTS; i++)
        (void)json_object_set_new(o, words[i], json_integer(d->counts[i]));
    cli_add_json(b, o);
}

int doctor_finish(const struct doctor *d)
{
    struct buf b;
    int code;

    buf_init(&b, REPORT_BYTES);
    if (d->findings != NULL)
        put_json(d, &b);
    else
        buf_addf(&b, "\n%u ok, %u warn, %u fail, %u unknown\n", d->counts[DOCTOR_OK],
                 d->counts[DOCTOR_WARN], d->counts[DOCTOR_FAIL], d->counts[DOCTOR_UNKNOWN]);
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}
