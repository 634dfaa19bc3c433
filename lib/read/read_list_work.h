#ifndef TG_READ_READ_LIST_WORK_H
#define TG_READ_READ_LIST_WORK_H

#include "lib/core/contract.h"
#include "lib/read/read_list.h"

/* The parts of read_list. */

int read_list_refusals(struct reader *r, const struct list_question *q, struct arena *arena,
                       struct list_report *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 4, 5);
bool read_list_refusals_text(const struct table *t, size_t row, struct buf *b) TG_NONNULL(1, 3);
int read_list_anomalies(struct reader *r, const struct list_question *q, struct arena *arena,
                        struct list_report *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 4, 5);

#endif
