#ifndef TG_CORE_ROUND_UP_H
#define TG_CORE_ROUND_UP_H

#include <stdint.h>

/* Round numbers, as people choose them for a limit: 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a
 * power of ten. */

/* The smallest round whole number of at least n and 1; UINT64_MAX where there is none. */
uint64_t round_up_count(uint64_t n);
/* The same in B, KB, MB, GB or TB (of 1024), by the size of n. */
uint64_t round_up_bytes(uint64_t n);

#endif
