/*
 * Counts a mail log with the collector's machines, for tests that compare it with something else:
 *
 *     log_counts -e END [-d DOMAIN]... [-l LOGIN=ADDRESS]... [-f LINES] [-i NETWORK]
 *         [-n NAME,NAME] [-t] <LOG
 *
 * -e: Unix seconds, the clock's time after the last line. -d: hosted domains. -f: every so many
 * lines, the book is saved, and another one made of what was saved. -i: clients that do not count.
 * -t: prints shapes and how long it took instead. Networks of this host are 127.0.0.0/8.
 *
 * A line each: "HOUR ACCOUNT COUNTER AMOUNT" (hours of Unix time), unsorted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "collect/log_reader.h"
#include "collect/mail_machines.h"
#include "lib/core/hash.h"
#include "lib/core/strmap.h"

#define SLOTS 65536

struct saved {
    struct saved *next;
    enum open_kind kind;
    int64_t touched_ms;
    size_t key_len, bytes_len;
    char *key, *bytes;
};

static struct arena arena;
static struct strmap rows, shapes;
static struct saved *slots[SLOTS];
static struct hosted *hosted;
static struct owners owners;
static struct machine_rules rules;
static struct slice names[4] = {{"postfix", 7}};
static struct machine_list name_list = {names, 1};
static uint64_t messages, gaps, refusals;

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "log_counts: %s\n", what);
    exit(1);
}

static uint64_t *counter_at(struct strmap *map, struct slice key)
{
    void **value = strmap_find(map, key);
    bool added;

    if (value != NULL)
        return *value;
    value = strmap_add(map, arena_copy(&arena, key), &added);
    must(value != NULL, "out of memory");
    *value = arena_alloc(&arena, sizeof(uint64_t));
    return *value;
}

/* --- the sink --------------------------------------------------------------------------------- */

static void add(int64_t time_ms, struct slice account, enum counter id, uint64_t amount)
{
    char key[400];

    (void)snprintf(key, sizeof key, "%lld %.*s %s", (long long)(time_ms / 3600000),
                   SLICE_FMT(account), counter_table[id].name);
    *counter_at(&rows, slice_str(key)) += amount;
}

static void count(void *to, int64_t time_ms, const struct payer *payer, enum counter id,
                  uint64_t amount)
{
    (void)to;
    add(time_ms, SLICE("node"), id, amount);
    if (payer->domain.len > 0)
        add(time_ms, payer->domain, id, amount);
    if (payer->user.len > 0)
        add(time_ms, payer->user, id, amount);
}

static void gap(void *to, const struct gap *g)
{
    (void)to;
    (void)g;
    gaps++;
}

static void refusal(void *to, const struct refusal *r)
{
    (void)to;
    (void)r;
    refusals++;
}

static void message(void *to, struct slice id, int64_t first_ms, int64_t last_ms,
                    struct slice trace)
{
    (void)to;
    (void)id;
    (void)first_ms;
    (void)last_ms;
    (void)trace;
    messages++;
}

/* --- folds ------------------------------------------------------------------------------------ */

static char *copy_of(struct slice s)
{
    char *copy = malloc(s.len + 1);

    must(copy != NULL, "out of memory");
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

/* What collect.db does with a change. */
static void store(const struct open_change *c)
{
    size_t slot = hash_add(HASH_BEGIN, c->key) % SLOTS;
    struct saved **at = &slots[slot], *s;

    while (*at != NULL && ((*at)->kind != c->kind ||
                           !slice_equal((struct slice){(*at)->key, (*at)->key_len}, c->key)))
        at = &(*at)->next;
    s = *at;
    if (s != NULL) {
        *at = s->next;
        free(s->key);
        free(s->bytes);
        free(s);
    }
    if (c->is_gone)
        return;
    s = calloc(1, sizeof *s);
    must(s != NULL, "out of memory");
    *s = (struct saved){slots[slot],  c->kind,         c->touched_ms,    c->key.len,
                        c->bytes.len, copy_of(c->key), copy_of(c->bytes)};
    slots[slot] = s;
}

static int by_touch(const void *a, const void *b)
{
    const struct saved *x = *(const struct saved *const *)a, *y = *(const struct saved *const *)b;

    return (x->touched_ms > y->touched_ms) - (x->touched_ms < y->touched_ms);
}

static struct open_book *book_new(void)
{
    struct open_book *b = open_new();

    must(b != NULL, "out of memory");
    mail_machines_types(b);
    return b;
}

static struct open_book *book_restore(void)
{
    struct open_book *b = book_new();
    struct saved **all = NULL;
    size_t count = 0, room = 0;

    for (size_t i = 0; i < SLOTS; i++) {
        for (struct saved *s = slots[i]; s != NULL; s = s->next) {
            if (count == room) {
                room = room > 0 ? 2 * room : 64;
                all = realloc(all, room * sizeof *all);
                must(all != NULL, "out of memory");
            }
            all[count++] = s;
        }
    }
    if (count > 0)
        qsort(all, count, sizeof *all, by_touch);
    for (size_t i = 0; i < count; i++)
        must(open_restore(b, &(struct open_change){.kind = all[i]->kind,
                                                   .key = {all[i]->key, all[i]->key_len},
                                                   .touched_ms = all[i]->touched_ms,
                                                   .bytes = {all[i]->bytes, all[i]->bytes_len}}),
             "what was saved cannot be read");
    free(all);
    return b;
}

static void fold(struct machine *m, int64_t reached_ms)
{
    struct open_entry *at = NULL;
    struct open_change c;

    mail_machines_tick(m, reached_ms);
    while (open_change_next(m->open, &at, &c) == 1)
        store(&c);
    open_saved(m->open);
    open_free(m->open);
    m->open = book_restore();
    memset(m->source_s, 0, sizeof m->source_s); /* another process */
    m->all_s = 0;
}

/* --- lines ------------------------------------------------------------------------------------ */

struct options {
    int64_t end_ms;
    long fold_lines;
    bool shapes;
};

static uint64_t lines_read(struct machine *m, const struct options *o)
{
    const struct log_setup setup = {&name_list, NULL};
    const struct read_time_bounds bounds = {o->end_ms, o->end_ms};
    struct log_reader reader;
    struct log_reading reading;
    const struct shape *shape;
    int64_t reached_ms = 0;
    uint64_t lines = 0;
    char *text = NULL;
    size_t room = 0;
    ssize_t len;

    log_reader_init(&reader, &setup, 0);
    while ((len = getline(&text, &room, stdin)) > 0) {
        lines++;
        if (!log_reader_read(&reader, (struct slice){text, (size_t)len - 1}, &bounds, &reading) ||
            reading.is_silent)
            continue;
        reached_ms = reading.line.time_ms > reached_ms ? reading.line.time_ms : reached_ms;
        shape = mail_machines_line(m, &reading.line);
        if (o->shapes)
            ++*counter_at(&shapes, shape != NULL ? slice_str(shape->name) : SLICE("-"));
        if (o->fold_lines > 0 && lines % (uint64_t)o->fold_lines == 0)
            fold(m, reached_ms);
        else if (o->fold_lines == 0 && lines % 4096 == 0)
            open_saved(m->open);
        if (lines % 4096 == 0)
            owners_reset(&owners);
    }
    mail_machines_tick(m, o->end_ms);
    free(text);
    log_reader_fini(&reader);
    return lines;
}

static void print(const struct strmap *map)
{
    struct slice key;
    void *value;

    for (size_t at = 0; strmap_next(map, &at, &key, &value);)
        printf("%.*s %llu\n", SLICE_FMT(key), (unsigned long long)*(uint64_t *)value);
}

static void names_set(const char *text)
{
    struct slice rest = slice_str(text);

    for (name_list.count = 0;
         name_list.count < 4 && slice_cut(&rest, ',', &names[name_list.count]);)
        name_list.count++;
}

static void ignore(const char *text)
{
    static struct network network;

    must(network_parse(slice_str(text), &network, NULL) == 0, "a network");
    rules.ignore_clients = (struct networks){&network, 1};
}

static void login_add(const char *text)
{
    struct slice login, address = slice_str(text);

    must(slice_cut(&address, '=', &login) && hosted_add_login(hosted, login, address, NULL) == 0,
         "a login");
}

static void options_read(int argc, char **argv, struct options *o)
{
    int option;

    while ((option = getopt(argc, argv, "e:d:l:f:i:n:t")) != -1) {
        if (option == 'e')
            o->end_ms = atoll(optarg) * 1000;
        else if (option == 'd')
            must(hosted_add_domain(hosted, slice_str(optarg), SLICE_NONE, NULL) == 0, "a domain");
        else if (option == 'l')
            login_add(optarg);
        else if (option == 'f')
            o->fold_lines = atol(optarg);
        else if (option == 'i')
            ignore(optarg);
        else if (option == 'n')
            names_set(optarg);
        else if (option == 't')
            o->shapes = true;
        else
            exit(64);
    }
    must(o->end_ms > 0, "-e is needed");
}

static void say_time(const struct timespec *from, uint64_t lines)
{
    struct timespec now;
    double s;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    s = (double)(now.tv_sec - from->tv_sec) + (double)(now.tv_nsec - from->tv_nsec) / 1e9;
    fprintf(stderr, "%llu lines, %.2f s, %.0f lines/s; %llu messages, %llu refusals, %llu gaps\n",
            (unsigned long long)lines, s, (double)lines / s, (unsigned long long)messages,
            (unsigned long long)refusals, (unsigned long long)gaps);
}

int main(int argc, char **argv)
{
    const struct sink sink = {.count = count, .gap = gap, .refusal = refusal, .message = message};
    struct options o = {0};
    struct machine m = {.rules = &rules, .owners = &owners, .sink = &sink};
    struct timespec from;
    uint64_t lines;

    arena_init(&arena, (size_t)1 << 30);
    hosted = hosted_new((size_t)1 << 24);
    must(hosted != NULL, "out of memory");
    options_read(argc, argv, &o);
    must(hosted_add_network(hosted, &hosted->host, SLICE("127.0.0.0/8"), NULL) == 0, "a network");
    hosted->users = true;
    owners_init(&owners, hosted);
    m.open = book_new();
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    lines = lines_read(&m, &o);
    if (o.shapes)
        say_time(&from, lines);
    print(o.shapes ? &shapes : &rows);
    open_free(m.open);
    owners_fini(&owners);
    hosted_free(hosted);
    arena_fini(&arena);
    return 0;
}
