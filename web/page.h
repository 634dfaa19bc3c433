#ifndef TG_WEB_PAGE_H
#define TG_WEB_PAGE_H

#include "lib/core/contract.h"
#include "lib/core/html.h"
#include "web/exchange.h"

/*
 * What all pages share: the frame (head, header with the pages that who asks may see, footer),
 * small tables, fields of forms. Classes are those of web/static/tollgate.css.
 */

/* Begins the page up to its heading; the body of the answer is the page's. */
void page_begin(struct exchange *x, struct html *h, const char *title) TG_NONNULL(1, 2, 3);
void page_end(struct exchange *x, struct html *h) TG_NONNULL(1, 2);

/* A form that POSTs to that path, with the session's token; the caller adds fields and closes it.
 */
void page_form_open(struct exchange *x, struct html *h, const char *path, const char *class_name)
    TG_NONNULL(1, 2, 3, 4);
void page_hidden(struct html *h, const char *name, struct slice value) TG_NONNULL(1, 2);
void page_button(struct html *h, const char *class_name, const char *text) TG_NONNULL(1, 2, 3);
void page_link(struct html *h, struct slice url, struct slice text) TG_NONNULL(1);

/* That path of this site; "/" for what is none. */
struct slice page_local_path(struct slice to);

/* A part that a narrow page folds, and a wide one shows; the caller closes the "details". */
void page_fold_open(struct html *h, const char *summary) TG_NONNULL(1, 2);

/* A table in a region that scrolls by itself: heads, then rows of page_cell, then the end. */
struct page_head {
    const char *text;
    bool is_number, is_minor;
};
void page_table_open(struct html *h, const char *id, const char *caption,
                     const struct page_head *heads, size_t count) TG_NONNULL(1, 2, 3, 4);
void page_table_close(struct html *h) TG_NONNULL(1);
void page_cell(struct html *h, const struct page_head *head, struct slice text) TG_NONNULL(1, 2);
void page_cell_link(struct html *h, const struct page_head *head, struct slice url,
                    struct slice text) TG_NONNULL(1, 2);
/* A time, which stays on one line. */
void page_cell_time(struct html *h, const struct page_head *head, int64_t unix_s) TG_NONNULL(1, 2);
/* The first cell of a row, which names it; `url` may be empty. */
void page_cell_name(struct html *h, struct slice url, struct slice text) TG_NONNULL(1);

/* "2026-11-21 13:04:05 CET" in the configured zone; "never" for 0. */
#define PAGE_TIME_ROOM 48
struct slice page_time(int64_t unix_s, char room[PAGE_TIME_ROOM]) TG_NONNULL(2);

#endif
