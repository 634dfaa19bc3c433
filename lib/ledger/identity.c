#include "lib/ledger/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/core/hash.h"
#include "lib/core/slice.h"

#define BOOT_ROUND_S 64 /* the difference of two clocks trembles */

static size_t file_read(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size);

    if (fd >= 0)
        (void)close(fd);
    return n > 0 ? (size_t)n : 0;
}

static void boot_read(char *text, size_t size)
{
    size_t len = file_read("/proc/sys/kernel/random/boot_id", text, size - 1);
    struct timespec now, up;

    if (len == 0) {
        len = file_read("/etc/machine-id", text, size / 2);
        (void)clock_gettime(CLOCK_REALTIME, &now);
        (void)clock_gettime(CLOCK_BOOTTIME, &up);
        len += (size_t)snprintf(text + len, size - len, "%" PRId64,
                                (int64_t)(now.tv_sec - up.tv_sec) / BOOT_ROUND_S);
    }
    text[len] = '\0';
}

int identity_renew(struct identity *id, struct err *err)
{
    uint64_t random;

    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return err_set(err, EX_OSERR, "cannot get random bytes: %s", strerror(errno));
    (void)snprintf(id->run, sizeof id->run, "%016" PRIx64, random);
    return 0;
}

int identity_read(const char *state_dir, struct identity *out, struct err *err)
{
    char boot[128], place[256];
    struct stat st;

    *out = (struct identity){.host = ""};
    if (identity_renew(out, err) < 0)
        return -1;
    if (gethostname(out->host, sizeof out->host - 1) != 0)
        out->host[0] = '\0';
    if (stat(state_dir, &st) != 0)
        return 0;
    boot_read(boot, sizeof boot);
    (void)snprintf(place, sizeof place, "%s %ju %ju", boot, (uintmax_t)st.st_dev,
                   (uintmax_t)st.st_ino);
    (void)snprintf(out->place, sizeof out->place, "%016" PRIx64,
                   hash_add(HASH_BEGIN, slice_str(place)));
    return 0;
}
