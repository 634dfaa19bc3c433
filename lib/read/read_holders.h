#ifndef TG_READ_READ_HOLDERS_H
#define TG_READ_READ_HOLDERS_H

#include "lib/core/contract.h"
#include "lib/read/read.h"

/*
 * Who had a plan or an override set at run time, now or once: domains, "@customer:4711", "@server",
 * "@client", as the index of changes has them (tg:changed; without nodes). What was written past
 * `tollgate` is there within ten minutes.
 *
 * Owner: the arena given.  Errors: those of read.h.
 */

int read_holders_changed(struct reader *r, struct arena *arena, struct name_list *out,
                         struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);

#endif
