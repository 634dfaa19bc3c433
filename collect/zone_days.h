#ifndef TG_COLLECT_ZONE_DAYS_H
#define TG_COLLECT_ZONE_DAYS_H

#include <stdint.h>

/*
 * Days from 1970-01-01 to that day of the Gregorian calendar, and the year of such a day.
 */
int64_t zone_days(int64_t year, int month, int day);
int64_t zone_year(int64_t days);

#endif
