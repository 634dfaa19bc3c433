#ifndef TG_SYS_DESCRIPTORS_H
#define TG_SYS_DESCRIPTORS_H

#include <stdint.h>
#include <stdio.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * The standard descriptors 0 to 2. A program that is started with one of them closed would get its
 * first file or socket in that place, and what it prints would go there. And how many there may be.
 */

/* Fills the places of closed ones, so that reading or writing them fails (EBADF). For the start of
 * main, before anything else is opened. */
int descriptors_open(struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Raises the limit of open files as far as the process may. What it is now; 0: unknown. */
uint64_t descriptors_raise(void);

/* For the end of main: closes stdout. The exit code, or EX_IOERR if the output could not be
 * written, which is then reported on `complaints`; a code of EX_IOERR has been reported. */
int descriptors_finish(const char *program, int code, FILE *complaints) TG_NONNULL(1, 3);

#endif
