/* Addresses out of header fields: RFC 5322 3.4 with the obsolete forms, as far as finding the first
 * one goes. */
#include <string.h>
#include <sysexits.h>

#include "lib/core/address.h"

struct header_scan {
    struct slice in;
    size_t at;
    char text[ADDRESS_MAX_BYTES]; /* the candidate, without comments and folding white space */
    size_t len;
    bool too_long;
    bool in_angle;
    bool after_blank, two_words; /* "Cron Daemon" is a name, no address */
    bool no_memory;
};

static void candidate_reset(struct header_scan *h)
{
    h->len = 0;
    h->too_long = h->in_angle = h->after_blank = h->two_words = false;
}

static void candidate_add(struct header_scan *h, char c)
{
    if (h->len == sizeof h->text) {
        h->too_long = true;
        return;
    }
    if (h->after_blank && h->len > 0 && strchr("@.", c) == NULL &&
        strchr("@.", h->text[h->len - 1]) == NULL)
        h->two_words = true;
    h->after_blank = false;
    h->text[h->len++] = c;
}

static bool candidate_take(struct header_scan *h, struct arena *arena, struct address *out)
{
    struct err err = {.code = 0};

    if (h->len == 0 || h->too_long || h->two_words)
        return false;
    if (address_parse((struct slice){h->text, h->len}, arena, out, &err) == 0)
        return !address_is_null(out);
    h->no_memory = h->no_memory || err.code == EX_OSERR;
    *out = (struct address){SLICE_NONE, SLICE_NONE};
    return false;
}

/* Comments nest, and have backslash pairs. */
static void comment_skip(struct header_scan *h)
{
    size_t depth = 1;

    while (h->at < h->in.len && depth > 0) {
        char c = h->in.ptr[h->at++];

        if (c == '\\' && h->at < h->in.len)
            h->at++;
        else if (c == '(')
            depth++;
        else if (c == ')')
            depth--;
    }
}

/* Copies a quoted string or a domain literal up to its end, backslash pairs as they are. */
static void enclosed_copy(struct header_scan *h, char open, char close)
{
    candidate_add(h, open);
    while (h->at < h->in.len) {
        char c = h->in.ptr[h->at++];

        if (c == '\r' || c == '\n')
            continue;
        candidate_add(h, c);
        if (c == close)
            return;
        if (c == '\\' && h->at < h->in.len)
            candidate_add(h, h->in.ptr[h->at++]);
    }
}

/* What ends a candidate: true, an address was found. */
static bool special_take(struct header_scan *h, char c, struct arena *arena, struct address *out)
{
    bool found = c != '<' && c != ':' && candidate_take(h, arena, out);

    candidate_reset(h);
    h->in_angle = c == '<';
    return found;
}

static bool is_special(const struct header_scan *h, char c)
{
    return c == '<' || c == '>' || c == ';' || (!h->in_angle && (c == ':' || c == ','));
}

int address_parse_header(struct slice value, struct arena *arena, struct address *out)
{
    struct header_scan h = {.in = value};

    *out = (struct address){SLICE_NONE, SLICE_NONE};
    while (h.at < h.in.len) {
        char c = h.in.ptr[h.at++];

        if (is_special(&h, c)) {
            if (special_take(&h, c, arena, out))
                return 0;
        } else if (c == '(')
            comment_skip(&h);
        else if (c == '"')
            enclosed_copy(&h, '"', '"');
        else if (c == '[')
            enclosed_copy(&h, '[', ']');
        else if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            h.after_blank = true;
        else
            candidate_add(&h, c);
    }
    (void)candidate_take(&h, arena, out);
    return h.no_memory ? -1 : 0;
}
