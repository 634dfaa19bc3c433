#include "t/sim/sim_change.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t/sim/sim_image.h"

/* A change that is not on the disk yet. */
struct sim_change {
    struct sim_change *next;
    off_t offset; /* -1: cut to `len` */
    size_t len;
    char bytes[];
};

typedef ssize_t (*pwrite_call)(int, const void *, size_t, off_t);
typedef int (*cut_call)(int, off_t);
typedef int (*unlink_call)(const char *);

void sim_file_init(struct sim_file *f, const struct sim_open *o)
{
    *f = (struct sim_file){.image = o->image, .inode = o->inode};
    (void)snprintf(f->path, sizeof f->path, "%s", o->path);
    f->last = &f->first;
    if (f->image != NULL)
        sim_image_hold(f->image);
}

static void changes_free(struct sim_file *f)
{
    while (f->first != NULL) {
        struct sim_change *next = f->first->next;

        free(f->first);
        f->first = next;
    }
    f->last = &f->first;
}

void sim_file_drop(struct sim_file *f)
{
    changes_free(f);
    free(f->synced);
    f->synced = NULL;
    f->synced_len = f->synced_room = 0;
}

void sim_file_fini(struct sim_file *f)
{
    sim_file_drop(f);
    sim_image_release(f->image);
    f->image = NULL;
}

/* Makes it so long; what is new of it is zero. */
static void synced_resize(struct sim_file *f, size_t len)
{
    if (len > f->synced_room || f->synced == NULL) {
        f->synced_room = 2 * len + 1;
        f->synced = realloc(f->synced, f->synced_room);
        if (f->synced == NULL)
            abort();
    }
    if (len > f->synced_len)
        memset(f->synced + f->synced_len, 0, len - f->synced_len);
    f->synced_len = len;
}

static void synced_take(struct sim_file *f, const char *bytes, size_t len)
{
    f->synced_len = 0;
    synced_resize(f, len);
    if (len > 0)
        memcpy(f->synced, bytes, len);
}

static void synced_read(struct sim_file *f, size_t len)
{
    int in = open(f->path, O_RDONLY | O_CLOEXEC);

    f->synced_len = 0;
    synced_resize(f, len);
    if (in >= 0 && pread(in, f->synced, len, 0) != (ssize_t)len)
        abort();
    if (in >= 0)
        (void)close(in);
}

/* Only the first since the last sync matters; a file of another length was opened to be emptied. */
void sim_file_keep(struct sim_file *f, int fd)
{
    struct stat st;

    if (f->first != NULL || (f->image != NULL && f->synced != NULL))
        return;
    if (f->image != NULL)
        synced_take(f, f->image->bytes, f->image->len);
    else if (fstat(fd, &st) == 0 && (f->synced == NULL || f->synced_len != (size_t)st.st_size))
        synced_read(f, (size_t)st.st_size);
}

static void change_add(struct sim_file *f, off_t offset, const void *bytes, size_t len)
{
    struct sim_change *c = malloc(sizeof *c + (bytes != NULL ? len : 0));

    if (c == NULL)
        abort();
    *c = (struct sim_change){.offset = offset, .len = len};
    if (bytes != NULL)
        memcpy(c->bytes, bytes, len);
    *f->last = c;
    f->last = &c->next;
}

void sim_file_write(struct sim_file *f, off_t offset, const void *bytes, size_t len)
{
    change_add(f, offset, bytes, len);
}

void sim_file_cut(struct sim_file *f, size_t len)
{
    change_add(f, -1, NULL, len);
}

void sim_file_sync(struct sim_file *f)
{
    for (const struct sim_change *c = f->first; c != NULL; c = c->next) {
        size_t end = c->offset < 0 ? c->len : (size_t)c->offset + c->len;

        if (c->offset < 0 || end > f->synced_len)
            synced_resize(f, end);
        if (c->offset >= 0)
            memcpy(f->synced + c->offset, c->bytes, c->len);
    }
    changes_free(f);
}

/* --- after a loss of power ------------------------------------------------------------------- */

/* fd: -1 for an image. */
static void change_put(const struct sim_file *f, int fd, const struct sim_change *c, size_t len)
{
    if (f->image != NULL && c->offset < 0)
        sim_image_resize(f->image, c->len);
    else if (f->image != NULL)
        sim_image_write(f->image, (size_t)c->offset, c->bytes, len);
    else if (c->offset < 0 ? ((cut_call)sim_real("ftruncate64"))(fd, (off_t)c->len) != 0
                           : ((pwrite_call)sim_real("pwrite64"))(fd, c->bytes, len, c->offset) !=
                                 (ssize_t)len)
        abort();
}

/* Those that reach the disk: of a journal the first ones, the last of them half. */
static void changes_put(struct sim_file *f, int fd, struct random_source *random)
{
    bool is_journal = strstr(f->path, ".journal") != NULL;
    uint32_t share = random_below(random, 5); /* quarters */

    for (struct sim_change *c = f->first; c != NULL; c = c->next) {
        if (random_below(random, 4) < share) {
            change_put(f, fd, c, c->len);
        } else if (is_journal) {
            if (c->offset >= 0)
                change_put(f, fd, c, random_below(random, (uint32_t)c->len + 1));
            break;
        }
    }
}

static void image_lose(struct sim_file *f, struct random_source *random)
{
    if (f->image->path[0] == '\0' || f->first == NULL)
        return;
    if (!f->is_named && random_below(random, 2) == 0) {
        sim_image_unlink(f->image);
        return;
    }
    sim_image_resize(f->image, 0);
    sim_image_write(f->image, 0, f->synced, f->synced_len);
    changes_put(f, -1, random);
}

static void kernel_lose(struct sim_file *f, struct random_source *random)
{
    struct stat st;
    int fd;

    if (stat(f->path, &st) != 0 || st.st_ino != f->inode || f->first == NULL)
        return;
    if (!f->is_named && random_below(random, 2) == 0) {
        (void)((unlink_call)sim_real("unlink"))(f->path);
        return;
    }
    fd = open(f->path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || ((cut_call)sim_real("ftruncate64"))(fd, 0) != 0 ||
        ((pwrite_call)sim_real("pwrite64"))(fd, f->synced, f->synced_len, 0) !=
            (ssize_t)f->synced_len)
        abort();
    changes_put(f, fd, random);
    (void)close(fd);
}

void sim_file_lose(struct sim_file *f, struct random_source *random)
{
    if (f->image != NULL)
        image_lose(f, random);
    else
        kernel_lose(f, random);
    sim_file_drop(f);
    f->is_named = true;
}
