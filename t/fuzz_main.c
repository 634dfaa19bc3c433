/*
 * Runs a fuzz target under any compiler, as a test: its whole corpus, then mutations of it, the
 * same ones each time.
 *
 *     NAME-fuzz [-n MUTATIONS] [-s SEED] [FILE or DIRECTORY ...]
 *
 * Without arguments: the corpus in $TG_SOURCE/t/data/fuzz/NAME, 20,000 mutations (or
 * $TG_FUZZ_RUNS). A target is a file NAME-fuzz.c with LLVMFuzzerTestOneInput, which aborts
 * (TG_ASSERT) where a promise is broken; under clang's -fsanitize=fuzzer it is built without this
 * file. What a crash was fed with is left in ./NAME-fuzz.crash; giving that file as argument does
 * it again.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t/random.h"

#define INPUT_MAX ((size_t)1 << 16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* There with the sanitizers only. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

struct seed {
    uint8_t *data;
    size_t size;
};

static struct seed *corpus;
static size_t corpus_count;

static char crash_path[300];
static const uint8_t *volatile current_data;
static volatile size_t current_size;

static void die(const char *what, const char *name)
{
    printf("Bail out! %s: %s\n", name, what);
    exit(1);
}

/* --- crashes --- */

static void crash_keep(void)
{
    int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || current_data == NULL)
        return;
    if (write(fd, (const void *)current_data, current_size) == (ssize_t)current_size)
        (void)!write(2, "# the input is kept in the .crash file\n", 39);
    (void)close(fd);
}

static void on_signal(int number)
{
    crash_keep();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void crash_watch(const char *program)
{
    static const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

    (void)snprintf(crash_path, sizeof crash_path, "%.280s.crash", program);
    if (__sanitizer_set_death_callback != NULL)
        __sanitizer_set_death_callback(crash_keep);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        (void)signal(numbers[i], on_signal);
}

/* --- corpus --- */

static void corpus_add_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct seed s = {.data = malloc(INPUT_MAX)};

    if (f == NULL || s.data == NULL)
        die("cannot be read", path);
    s.size = fread(s.data, 1, INPUT_MAX, f);
    (void)fclose(f);
    corpus = realloc(corpus, (corpus_count + 1) * sizeof *corpus);
    if (corpus == NULL)
        die("out of memory", path);
    corpus[corpus_count++] = s;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void corpus_add(const char *path)
{
    struct stat st;
    struct dirent **names;
    char file[4096];
    int count;

    if (stat(path, &st) != 0)
        die("is not there", path);
    if (!S_ISDIR(st.st_mode)) {
        corpus_add_file(path);
        return;
    }
    count = scandir(path, &names, NULL, by_name); /* in order: the run is the same everywhere */
    for (int i = 0; i < count; i++) {
        (void)snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            corpus_add_file(file);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
}

static void corpus_add_default(const char *program)
{
    const char *source = getenv("TG_SOURCE");
    size_t len = strlen(program);
    char path[4096];

    if (len > 5 && strcmp(program + len - 5, "-fuzz") == 0)
        len -= 5;
    (void)snprintf(path, sizeof path, "%s/t/data/fuzz/%.*s", source == NULL ? "." : source,
                   (int)len, program);
    corpus_add(path);
}

static void corpus_free(void)
{
    for (size_t i = 0; i < corpus_count; i++)
        free(corpus[i].data);
    free(corpus);
}

/* --- running --- */

/* In a block of exactly its size, so that a sanitizer sees each byte read behind it. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    if (copy == NULL)
        die("out of memory", "run");
    memcpy(copy, data, size);
    current_data = copy;
    current_size = size;
    (void)LLVMFuzzerTestOneInput(copy, size);
    current_data = NULL;
    free(copy);
}

static size_t cut(uint8_t *data, size_t size, struct random_source *r)
{
    size_t from = random_below(r, (uint32_t)size),
           len = 1 + random_below(r, (uint32_t)(size - from));

    memmove(data + from, data + from + len, size - from - len);
    return size - len;
}

/* Puts a piece of some seed, or of the input itself, at a random place. */
static size_t paste(uint8_t *data, size_t size, struct random_source *r)
{
    const struct seed *s = &corpus[random_below(r, (uint32_t)corpus_count)];
    size_t at = random_below(r, (uint32_t)size + 1), from, len;

    if (s->size == 0)
        return size;
    from = random_below(r, (uint32_t)s->size);
    len = 1 + random_below(r, (uint32_t)(s->size - from));
    if (len > INPUT_MAX - size)
        return size;
    memmove(data + at + len, data + at, size - at);
    memcpy(data + at, s->data + from, len);
    return size + len;
}

static size_t mutate_once(uint8_t *data, size_t size, struct random_source *r)
{
    /* What means something to parsers of mail, and the edges of numbers. */
    static const uint8_t special[] = "\0\1\x7f\x80\xff\r\n\t <>@\"\\[]().,:;=+-%{}_\xc3\xbc";
    uint32_t kind = random_below(r, 6);

    if (size == 0 || kind == 0)
        return paste(data, size, r);
    if (kind == 1)
        return cut(data, size, r);
    if (kind == 2)
        data[random_below(r, (uint32_t)size)] ^= (uint8_t)(1u << random_below(r, 8));
    else if (kind == 3)
        data[random_below(r, (uint32_t)size)] = (uint8_t)random_next(r);
    else
        data[random_below(r, (uint32_t)size)] = special[random_below(r, sizeof special - 1)];
    return size;
}

static void run_mutation(uint8_t *room, struct random_source *r)
{
    const struct seed *s = &corpus[random_below(r, (uint32_t)corpus_count)];
    size_t size = s->size;

    memcpy(room, s->data, size);
    for (uint32_t i = 1 + random_below(r, 6); i > 0; i--)
        size = mutate_once(room, size, r);
    run(room, size);
}

static uint64_t number_of(const char *text, uint64_t otherwise)
{
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void run_all(uint64_t mutations, uint64_t seed)
{
    struct random_source r = {seed};
    uint8_t *room = malloc(INPUT_MAX);

    if (room == NULL)
        die("out of memory", "run_all");
    for (size_t i = 0; i < corpus_count; i++)
        run(corpus[i].data, corpus[i].size);
    printf("ok 1 - %zu seeds\n", corpus_count);
    (void)fflush(stdout);
    for (uint64_t i = 0; i < mutations; i++)
        run_mutation(room, &r);
    printf("ok 2 - %llu mutations\n1..2\n", (unsigned long long)mutations);
    free(room);
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/'), *program = slash == NULL ? argv[0] : slash + 1;
    uint64_t mutations = number_of(getenv("TG_FUZZ_RUNS"), 20000), seed = 1;
    int option;

    while ((option = getopt(argc, argv, "n:s:")) != -1) {
        if (option == 'n')
            mutations = number_of(optarg, 0);
        else if (option == 's')
            seed = number_of(optarg, 0);
        else
            return 64;
    }
    crash_watch(program);
    for (int i = optind; i < argc; i++)
        corpus_add(argv[i]);
    if (optind == argc)
        corpus_add_default(program);
    if (corpus_count == 0)
        die("no seeds", program);
    run_all(mutations, seed);
    corpus_free();
    return 0;
}
