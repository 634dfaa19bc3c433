#include "cli/control.h"

#include <sysexits.h>

#include "lib/core/buf.h"
#include "lib/sys/line_ask.h"

#define CONNECT_MS   5000
#define ANSWER_MS    60000 /* tollgated may wait for its journal, the store and other requests */
#define ANSWER_BYTES ((size_t)512 << 20)
#define PATH_BYTES   4096

/* What a fault of the socket means to who typed the command. */
static void explain(const char *path, struct err *err)
{
    struct err was = *err;

    if (was.code == EX_NOPERM)
        (void)err_set(err, EX_NOPERM, "%s: permission denied. Fix: run this as root", path);
    else if (was.code == EX_UNAVAILABLE)
        (void)err_set(err, EX_UNAVAILABLE,
                      "tollgated is not running on this node (%s: %s): start it", path, was.text);
    else if (was.code == EX_PROTOCOL)
        (void)err_set(err, EX_UNAVAILABLE, "tollgated did not answer on its control socket");
    else
        (void)err_set(err, EX_TEMPFAIL, "tollgated: %s", was.text);
}

json_t *control_ask(const char *state_dir, json_t *request, bool *never, struct err *err)
{
    struct line_ask a = {
        .connect_ms = CONNECT_MS, .answer_ms = ANSWER_MS, .answer_bytes = ANSWER_BYTES};
    struct buf path;
    json_t *answer;

    buf_init(&path, PATH_BYTES);
    buf_addf(&path, "%s/control.sock", state_dir);
    a.path = path.data;
    answer = line_ask(&a, request, never, err);
    if (answer == NULL)
        explain(a.path, err);
    buf_fini(&path);
    return answer;
}
