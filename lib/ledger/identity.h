#ifndef TG_LEDGER_IDENTITY_H
#define TG_LEDGER_IDENTITY_H

#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * Who this run of the program is, for lib/ledger/learn: a random number, and its place: the boot of
 * the machine and the directory that holds the ledger. A run at the same place cannot be alive any
 * more, since this one holds the directory's lock. Where the kernel's boot id cannot be read
 * (ProcSubset=pid), machine id and time of boot stand for it.
 */

struct identity {
    char run[17];   /* 16 hex digits */
    char place[17]; /* the same; empty where the directory cannot be looked at */
    char host[65];
};

int identity_read(const char *state_dir, struct identity *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
/* A new run at the same place. */
int identity_renew(struct identity *id, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
