#ifndef TG_WEB_STATIC_FILES_H
#define TG_WEB_STATIC_FILES_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/* The files that pages name, compiled in. Their address holds their hash (/static/HASH/NAME), so
 * that a browser may keep them for a year and still has the right ones after an upgrade. */

#define STATIC_FILES_URL 128
/* Of a file that there is. */
struct slice static_files_url(const char *name, char room[STATIC_FILES_URL]) TG_NONNULL(1, 2);
/* /static/HASH/NAME: EX_NOUSER for another hash or name. */
int static_files_answer(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
