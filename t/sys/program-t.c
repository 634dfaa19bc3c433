/* program: another program's status and output, and the error, which is there only where it could
 * not be run to its end. */
#include "t/tap.h"

#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/program.h"

#define CAP_BYTES 1000

static const struct program_case {
    const char *name, *script;
    int64_t timeout_ms;
    int status;
    const char *out, *errors, *error; /* error: part of its text; NULL: none may be set */
} cases[] = {
    {"success", "echo out; echo more >&2", 30000, 0, "out\n", "more\n", NULL},
    {"a status", "exit 3", 30000, 3, "", "", NULL},
    {"a signal", "kill -9 $$", 30000, 128 + 9, "", "", NULL},
    {"input", "read line; echo \"<$line>\"", 30000, 0, "<typed>\n", "", NULL},
    {"output closed before the end", "exec >&- 2>&-; exit 4", 30000, 4, "", "", NULL},
    {"too slow", "sleep 60", 50, -1, "", "", "no result in time"},
    {"too slow, and its output closed", "exec >&- 2>&-; exec sleep 60", 50, -1, "", "",
     "no result in time"},
    {"too much", "yes", 30000, -1, NULL, "", "more than 1000 bytes of output"},
};

static void test_case(const struct program_case *c)
{
    const char *const argv[] = {"sh", "-c", c->script, NULL};
    struct buf out, errors;
    struct err err = {0};
    int status;

    printf("# %s\n", c->name);
    buf_init(&out, CAP_BYTES);
    buf_init(&errors, CAP_BYTES);
    status = program_run(argv, SLICE("typed\n"), &out, &errors,
                         clock_monotonic_ms() + c->timeout_ms, &err);
    IS_INT(status, c->status, c->name);
    if (c->out != NULL)
        IS_SLICE(buf_slice(&out), slice_str(c->out), "its output");
    IS_SLICE(buf_slice(&errors), slice_str(c->errors), "its errors");
    IS_INT(err.code, c->error == NULL ? 0 : EX_UNAVAILABLE, "an error is set where it failed only");
    if (c->error == NULL)
        IS_STR(err.text, "", "and says nothing otherwise");
    else
        OK(strncmp(err.text, "sh: ", 4) == 0 && strstr(err.text, c->error) != NULL,
           "it names the program and the reason");
    buf_fini(&out);
    buf_fini(&errors);
}

static void test_missing(void)
{
    const char *const argv[] = {"no-such-program-anywhere", NULL};
    struct buf out;
    struct err err = {0};

    buf_init(&out, CAP_BYTES);
    IS_INT(program_run(argv, SLICE_NONE, &out, &out, clock_monotonic_ms() + 30000, &err), -1,
           "no such program");
    OK(err.code == EX_UNAVAILABLE && strstr(err.text, argv[0]) != NULL, "the error names it");
    buf_fini(&out);
}

int main(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        test_case(&cases[i]);
    test_missing();
    return tap_done();
}
