/* A configuration file of any bytes: it loads, and prints to what loads again, or its faults are
 * told with file and line. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* libconfig 1.5 leaks what it was reading where it meets a syntax error. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig";
}

static char path[] = "/tmp/settings-fuzz-XXXXXX";
static bool is_ready;

static void clean_up(void)
{
    (void)unlink(path);
}

static void prepare(void)
{
    int fd = mkstemp(path);

    TG_ASSERT(fd >= 0);
    (void)close(fd);
    is_ready = true;
    (void)atexit(clean_up);
}

/* Removed first: ext4 waits for the disk where a file is written over. */
static void write_bytes(const void *data, size_t size)
{
    FILE *out;

    (void)unlink(path);
    out = fopen(path, "w");
    TG_ASSERT(out != NULL && fwrite(data, 1, size, out) == size && fclose(out) == 0);
}

static char *printed(const struct settings *s, size_t *len)
{
    char *text;
    FILE *out = open_memstream(&text, len);

    settings_print(s, out);
    (void)fclose(out);
    return text;
}

static void check_printed(const struct settings *s)
{
    struct settings *again;
    size_t len, other;
    char *text = printed(s, &len), *second;

    write_bytes(text, len);
    again = settings_load(path, stderr, NULL);
    TG_ASSERT(again != NULL);
    second = printed(again, &other);
    TG_ASSERT(len == other && memcmp(text, second, len) == 0);
    settings_free(again);
    free(text);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct settings *s;

    if (!is_ready)
        prepare();
    write_bytes(data, size);
    s = settings_load(path, NULL, &err);
    if (s == NULL) {
        TG_ASSERT(err.code == EX_CONFIG);
        TG_ASSERT(strncmp(err.text, path, strlen(path)) == 0 && err.text[strlen(path)] == ':');
        return 0;
    }
    check_printed(s);
    settings_free(s);
    return 0;
}
