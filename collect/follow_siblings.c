#include "collect/follow_siblings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sysexits.h>

#include "lib/sys/clock.h"

#define SETTLE_MS  20 /* two of the kernel's ticks, at the least */
#define NUMBER_MAX 6  /* digits; more are a date */
#define NS_PER_S   INT64_C(1000000000)
#define NS_PER_MS  INT64_C(1000000)

/* The path that is followed, in the parts by which a sibling's name is known. */
struct family {
    const char *path;
    struct slice dir;             /* with its '/'; empty: the working directory */
    struct slice name;            /* "mail.log" */
    struct slice root, extension; /* "mail", ".log"; both empty where there is none */
};

static struct family family_of(const char *path)
{
    struct slice all = slice_str(path);
    size_t dir_len = (size_t)(slice_find_last(all, '/') + 1);
    struct family f = {path, slice_to(all, dir_len), slice_from(all, dir_len), SLICE_NONE,
                       SLICE_NONE};
    ptrdiff_t dot = slice_find_last(f.name, '.');

    if (dot > 0) {
        f.root = slice_to(f.name, (size_t)dot);
        f.extension = slice_from(f.name, (size_t)dot);
    }
    return f;
}

static bool starts(struct slice s, struct slice with)
{
    return s.len >= with.len && slice_equal(slice_to(s, with.len), with);
}

/* A separator, a digit, and more digits and separators. */
static bool is_suffix(struct slice s)
{
    if (s.len < 2 || strchr("-._", s.ptr[0]) == NULL || s.ptr[1] < '0' || s.ptr[1] > '9')
        return false;
    for (size_t i = 1; i < s.len; i++)
        if (s.ptr[i] == '\0' || strchr("0123456789-._:T", s.ptr[i]) == NULL)
            return false;
    return true;
}

/* Is it the name (without .gz) of a sibling? Then its suffix, with the separator. */
static bool is_of_family(const struct family *f, struct slice name, struct slice *suffix)
{
    size_t fixed = f->root.len + f->extension.len;

    *suffix = slice_from(name, f->name.len);
    if (starts(name, f->name) && is_suffix(*suffix))
        return true;
    if (f->root.len == 0 || name.len <= fixed || !starts(name, f->root) ||
        !slice_equal(slice_from(name, name.len - f->extension.len), f->extension))
        return false;
    *suffix = (struct slice){name.ptr + f->root.len, name.len - fixed};
    return is_suffix(*suffix);
}

void follow_siblings_fini(struct follow_siblings *all)
{
    for (size_t i = 0; i < all->count; i++)
        free(all->list[i].path);
    free(all->list);
    *all = (struct follow_siblings){0};
}

static int add(struct follow_siblings *all, const struct follow_sibling *one)
{
    if (all->count == all->room) {
        size_t room = all->room * 2 + 16;
        struct follow_sibling *list = realloc(all->list, room * sizeof *list);

        if (list == NULL)
            return -1;
        all->list = list;
        all->room = room;
    }
    all->list[all->count++] = *one;
    return 0;
}

/* Takes the path over. What is no regular file, or gone, is left out. */
static int add_path(struct follow_siblings *all, struct follow_sibling one)
{
    struct statx x;

    if (statx(AT_FDCWD, one.path, 0, STATX_BASIC_STATS | STATX_BTIME, &x) != 0 ||
        !S_ISREG(x.stx_mode)) {
        free(one.path);
        return 0;
    }
    one.dev = follow_stream_dev(makedev(x.stx_dev_major, x.stx_dev_minor));
    one.inode = x.stx_ino;
    one.size = x.stx_size;
    one.written_ns = follow_stream_time_ns(&x.stx_mtime);
    one.birth_ns = (x.stx_mask & STATX_BTIME) != 0 ? follow_stream_time_ns(&x.stx_btime) : 0;
    if (add(all, &one) == 0)
        return 0;
    free(one.path);
    return -1;
}

static int add_name(struct follow_siblings *all, const struct family *f, const char *name)
{
    size_t stem, room = f->dir.len + strlen(name) + 1;
    struct follow_sibling one = {.packing = follow_stream_packing(name, &stem)};
    struct slice suffix;

    if (!is_of_family(f, (struct slice){name, stem}, &suffix))
        return 0;
    one.path = malloc(room);
    if (one.path == NULL)
        return -1;
    if (f->dir.len > 0)
        memcpy(one.path, f->dir.ptr, f->dir.len);
    memcpy(one.path + f->dir.len, name, room - f->dir.len);
    one.stem_len = f->dir.len + stem;
    one.suffix_at = f->dir.len + (size_t)(suffix.ptr - name) + 1;
    one.suffix_len = suffix.len - 1;
    return add_path(all, one);
}

/* To be freed; NULL: out of memory. */
static char *dir_of(const struct family *f)
{
    return f->dir.len > 0 ? strndup(f->dir.ptr, f->dir.len) : strdup(".");
}

static int add_names(struct follow_siblings *all, const struct family *f, struct err *err)
{
    char *dir_path = dir_of(f);
    DIR *dir = dir_path != NULL ? opendir(dir_path) : NULL;
    const struct dirent *entry;
    int result = 0;

    if (dir == NULL && errno != ENOENT)
        result = err_set(err, errno == EACCES ? EX_NOPERM : EX_OSERR, "cannot read %s: %s",
                         dir_path != NULL ? dir_path : f->path, strerror(errno));
    while (dir != NULL && result == 0 && (entry = readdir(dir)) != NULL)
        if (add_name(all, f, entry->d_name) != 0)
            result = err_set(err, EX_OSERR, "out of memory");
    if (dir != NULL)
        (void)closedir(dir);
    free(dir_path);
    return result;
}

/* --- order ------------------------------------------------------------------------------------ */

static struct slice suffix_of(const struct follow_sibling *s)
{
    return (struct slice){s->path + s->suffix_at, s->suffix_len};
}

static bool number_of(const struct follow_sibling *s, uint64_t *number)
{
    return s->suffix_len <= NUMBER_MAX && slice_number(suffix_of(s), number);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = 0, y = 0;

    (void)number_of(a, &x);
    (void)number_of(b, &y);
    return (x < y) - (x > y);
}

static int by_suffix(const void *a, const void *b)
{
    return slice_compare(suffix_of(a), suffix_of(b));
}

static int by_time(const void *a, const void *b)
{
    int64_t x = ((const struct follow_sibling *)a)->written_ns;
    int64_t y = ((const struct follow_sibling *)b)->written_ns;

    return x != y ? (x > y) - (x < y) : by_suffix(a, b);
}

static void sort(struct follow_siblings *all)
{
    bool numbers = true, dates = true;
    uint64_t number;

    for (size_t i = 0; i < all->count; i++) {
        bool is_number = number_of(&all->list[i], &number);

        numbers = numbers && is_number;
        dates = dates && !is_number && all->list[i].suffix_len == all->list[0].suffix_len;
    }
    if (all->count > 1)
        qsort(all->list, all->count, sizeof all->list[0],
              numbers ? by_number : (dates ? by_suffix : by_time));
}

static void drop(struct follow_siblings *all, size_t i)
{
    free(all->list[i].path);
    memmove(&all->list[i], &all->list[i + 1], (all->count - i - 1) * sizeof all->list[0]);
    all->count--;
}

static bool has_plain_form(const struct follow_siblings *all, const struct follow_sibling *s)
{
    for (size_t i = 0; s->packing != FOLLOW_PLAIN && i < all->count; i++) {
        const struct follow_sibling *o = &all->list[i];

        if (o->packing == FOLLOW_PLAIN && !o->is_live && o->stem_len == s->stem_len &&
            memcmp(o->path, s->path, s->stem_len) == 0)
            return true;
    }
    return false;
}

static void drop_doubles(struct follow_siblings *all)
{
    for (size_t i = all->count; i-- > 0;)
        if (has_plain_form(all, &all->list[i]))
            drop(all, i);
}

/* --- listing ---------------------------------------------------------------------------------- */

static int list_once(struct follow_siblings *all, const struct family *f, struct err *err)
{
    struct follow_sibling live = {.path = strdup(f->path), .is_live = true};

    *all = (struct follow_siblings){0};
    if (live.path == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    if (add_names(all, f, err) != 0) {
        free(live.path);
        return -1;
    }
    sort(all);
    if (add_path(all, live) != 0)
        return err_set(err, EX_OSERR, "out of memory");
    drop_doubles(all);
    return 0;
}

/* When a name in the directory changed last; -1: that cannot be told. */
static int64_t changed_ns(const struct family *f)
{
    char *dir = dir_of(f);
    struct stat st;
    bool good = dir != NULL && stat(dir, &st) == 0;

    free(dir);
    return good ? st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec : -1;
}

/* Names change one after the other in a rotation, and are not looked at all at once. The kernel's
 * times of changes are those of its last tick, so a change just now would not show. */
int follow_siblings_list(struct follow_siblings *all, const char *path, bool settled,
                         struct err *err)
{
    struct family f = family_of(path);
    int64_t before_ns = changed_ns(&f);
    int64_t age_ms = clock_unix_ms() - before_ns / NS_PER_MS;
    int result;

    *all = (struct follow_siblings){0};
    if (settled && age_ms > -SETTLE_MS && age_ms < SETTLE_MS)
        return 0;
    result = list_once(all, &f, err);
    if (result == 0 && (!settled || changed_ns(&f) == before_ns))
        return 1;
    follow_siblings_fini(all);
    return result;
}

struct follow_sibling *follow_siblings_live(const struct follow_siblings *all)
{
    struct follow_sibling *last = all->count > 0 ? &all->list[all->count - 1] : NULL;

    return last != NULL && last->is_live ? last : NULL;
}

struct follow_sibling *follow_siblings_inode(const struct follow_siblings *all, uint64_t dev,
                                             uint64_t inode)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].dev == dev && all->list[i].inode == inode)
            return &all->list[i];
    return NULL;
}

struct follow_sibling *follow_siblings_after(const struct follow_siblings *all, int64_t written_ns)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].written_ns > written_ns)
            return &all->list[i];
    return NULL;
}

struct follow_sibling *follow_siblings_next(const struct follow_siblings *all,
                                            struct follow_sibling *of)
{
    return of != NULL && of + 1 < all->list + all->count ? of + 1 : NULL;
}
