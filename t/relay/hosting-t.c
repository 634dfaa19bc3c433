#include "relay/hosting.h"

#include <sysexits.h>

#include "t/relay/hosting_fixture.h"
#include "t/tap.h"

static int64_t skew_ms; /* the clock is ahead by this much */

int64_t __real_clock_monotonic_ms(void);
int64_t __wrap_clock_monotonic_ms(void);

int64_t __wrap_clock_monotonic_ms(void)
{
    return __real_clock_monotonic_ms() + skew_ms;
}

static struct settings *load(void)
{
    fixture_write("domains", "host.test\nother.test\n");
    fixture_write("forwards", "away@host.test x@else.test, y@else.test\n"
                              "self@host.test self@host.test, z@else.test\n"
                              "ping@host.test pong@host.test\n"
                              "pong@host.test ping@host.test\n"
                              "top@host.test left@host.test, right@host.test\n"
                              "left@host.test bottom@host.test\n"
                              "right@host.test bottom@host.test\n"
                              "bottom@host.test end@else.test\n"
                              "bare@host.test joe\n"
                              "@other.test @host.test\n"
                              "x@else.test never@else.test\n");
    return fixture_load("hosted: { domains = [\"file:@/domains\"]; "
                        "forwards = [\"file:@/forwards\"]; };\n");
}

static int add(void *user, struct slice target)
{
    struct buf *b = user;

    buf_addf(b, "%.*s ", SLICE_FMT(target));
    return 0;
}

static void test_expand(struct hosting_view *v)
{
    static const struct {
        const char *address, *want;
    } cases[] = {
        {"joe@host.test", "joe@host.test "},
        {"joe@else.test", "joe@else.test "},
        {"away@host.test", "x@else.test y@else.test "},
        {"Away@HOST.test", "x@else.test y@else.test "},
        {"self@host.test", "self@host.test z@else.test "},
        {"Self@host.test", "Self@host.test z@else.test "},
        {"ping@host.test", "ping@host.test "},
        {"top@host.test", "end@else.test "},
        {"bare@host.test", "joe@host.test "},
        {"ann@other.test", "ann@host.test "},
        {"away@other.test", "x@else.test y@else.test "},
        {"x@else.test", "x@else.test "},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena;
        struct buf b;

        arena_init(&arena, 1 << 20);
        buf_init(&b, 10000);
        IS_INT(hosting_expand(v, slice_str(cases[i].address), &arena, add, &b), 0,
               cases[i].address);
        IS_SLICE(buf_slice(&b), slice_str(cases[i].want), "goes to");
        buf_fini(&b);
        arena_fini(&arena);
    }
}

static void rewrite(struct hosting *hosting, const char *domains)
{
    fixture_write("domains", domains);
    hosting_refresh(hosting);
    skew_ms += 2000;
    hosting_refresh(hosting);
}

static void test_refresh(struct hosting *hosting)
{
    struct hosting_view *before = hosting_take(hosting), *after;

    OK(hosting_hosts(before, SLICE("new.test")) == HOSTING_NO, "not hosted");
    rewrite(hosting, "host.test\nnew.test\nanother.test\n");
    after = hosting_take(hosting);
    OK(hosting_hosts(after, SLICE("new.test")) == HOSTING_YES, "hosted once the file has changed");
    OK(hosting_hosts(before, SLICE("new.test")) == HOSTING_NO, "a view in use stays as it was");
    hosting_give_back(before);
    hosting_give_back(after);
}

static enum hosting_answer hosts_now(struct hosting *hosting, const char *domain)
{
    struct hosting_view *v = hosting_take(hosting);
    enum hosting_answer answer = hosting_hosts(v, slice_str(domain));

    hosting_give_back(v);
    return answer;
}

static void test_shrunk(struct hosting *hosting, const struct settings *s)
{
    struct err err = {.code = 0};

    fixture_write("domains", "");
    OK(hosting_reload(hosting, s, &err) != 0 && err.code == EX_TEMPFAIL,
       "a file that was just written is not read");
    rewrite(hosting, "");
    OK(hosts_now(hosting, "new.test") == HOSTING_YES, "an emptied file leaves all as it was");
    rewrite(hosting, "host.test\n");
    OK(hosts_now(hosting, "new.test") == HOSTING_UNKNOWN,
       "a domain that has gone is not refused for good at once");
    OK(hosts_now(hosting, "never.test") == HOSTING_NO, "one that never was is");
    skew_ms += 60000;
    OK(hosts_now(hosting, "new.test") == HOSTING_NO, "after a minute it is gone");
    rewrite(hosting, "");
    OK(hosting_reload(hosting, s, &err) == 0 && hosts_now(hosting, "host.test") == HOSTING_UNKNOWN,
       "a reload confirms that there are no domains");
}

int main(void)
{
    struct settings *s;
    struct hosting *hosting;
    struct hosting_view *v;
    struct err err = {.code = 0};

    fixture_begin();
    s = load();
    hosting = hosting_new(s, &err);
    if (OK(hosting != NULL, "a hosting")) {
        v = hosting_take(hosting);
        test_expand(v);
        hosting_give_back(v);
        test_refresh(hosting);
        test_shrunk(hosting, s);
    }
    hosting_free(hosting);
    settings_free(s);
    fixture_end();
    return tap_done();
}
