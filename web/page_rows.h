#ifndef TG_WEB_PAGE_ROWS_H
#define TG_WEB_PAGE_ROWS_H

#include "lib/core/contract.h"
#include "lib/core/html.h"
#include "lib/sys/table.h"

/* A table of cells (lib/sys/table), as the command shows it, as part of a page. Columns in which
 * nothing stands are left out. */
void page_rows(struct html *h, const char *id, const char *caption, const struct table *t)
    TG_NONNULL(1, 2, 3, 4);

#endif
