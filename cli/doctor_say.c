/* tollgate doctor: how a finding is written. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/doctor.h"
#include "lib/core/format.h"

#define INDENT 9 /* of all lines but a finding's first */

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
TG_PRINTF(3, 0)
static void put_format(const struct doctor *d, size_t used, const char *format, va_list ap)
{
    char text[4096];
    struct buf clean;

    (void)vsnprintf(text, sizeof text, format, ap);
    buf_init(&clean, sizeof text * 2);
    format_text(&clean, slice_str(text));
    put_text(d, used, buf_slice(&clean));
    buf_fini(&clean);
}

void doctor_say(struct doctor *d, enum verdict verdict, const char *what, const char *format, ...)
{
    static const char *const words[] = {"ok", "warn", "fail", "unknown"};
    static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m", "\033[33m"};
    va_list ap;

    d->counts[verdict]++;
    (void)printf("%s%-7s%s  %s: ", d->colour ? colours[verdict] : "", words[verdict],
                 d->colour ? "\033[0m" : "", what);
    va_start(ap, format);
    put_format(d, INDENT + strlen(what) + 2, format, ap);
    va_end(ap);
}

void doctor_fix(const struct doctor *d, const char *format, ...)
{
    va_list ap;

    (void)printf("%*sfix: ", INDENT, "");
    va_start(ap, format);
    put_format(d, INDENT + strlen("fix: "), format, ap);
    va_end(ap);
}
