#ifndef TG_CORE_CLASSIFY_WORK_H
#define TG_CORE_CLASSIFY_WORK_H

#include "lib/core/classify.h"

/* Classification in the making: shared by the files of classify, of no use to others. */

struct work {
    const struct facts *facts;
    const struct world *world;
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
};

/* The address with the default domain, where it has none. */
struct address work_qualified(const struct work *k, const struct address *a);
bool work_hosted(struct work *k, struct slice domain, struct slice *account);
/* A new decision at the end, never NULL. */
struct decision *work_decision(struct work *k);

/* Adds one decision, made after `sample`, for each target of that hosted address that is not
 * hosted: through other forwarders up to FORWARD_LEVELS deep, each address once. */
#define FORWARD_LEVELS 10
void forwarders_expand(struct work *k, const struct address *from, const struct decision *sample);

#endif
