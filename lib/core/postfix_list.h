#ifndef TG_CORE_POSTFIX_LIST_H
#define TG_CORE_POSTFIX_LIST_H

#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * The lists that main.cf is made of, as `postconf -x` prints them: names, /files and type:tables,
 * separated by commas or blanks, where what stands in braces is one piece. Pure; the slices point
 * into the list.
 */

enum postfix_item_kind {
    POSTFIX_NAME,  /* a domain */
    POSTFIX_FILE,  /* /path: more items, out of that file */
    POSTFIX_TABLE, /* type:name */
};

struct postfix_item {
    enum postfix_item_kind kind;
    bool negated;    /* !item: no match */
    bool listable;   /* POSTFIX_TABLE: `postmap -s` can give all of it; else it can only be asked */
    bool is_pattern; /* POSTFIX_TABLE: asked for whole addresses only (regexp_table(5)) */
    struct slice text; /* without ! and proxy:, whose service only Postfix itself may talk to */
    struct slice path; /* of a listable table's file; empty: none */
};

/* The next item; false at the end. */
bool postfix_list_next(struct slice *rest, struct postfix_item *item) TG_NONNULL(1);

/* `name = value`, a line of postconf's output. */
bool postfix_list_setting(struct slice line, struct slice *name, struct slice *value);

#endif
