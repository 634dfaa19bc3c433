#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "lib/sys/clock.h"

static void show(void *context, unsigned percent)
{
    struct progress *p = context;
    int64_t now_ms = clock_monotonic_ms();

    if (now_ms < p->next_ms)
        return;
    p->next_ms = now_ms + PROGRESS_EVERY_MS;
    p->is_shown = true;
    (void)fprintf(stderr, "\rtollgate: reading, %u %%", percent);
    (void)fflush(stderr);
}

void progress_start(struct progress *p, struct cli *cli, int64_t began_ms)
{
    *p = (struct progress){.cli = cli, .next_ms = began_ms + PROGRESS_AFTER_MS};
    if (isatty(STDERR_FILENO) != 0)
        cli->reader.progress = (struct read_progress){.show = show, .context = p, .parts = 1};
}

void progress_end(struct progress *p)
{
    p->cli->reader.progress.show = NULL;
    if (p->is_shown)
        (void)fprintf(stderr, "\r\033[K");
    p->is_shown = false;
}
