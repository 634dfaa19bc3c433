#ifndef TG_CORE_SOCKETMAP_H
#define TG_CORE_SOCKETMAP_H

#include <stddef.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * The socketmap protocol (socketmap_table(5)): a request `name SP key` and a reply `STATUS SP
 * text`, each as a netstring `length:bytes,`.  Pure.
 */

#define SOCKETMAP_REPLY_MAX ((size_t)100000) /* as Postfix has it */

void socketmap_request(struct buf *b, struct slice name, struct slice key) TG_NONNULL(1);

/* Takes one netstring off the front of *s. 1: *out is what it holds, 0: not all of it is there yet,
 * -1: this is none, or one of more than `max` bytes. */
int socketmap_netstring_take(struct slice *s, size_t max, struct slice *out) TG_NONNULL(1);

/* 1: found, *value is set; 0: the map says that it knows no such key; -1: it could not say (TEMP,
 * TIMEOUT, PERM), or this is no reply (EX_UNAVAILABLE): *err has the reason. */
int socketmap_reply(struct slice reply, struct slice *value, struct err *err) TG_MUST_USE;

#endif
