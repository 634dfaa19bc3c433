#ifndef TG_CORE_HTML_H
#define TG_CORE_HTML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"

/*
 * A writer of HTML and SVG. The name of a function says how it treats a text;
 * there is none that takes markup, so no name, address or header can become any.
 *
 *   html_open(&h, "a");
 *   html_attr(&h, "class", SLICE("domain"));
 *   html_attr_url(&h, "href", url);
 *   html_text(&h, name);
 *   html_close(&h, "a");
 *
 * Names of elements and attributes are literals of the program. Texts and values may hold any
 * bytes: `& < > " '` become references; controls, marks of direction and bytes that are no UTF-8
 * are shown as format_text shows them. What is written is HTML and well-formed XML alike: empty
 * elements end in "/>".  Pure; the caller looks at the builder's `failed`.
 *
 * A call out of place (an attribute behind a text, an end that does not belong to the element that
 * is open) is a bug and aborts.
 */

#define HTML_DEPTH 32

struct html {
    struct buf *out; /* borrowed */
    const char *open[HTML_DEPTH];
    size_t depth;
    bool in_tag; /* attributes may follow */
};

void html_init(struct html *h, struct buf *out) TG_NONNULL(1, 2);
void html_doctype(struct html *h) TG_NONNULL(1);

void html_open(struct html *h, const char *element) TG_NONNULL(1, 2);
void html_close(struct html *h, const char *element) TG_NONNULL(1, 2);
/* An element with that text and nothing else. */
void html_element(struct html *h, const char *element, struct slice text) TG_NONNULL(1, 2);
/* The same with a class. */
void html_element_class(struct html *h, const char *element, const char *class_name,
                        struct slice text) TG_NONNULL(1, 2, 3);

/* Right behind html_open. */
void html_attr(struct html *h, const char *name, struct slice value) TG_NONNULL(1, 2);
void html_attr_number(struct html *h, const char *name, int64_t value) TG_NONNULL(1, 2);
/* A length in tenths, as SVG has them: 125 is written 12.5. */
void html_attr_tenths(struct html *h, const char *name, int64_t tenths) TG_NONNULL(1, 2);
/* checked, selected, hidden: nothing is written where it is not set. */
void html_attr_flag(struct html *h, const char *name, bool set) TG_NONNULL(1, 2);
/* href, src, action: a path of this site ("/r/smtp"), "?..." or "#...". "#" is
 * written for any other address, so that no link runs a script or leads elsewhere. */
void html_attr_url(struct html *h, const char *name, struct slice url) TG_NONNULL(1, 2);

void html_text(struct html *h, struct slice text) TG_NONNULL(1);
/* What printf makes of it is a text like any other. Not for names: 1,023 bytes at most, else the
 * builder fails. */
void html_textf(struct html *h, const char *format, ...) TG_PRINTF(2, 3) TG_NONNULL(1, 2);
void html_newline(struct html *h) TG_NONNULL(1);
/* A whole <style> element. The sheet is part of the program: one with "<" or "&" is a bug. */
void html_style_sheet(struct html *h, struct slice css) TG_NONNULL(1);

/* Addresses, built in a buffer: a path, then segments ("/" and the name, percent-encoded), then
 * queries ("?name=value", later ones with "&"; values percent-encoded). RFC 3986 2.3: what is
 * unreserved stays as it is. */
void html_url_segment(struct buf *url, struct slice segment) TG_NONNULL(1);
void html_url_query(struct buf *url, const char *name, struct slice value) TG_NONNULL(1, 2);

#endif
