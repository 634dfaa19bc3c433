#ifndef TG_CORE_HEADER_FACTS_H
#define TG_CORE_HEADER_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/address.h"
#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/hosted.h"
#include "lib/core/slice.h"

/*
 * What the header of a message says that matters here: where it was delivered before (for
 * redirects), who wrote it, its priority, and whether a filter took it for spam. Start with all
 * zero; give it each field as it goes by, topmost first.
 *
 * Owner: the arena given; at most four addresses are kept, however many and long the fields are.
 */

enum priority { PRIORITY_NORMAL, PRIORITY_HIGH, PRIORITY_LOW, PRIORITY_BULK };

enum header_address {
    HEADER_DELIVERED_TO,
    HEADER_ORIGINAL_TO,
    HEADER_RESENT_FROM,
    HEADER_FROM,
    HEADER_ADDRESSES
};

struct header_facts {
    struct address
        address[HEADER_ADDRESSES]; /* of the topmost field of each name; null: it has none */
    bool has[HEADER_ADDRESSES];    /* such a field was there */
    bool bulk;                     /* Precedence: bulk, list or junk; or a List-Id */
    uint8_t rank_source; /* which field gave the rank: X-Priority 4, Importance 3, Priority 2,
                            X-MSMail-Priority 1 */
    enum priority rank;
    bool spam;
};

/* Takes one field into account; name and value as they came (folded, blanks around). -1: the
 * arena's cap is reached. */
int header_facts_add(struct header_facts *h, const struct hosted *w, struct arena *arena,
                     struct slice name, struct slice value) TG_NONNULL(1);
/* Bulk beats the rank. */
enum priority header_facts_priority(const struct header_facts *h) TG_NONNULL(1);
const char *header_facts_priority_name(enum priority p);

#endif
