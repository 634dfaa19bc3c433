#ifndef TG_CORE_SRS_H
#define TG_CORE_SRS_H

#include "lib/core/slice.h"

/*
 * Sender Rewriting Scheme: a forwarder that puts its own domain into MAIL FROM keeps the first
 * sender in the local part, `SRS0=hash=day=domain=user`, and a second forwarder
 * `SRS1=hash=host==hash=day=domain=user`. The separator after SRS0 and SRS1 is `=`, `+` or `-`;
 * case does not matter, since some MTAs fold it.
 */

/* Is this local part such an address? `srs0-fan`, without the fields behind, is not. */
bool srs_is(struct slice local);

/* Bounce Address Tag Validation and its like: the local part within `prvs=TAG=user`,
 * `msprvs1=TAG=user` or `btv1==TAG==user`; any other local part as it is. */
struct slice srs_untagged(struct slice local);

#endif
