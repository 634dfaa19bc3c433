#ifndef TG_CORE_CLASSIFY_LEGS_H
#define TG_CORE_CLASSIFY_LEGS_H

#include "lib/core/classify_work.h"
#include "lib/core/contract.h"

/* What a message makes besides its recipients: mail that forwarders pass on, and copies that the
 * MTA adds. Each makes one decision, like `sample`, for each address outside; what stays on this
 * server adds nothing. For the files of classify alone. */

/* The targets of that hosted address, if it is a forwarder. */
void classify_legs_forward(struct classify_work *k, const struct address *from,
                           const struct decision *sample) TG_NONNULL(1, 2, 3);
/* The copy of the mail to, or from, that address, or what its hosted target passes on. The MTA
 * sends one copy of a message to the same target, however many recipients have it. */
void classify_legs_copy(struct classify_work *k, enum hosted_copy kind, const struct address *of,
                        const struct decision *sample) TG_NONNULL(1, 3, 4);

#endif
