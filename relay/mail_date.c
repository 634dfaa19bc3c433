#include "relay/mail_date.h"

#include <time.h>

void mail_date_add(struct buf *out, int64_t ms)
{
    time_t when = (time_t)(ms / 1000);
    struct tm tm;
    char text[64];

    (void)localtime_r(&when, &tm);
    if (strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S %z", &tm) > 0)
        buf_add_str(out, text);
}
