#include "cli/range.h"

#include "lib/read/read_report.h"
#include "lib/sys/clock.h"

int range_parse(const struct cli *cli, struct range *r, const char *from, const char *to,
                bool hours, struct err *err)
{
    struct range_words words = {.from = slice_str(from),
                                .to = slice_str(to),
                                .from_name = "--from",
                                .to_name = "--to",
                                .hours = hours};

    r->time = read_report_time(cli->settings, (time_t)(clock_unix_ms() / 1000));
    return read_range_parse(r, &words, err);
}
