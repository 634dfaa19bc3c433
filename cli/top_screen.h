#ifndef TG_CLI_TOP_SCREEN_H
#define TG_CLI_TOP_SCREEN_H

#include "cli/top_data.h"
#include "lib/core/contract.h"

/* The picture of `tollgate top`, as lines of text. `rows`: of the terminal; 0: as many as it takes
 * for ten of each. */
void top_screen(const struct top_data *d, const struct render_style *style, unsigned rows,
                int64_t now_s, struct arena *arena, struct buf *b) TG_NONNULL(1);

#define TOP_JSON_ROWS 1000

/* The same as one line of JSON, an object: time, error (null, or why the store cannot be read, and
 * then nothing follows), mode, nodes, accounts, server, and at most TOP_JSON_ROWS senders and
 * limits, and the violations. Of a reading that has rates. */
void top_json(const struct top_data *d, const struct err *err, int64_t now_s, struct arena *arena,
              struct buf *b) TG_NONNULL(1, 2, 4, 5);

#endif
