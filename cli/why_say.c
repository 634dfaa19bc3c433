#include <stdarg.h>
#include <stdio.h>

#include "cli/why.h"
#include "lib/core/text.h"

#define INDENT 2

void why_say_text(struct why *w, struct slice text)
{
    text_wrap(&w->out, INDENT, false, w->style.width, text);
}

void why_say(struct why *w, const char *format, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    why_say_text(w, slice_str(text));
}
