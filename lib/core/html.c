#include "lib/core/html.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/core/err.h"
#include "lib/core/format.h"

#define TEXT_BYTES 1024 /* of one html_textf, with its NUL */

void html_init(struct html *h, struct buf *out)
{
    *h = (struct html){.out = out};
}

/* In capitals, as XML wants it; HTML takes both. */
void html_doctype(struct html *h)
{
    buf_add_str(h->out, "<!DOCTYPE html>\n");
}

/* --- escaping -------------------------------------------------------------------------------- */

static const char *reference_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* U+FFFE and U+FFFF are UTF-8, but no characters of XML (1.0, 2.2). */
static const char *no_character(struct slice s)
{
    if (slice_starts(s, SLICE("\xef\xbf\xbe")))
        return "\\ufffe";
    return slice_starts(s, SLICE("\xef\xbf\xbf")) ? "\\uffff" : NULL;
}

/* Special characters are ASCII, so no run between two of them begins or ends within another
 * character. */
static void add_escaped(struct buf *b, struct slice text)
{
    size_t start = 0;

    for (size_t i = 0; i < text.len; i++) {
        const char *reference = reference_of(text.ptr[i]);
        const char *shown = reference != NULL ? reference : no_character(slice_from(text, i));

        if (shown == NULL)
            continue;
        format_text(b, slice_from(slice_to(text, i), start));
        buf_add_str(b, shown);
        start = i + (reference != NULL ? 1 : 3);
        i = start - 1;
    }
    format_text(b, slice_from(text, start));
}

/* --- elements -------------------------------------------------------------------------------- */

/* HTML, "void elements": they have no end. */
static bool is_empty(const char *element)
{
    static const char *const names[] = {"br", "col", "hr", "img", "input", "link", "meta", "wbr"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(element, names[i]) == 0)
            return true;
    }
    return false;
}

static void end_tag(struct html *h)
{
    if (h->in_tag)
        buf_add_char(h->out, '>');
    h->in_tag = false;
}

void html_open(struct html *h, const char *element)
{
    TG_ASSERT(h->depth < HTML_DEPTH);
    end_tag(h);
    buf_add_char(h->out, '<');
    buf_add_str(h->out, element);
    h->open[h->depth++] = element;
    h->in_tag = true;
}

void html_close(struct html *h, const char *element)
{
    TG_ASSERT(h->depth > 0 && strcmp(h->open[h->depth - 1], element) == 0);
    h->depth--;
    if (is_empty(element)) {
        TG_ASSERT(h->in_tag);
        buf_add_str(h->out, "/>");
        h->in_tag = false;
        return;
    }
    end_tag(h);
    buf_add_str(h->out, "</");
    buf_add_str(h->out, element);
    buf_add_char(h->out, '>');
}

void html_element(struct html *h, const char *element, struct slice text)
{
    html_open(h, element);
    html_text(h, text);
    html_close(h, element);
}

void html_element_class(struct html *h, const char *element, const char *class_name,
                        struct slice text)
{
    html_open(h, element);
    html_attr(h, "class", slice_str(class_name));
    html_text(h, text);
    html_close(h, element);
}

/* --- attributes ------------------------------------------------------------------------------ */

static void begin_value(struct html *h, const char *name)
{
    TG_ASSERT(h->in_tag);
    buf_add_char(h->out, ' ');
    buf_add_str(h->out, name);
    buf_add_str(h->out, "=\"");
}

void html_attr(struct html *h, const char *name, struct slice value)
{
    begin_value(h, name);
    add_escaped(h->out, value);
    buf_add_char(h->out, '"');
}

void html_attr_number(struct html *h, const char *name, int64_t value)
{
    begin_value(h, name);
    buf_addf(h->out, "%" PRId64 "\"", value);
}

void html_attr_tenths(struct html *h, const char *name, int64_t tenths)
{
    uint64_t size = tenths < 0 ? -(uint64_t)tenths : (uint64_t)tenths;

    begin_value(h, name);
    buf_addf(h->out, "%s%" PRIu64, tenths < 0 ? "-" : "", size / 10);
    if (size % 10 != 0)
        buf_addf(h->out, ".%" PRIu64, size % 10);
    buf_add_char(h->out, '"');
}

void html_attr_flag(struct html *h, const char *name, bool set)
{
    if (set)
        html_attr(h, name, SLICE(""));
}

/* A browser reads "\" as "/", and "//host" as another site. */
static bool is_own(struct slice url)
{
    if (url.len == 0 || memchr("/?#", url.ptr[0], 3) == NULL)
        return false;
    return url.ptr[0] != '/' || url.len == 1 || (url.ptr[1] != '/' && url.ptr[1] != '\\');
}

void html_attr_url(struct html *h, const char *name, struct slice url)
{
    html_attr(h, name, is_own(url) ? url : SLICE("#"));
}

/* --- texts ----------------------------------------------------------------------------------- */

void html_text(struct html *h, struct slice text)
{
    end_tag(h);
    add_escaped(h->out, text);
}

void html_textf(struct html *h, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list ap;
    int len;

    va_start(ap, format);
    len = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (len < 0 || (size_t)len >= sizeof text)
        h->out->failed = true;
    else
        html_text(h, (struct slice){text, (size_t)len});
}

void html_newline(struct html *h)
{
    end_tag(h);
    buf_add_char(h->out, '\n');
}

void html_style_sheet(struct html *h, struct slice css)
{
    TG_ASSERT(slice_find(css, '<') < 0 && slice_find(css, '&') < 0);
    html_open(h, "style");
    end_tag(h);
    buf_add(h->out, css);
    html_close(h, "style");
}

/* --- addresses ------------------------------------------------------------------------------- */

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static void add_percent(struct buf *url, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (is_unreserved(text.ptr[i]))
            buf_add_char(url, text.ptr[i]);
        else
            buf_addf(url, "%%%02X", (unsigned)(unsigned char)text.ptr[i]);
    }
}

/* "." and ".." are steps in a path, encoded or not; no domain, user or queue id is one. */
void html_url_segment(struct buf *url, struct slice segment)
{
    bool step = slice_equal(segment, SLICE(".")) || slice_equal(segment, SLICE(".."));

    buf_add_char(url, '/');
    add_percent(url, step ? SLICE("-") : segment);
}

void html_url_query(struct buf *url, const char *name, struct slice value)
{
    bool later = slice_find(buf_slice(url), '?') >= 0;

    buf_add_char(url, later ? '&' : '?');
    buf_add_str(url, name);
    buf_add_char(url, '=');
    add_percent(url, value);
}
