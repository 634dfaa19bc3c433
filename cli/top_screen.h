#ifndef TG_CLI_TOP_SCREEN_H
#define TG_CLI_TOP_SCREEN_H

#include "cli/top_data.h"
#include "lib/core/contract.h"

/* The picture of `tollgate top`, as lines of text. `rows`: of the terminal; 0: as many as it takes
 * for ten of each. */
void top_screen(const struct top_data *d, const struct render_style *style, unsigned rows,
                int64_t now_s, struct arena *arena, struct buf *b) TG_NONNULL(1);

#endif
