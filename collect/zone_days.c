#include "collect/zone_days.h"

/* Years begin in March, so that the leap day is their last. */
int64_t zone_days(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year, era = (y >= 0 ? y : y - 399) / 400,
            of_era = y - era * 400,
            of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int64_t zone_year(int64_t days)
{
    int64_t year = 1970 + days * 400 / 146097;

    while (zone_days(year, 1, 1) > days)
        year--;
    while (zone_days(year + 1, 1, 1) <= days)
        year++;
    return year;
}
