#include "lib/sys/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void fault_add(struct faults *f, const char *file, size_t line, const char *format, ...)
{
    char what[sizeof f->err->text];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(what, sizeof what, format, ap);
    va_end(ap);
    if (f->count++ == 0)
        (void)err_set(f->err, f->code, "%s:%zu: %s", file, line, what);
    if (f->out != NULL)
        (void)fprintf(f->out, "%s:%zu: %s\n", file, line, what);
}

void faults_end(struct faults *f)
{
    size_t used;

    if (f->count < 2 || f->err == NULL)
        return;
    used = strlen(f->err->text);
    (void)snprintf(f->err->text + used, sizeof f->err->text - used, " (and %zu more fault%s)",
                   f->count - 1, f->count == 2 ? "" : "s");
}
