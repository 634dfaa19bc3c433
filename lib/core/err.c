#include "lib/core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int err_set(struct err *e, int code, const char *format, ...)
{
    va_list ap;

    if (e == NULL)
        return -1;
    e->code = code;
    va_start(ap, format);
    (void)vsnprintf(e->text, sizeof e->text, format, ap);
    va_end(ap);
    return -1;
}

int err_prefix(struct err *e, const char *format, ...)
{
    char old[sizeof e->text];
    va_list ap;
    size_t used;

    if (e == NULL)
        return -1;
    memcpy(old, e->text, sizeof old);
    va_start(ap, format);
    (void)vsnprintf(e->text, sizeof e->text, format, ap);
    va_end(ap);
    used = strlen(e->text);
    (void)snprintf(e->text + used, sizeof e->text - used, ": %s", old);
    return -1;
}

void err_bug(const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "%s:%d: broken invariant: %s (please report this)\n", file, line, what);
    abort();
}
