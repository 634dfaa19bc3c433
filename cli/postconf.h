#ifndef TG_CLI_POSTCONF_H
#define TG_CLI_POSTCONF_H

#include <stdbool.h>

#include "cli/doctor.h"
#include "lib/core/contract.h"

/*
 * What main.cf and master.cf set, as postconf prints it.
 * Owner: the doctor's arena.
 */

struct postconf {
    struct slice main;      /* "name = value" lines: `postconf -x` */
    struct slice overrides; /* "service/type/name = value" lines: `postconf -P` */
    struct slice services; /* "service/type/chroot = y" lines: `postconf -F */ /*chroot` */
};

/* -1: postconf could not be run; err->code is EX_UNAVAILABLE where there is no such program. */
int postconf_read(struct doctor *d, struct postconf *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* The value of a "name = value" line, empty where there is none. */
struct slice postconf_value(struct slice lines, const char *name);
/* Steps through lines whose name ends in /NAME (or any, where NULL): *name is all before " = ". */
bool postconf_next(struct slice *rest, const char *ending, struct slice *name, struct slice *value)
    TG_NONNULL(1);

/* A milter of smtpd_milters or non_smtpd_milters. */
struct postconf_milter {
    struct slice where;          /* "unix:tollgate/milter.sock", "inet:127.0.0.1:8888" */
    struct slice default_action; /* of `{ ..., default_action=accept }`; empty: none */
};
/* Takes one off the front; false at the end. */
bool postconf_milter_next(struct slice *rest, struct postconf_milter *out) TG_NONNULL(1);

/* Whom Postfix's daemons run as (mail_owner); NULL where there is no Postfix. */
const char *postconf_user(struct doctor *d) TG_NONNULL(1);

#endif
