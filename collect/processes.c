#include "collect/processes.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define PATH_BYTES 1024

static FILE *open_of(const char *proc, pid_t pid, const char *name)
{
    char path[PATH_BYTES];

    (void)snprintf(path, sizeof path, "%s/%d/%s", proc, (int)pid, name);
    return fopen(path, "re");
}

/* proc(5): the name of the program, in parentheses, may have any bytes. */
static bool stat_read(const char *proc, struct process *p)
{
    FILE *f = open_of(proc, p->pid, "stat");
    uint64_t user, kernel, user_ended, kernel_ended;
    char line[2048];
    size_t len;
    const char *rest;

    if (f == NULL)
        return false;
    len = fread(line, 1, sizeof line - 1, f);
    (void)fclose(f);
    line[len] = '\0';
    rest = strrchr(line, ')');
    if (rest == NULL ||
        sscanf(rest,
               ") %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNu64
               " %" SCNu64 " %*d %*d %" SCNu64 " %*d %" SCNu64 " %*u %" SCNu64,
               &p->parent, &user, &kernel, &user_ended, &kernel_ended, &p->threads, &p->start,
               &p->rss) != 8)
        return false;
    p->cpu = user + kernel + user_ended + kernel_ended;
    return true;
}

static ssize_t program_find(const char *proc, pid_t pid, const struct string_list *programs)
{
    FILE *f = open_of(proc, pid, "cmdline");
    char first[PATH_BYTES];
    size_t len;

    if (f == NULL)
        return -1;
    len = fread(first, 1, sizeof first - 1, f);
    (void)fclose(f);
    first[len] = '\0';
    for (size_t i = 0; i < programs->count; i++)
        if (programs->items[i][0] == '/' && strcmp(programs->items[i], first) == 0)
            return (ssize_t)i;
    return -1;
}

static bool add(struct processes *p, const struct process *one)
{
    if (p->count == p->room) {
        size_t room = p->room == 0 ? 256 : 2 * p->room;
        struct process *items = realloc(p->items, room * sizeof *items);

        if (items == NULL)
            return false;
        p->items = items;
        p->room = room;
    }
    p->items[p->count++] = *one;
    return true;
}

static int by_pid(const void *a, const void *b)
{
    const struct process *x = a, *y = b;

    return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Numbers of processes wrap, so that a child may come before its parent: until nothing changes. */
static void spread(struct processes *p)
{
    bool is_changed = true;

    while (is_changed) {
        is_changed = false;
        for (size_t i = 0; i < p->count; i++) {
            struct process key = {.pid = p->items[i].parent}, *parent;

            if (p->items[i].program >= 0)
                continue;
            parent = bsearch(&key, p->items, p->count, sizeof key, by_pid);
            if (parent == NULL || parent->program < 0)
                continue;
            p->items[i].program = parent->program;
            is_changed = true;
        }
    }
}

int processes_read(struct processes *p, const char *proc, const struct string_list *programs,
                   struct err *err)
{
    DIR *dir = opendir(proc);
    bool is_good = true;
    struct dirent *e;

    p->count = 0;
    if (dir == NULL)
        return err_set(err, EX_OSERR, "%s: %s", proc, strerror(errno));
    while (is_good && (e = readdir(dir)) != NULL) {
        struct process one = {.pid = atoi(e->d_name)};

        if (one.pid <= 0 || !stat_read(proc, &one))
            continue;
        one.program = program_find(proc, one.pid, programs);
        one.is_named = one.program >= 0;
        is_good = add(p, &one);
    }
    (void)closedir(dir);
    if (!is_good)
        return err_set(err, EX_OSERR, "out of memory");
    if (p->count > 0)
        qsort(p->items, p->count, sizeof *p->items, by_pid);
    spread(p);
    return 0;
}

struct processes_sum processes_add_up(const struct processes *p, size_t program)
{
    uint64_t tick_us = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct processes_sum sum = {.count = 0};

    for (size_t i = 0; i < p->count; i++) {
        const struct process *one = &p->items[i];

        if (one->program != (ssize_t)program)
            continue;
        sum.count++;
        if (one->is_named && (sum.start == 0 || one->start < sum.start))
            sum.start = one->start;
        sum.cpu_us += one->cpu * tick_us;
        sum.bytes += one->rss * page;
        sum.threads += one->threads;
    }
    return sum;
}

void processes_fini(struct processes *p)
{
    free(p->items);
    *p = (struct processes){.items = NULL};
}

int64_t processes_handles(const char *proc, pid_t pid)
{
    char path[PATH_BYTES];
    int64_t count = 0;
    struct dirent *e;
    DIR *dir;

    (void)snprintf(path, sizeof path, "%s/%d/fd", proc, (int)pid);
    dir = opendir(path);
    if (dir == NULL)
        return errno == ENOENT || errno == ESRCH ? 0 : -1;
    while ((e = readdir(dir)) != NULL)
        count += e->d_name[0] != '.';
    (void)closedir(dir);
    return count;
}
