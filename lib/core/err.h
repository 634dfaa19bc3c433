#ifndef TG_CORE_ERR_H
#define TG_CORE_ERR_H

#include "lib/core/contract.h"

/*
 * What went wrong, for a person: filled in by the function that fails, owned by the caller, logged
 * once by the floor that decides. The text says what is wrong, where, and the fix.
 *
 * Threads: no shared state.  Limits: longer texts are cut.
 */

struct err {
    int code; /* a sysexits(3) code: EX_CONFIG, EX_UNAVAILABLE, EX_OSERR ... ; 0: no error */
    char text[512];
};

/* Fills *e (which may be NULL) and returns -1, so that a caller can `return err_set(...)`. */
int err_set(struct err *e, int code, const char *format, ...) TG_PRINTF(3, 4);

/* Puts "context: " before the text there is; returns -1. */
int err_prefix(struct err *e, const char *format, ...) TG_PRINTF(2, 3);

/* A broken invariant is a bug: says where and aborts, in releases too. */
#define TG_ASSERT(x) ((x) ? (void)0 : err_bug(__FILE__, __LINE__, #x))
void err_bug(const char *file, int line, const char *what) TG_NORETURN;

#endif
