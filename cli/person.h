#ifndef TG_CLI_PERSON_H
#define TG_CLI_PERSON_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"

/*
 * Whether another user may use a file: as root by becoming that user in a child and trying, else by
 * the permission bits of the path's components (which know nothing of ACLs or security modules).
 */

struct person {
    char name[64];
    uid_t uid;
    gid_t gid;
    gid_t groups[64];
    int group_count;
};

/* -1: no such user. */
int person_find(const char *name, struct person *out, struct err *err) TG_MUST_USE;

enum person_want { ACCESS_CONNECT, ACCESS_WRITE_DIR };

/* 0, or -1 with what bars the way: EX_NOPERM with the component of the path and its mode, or
 * another code with the system's word (nobody listens there, for one). */
int person_access(const struct person *p, const char *path, enum person_want want,
                  struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
