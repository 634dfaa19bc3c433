#ifndef TG_T_LEDGER_CHANGES_FIXTURE_H
#define TG_T_LEDGER_CHANGES_FIXTURE_H

#include "lib/ledger/changes.h"
#include "t/ledger/push_fixture.h"

/* Two nodes of one store, whose copies of what was set at run time and of violations are compared.
 */

static struct node one, two;

static void nodes_open(void)
{
    node_open(&one, "one.db", "mx1", SCRUB_MS);
    node_open(&two, "two.db", "mx2", SCRUB_MS);
}

static void nodes_remove(void)
{
    node_remove(&one);
    node_remove(&two);
}

/* As a node that has just started: a walk. */
static void sync_one(struct node *n)
{
    struct changes *c = changes_new("tg", n->ledger, n->store, &err);
    int rc;

    must(c == NULL, "changes_new");
    while ((rc = changes_step(c, &err)) > 0)
        ;
    must(rc, "changes_step");
    changes_free(c);
}

#endif
