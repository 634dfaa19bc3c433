/* How often one may be wrong. */
#include "t/tap.h"
#include "web/attempts.h"

static bool fails(struct attempts *a, struct slice name, struct slice client, int64_t now_ms)
{
    struct web_attempt attempt = {name, client, now_ms};

    if (attempts_begin(a, &attempt) != ATTEMPT_MAY)
        return false;
    attempts_end(a, &attempt, false);
    return true;
}

static bool succeeds(struct attempts *a, struct slice name, struct slice client, int64_t now_ms)
{
    struct web_attempt attempt = {name, client, now_ms};

    if (attempts_begin(a, &attempt) != ATTEMPT_MAY)
        return false;
    attempts_end(a, &attempt, true);
    return true;
}

static void names(struct attempts *a)
{
    int done = 0;

    OK(succeeds(a, SLICE("anna"), SLICE("203.0.113.7"), 1000), "she signs in");
    while (done < 50 && fails(a, SLICE("anna"), SLICE("192.0.2.1"), 1000 + done))
        done++;
    IS_INT(done, ATTEMPTS_NAME_MAX, "so many failures for a name");
    OK(!fails(a, SLICE("anna"), SLICE("198.51.100.1"), 2000), "from anywhere");
    OK(succeeds(a, SLICE("anna"), SLICE("203.0.113.200"), 2000),
       "not from the network from which she has signed in");
    OK(fails(a, SLICE("bob"), SLICE("192.0.2.1"), 2000), "others are not concerned");
    OK(fails(a, SLICE("anna"), SLICE("192.0.2.1"), 1000 + ATTEMPTS_WINDOW_MS),
       "after the time again");
}

static void networks(struct attempts *a)
{
    char name[16];
    int done = 0;

    for (; done < 50; done++) {
        (void)snprintf(name, sizeof name, "n%d", done);
        if (!fails(a, slice_str(name), done % 2 ? SLICE("2001:db8::1") : SLICE("2001:db8::2"), 0))
            break;
    }
    IS_INT(done, ATTEMPTS_NETWORK_MAX, "so many failures from a /64");
    OK(fails(a, SLICE("other"), SLICE("2001:db8:0:1::1"), 0), "another one is not concerned");
    for (done = 0; done < 50; done++) {
        (void)snprintf(name, sizeof name, "m%d", done);
        if (!fails(a, slice_str(name), done % 2 ? SLICE("10.1.2.3") : SLICE("10.1.2.99"), 0))
            break;
    }
    IS_INT(done, ATTEMPTS_NETWORK_MAX, "and from a /24");
}

static void workers(struct attempts *a)
{
    struct web_attempt attempt = {SLICE("w"), SLICE("10.9.9.9"), 0};

    for (int i = 0; i < ATTEMPTS_WORKERS_MAX; i++)
        OK(attempts_begin(a, &attempt) == ATTEMPT_MAY, "a password is checked");
    OK(attempts_begin(a, &attempt) == ATTEMPT_BUSY, "no more at once");
    attempts_end(a, &attempt, true);
    OK(attempts_begin(a, &attempt) == ATTEMPT_MAY, "but when one has ended");
}

int main(void)
{
    struct err err = {0};
    struct attempts *a = attempts_new(&err);

    if (!OK(a != NULL, "a table"))
        return tap_done();
    names(a);
    networks(a);
    workers(a);
    attempts_free(a);
    return tap_done();
}
