#ifndef TG_SYS_CLOCK_H
#define TG_SYS_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"

/* The only place that reads the clocks. Units in the names. */

int64_t clock_unix_ms(void);      /* wall clock */
int64_t clock_monotonic_ms(void); /* for deadlines */
int64_t clock_monotonic_us(void);
void clock_sleep_ms(int64_t ms);
void clock_sleep_us(int64_t us);

/* -1 for a time zone that the system does not know. */
int clock_zone_check(const char *name, struct err *err) TG_MUST_USE;
/* Sets the process's time zone, once, before threads start. -1 for a zone that the system does not
 * know. */
int clock_zone_set(const char *name, struct err *err) TG_MUST_USE;

#endif
