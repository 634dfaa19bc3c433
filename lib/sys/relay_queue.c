#include "lib/sys/relay_queue.h"

#include <stdio.h>
#include <unistd.h>

void relay_queue_dir(const struct settings *s, char *path, size_t room)
{
    if (s->relay.queue_dir[0] == '\0')
        (void)snprintf(path, room, "%s/relay/queue", s->state_dir);
    else
        (void)snprintf(path, room, "%s", s->relay.queue_dir);
}

bool relay_queue_exists(const struct settings *s)
{
    char dir[512], lock[600];

    relay_queue_dir(s, dir, sizeof dir);
    (void)snprintf(lock, sizeof lock, "%s/lock", dir);
    return access(lock, F_OK) == 0;
}
