#include "collect/zone_load.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/core/buf.h"
#include "lib/sys/clock.h"
#include "lib/sys/files.h"

#define FILE_BYTES ((size_t)1 << 20)
#define MACHINE    "/etc/localtime"

static int read_zone(const char *path, struct zone **zone, struct err *err)
{
    struct buf bytes;
    int got;

    buf_init(&bytes, FILE_BYTES);
    got = file_read(path, &bytes, err);
    if (got == 0) {
        *zone = zone_new(buf_slice(&bytes), err);
        got = *zone != NULL ? 0 : err_prefix(err, "%s", path);
    }
    buf_fini(&bytes);
    return got;
}

int zone_load(const char *name, struct zone **zone, struct err *err)
{
    char path[512];

    *zone = NULL;
    if (name[0] == '\0')
        return access(MACHINE, F_OK) == 0 ? read_zone(MACHINE, zone, err) : 0;
    if (clock_zone_check(name, err) != 0)
        return -1;
    if (strcmp(name, "UTC") == 0)
        return 0;
    (void)snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
    return read_zone(path, zone, err);
}
