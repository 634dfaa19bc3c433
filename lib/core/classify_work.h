#ifndef TG_CORE_CLASSIFY_WORK_H
#define TG_CORE_CLASSIFY_WORK_H

#include "lib/core/classify.h"
#include "lib/core/contract.h"

/* Classification in the making: shared by the files of classify, of no use to others. */

struct classify_work {
    const struct facts *facts;
    const struct hosted *hosted;
    struct answers *answers; /* may be NULL */
    struct arena *arena;
    struct classified *out;
    size_t room;           /* of out->decisions */
    bool dry;              /* only asks: nothing is put into `out` */
    bool open;             /* a question is open */
    bool failed;           /* the arena's cap is reached */
    struct address sender; /* with a domain */
    bool sender_hosted;
    struct slice sender_account;
    bool elsewhere_known;
    struct decision elsewhere; /* what is decided for each recipient that is not hosted */
    struct decision unused;
    struct strmap copied; /* who has had a copy of the MTA's */
};

/* The address with the default domain, where it has none. */
struct address classify_work_qualified(const struct classify_work *k, const struct address *a)
    TG_NONNULL(1);
bool classify_work_hosted(struct classify_work *k, struct slice domain, struct slice *account)
    TG_NONNULL(1);
/* A new decision at the end, never NULL. */
struct decision *classify_work_decision(struct classify_work *k) TG_NONNULL(1);

#endif
