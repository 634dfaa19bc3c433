/* Lines of domains, forwarders and logins; socketmap replies. */
#include "t/tap.h"

#include "lib/core/socketmap.h"
#include "lib/core/source_line.h"

struct line_case {
    enum source_use use;
    const char *line;
    int result;
    const char *key, *value;
};

static const struct line_case lines[] = {
    {SOURCE_DOMAINS, "example.com\n", 1, "example.com", ""},
    {SOURCE_DOMAINS, "  example.com\t example.net \r\n", 1, "example.com", "example.net"},
    {SOURCE_DOMAINS, ".example.com example.com # all below", 1, ".example.com", "example.com"},
    {SOURCE_DOMAINS, "", 0, NULL, NULL},
    {SOURCE_DOMAINS, " \t\r\n", 0, NULL, NULL},
    {SOURCE_DOMAINS, "# example.com", 0, NULL, NULL},
    {SOURCE_DOMAINS, "   # example.com", 0, NULL, NULL},
    {SOURCE_DOMAINS, "example.com#x", 1, "example.com#x", ""},
    {SOURCE_DOMAINS, "example.com one.example two.example", -1, NULL, NULL},
    {SOURCE_FORWARDS, "a@example.com b@example.org", 1, "a@example.com", "b@example.org"},
    {SOURCE_FORWARDS, "a@example.com b@x.org, c@y.org", 1, "a@example.com", "b@x.org, c@y.org"},
    {SOURCE_FORWARDS, "\"a b\"@example.com c@y.org", 1, "\"a b\"@example.com", "c@y.org"},
    {SOURCE_FORWARDS, "\"a\\\" b\"@example.com c@y.org", 1, "\"a\\\" b\"@example.com", "c@y.org"},
    {SOURCE_FORWARDS, "a@example.com", -1, NULL, NULL},
    {SOURCE_FORWARDS, "a@example.com # b@x.org", -1, NULL, NULL},
    {SOURCE_LOGINS, "joe joe@example.com", 1, "joe", "joe@example.com"},
    {SOURCE_LOGINS, "joe", -1, NULL, NULL},
    {SOURCE_LOGINS, "joe joe@example.com more", -1, NULL, NULL},
};

static void test_lines(void)
{
    struct source_entry e;
    struct err err = {0};

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const struct line_case *c = &lines[i];

        IS_INT(source_line_parse(c->use, slice_str(c->line), &e, &err), c->result, c->line);
        if (c->result > 0) {
            IS_SLICE(e.key, slice_str(c->key), "key");
            IS_SLICE(e.value, slice_str(c->value), "value");
        }
    }
    IS_INT(source_line_parse(SOURCE_DOMAINS, SLICE("a\0b"), &e, &err), -1, "a NUL byte");
}

static void test_targets(void)
{
    struct slice rest = SLICE(", a@x.org,b@y.org  \"|/bin/cmd a, b\",:include:/x ,\t"), t;

    OK(source_line_target_next(&rest, &t) && slice_equal(t, SLICE("a@x.org")), "first");
    OK(source_line_target_next(&rest, &t) && slice_equal(t, SLICE("b@y.org")), "second");
    OK(source_line_target_next(&rest, &t), "third");
    IS_SLICE(t, SLICE("\"|/bin/cmd a, b\""), "quoted blanks and commas stay");
    OK(source_line_target_next(&rest, &t) && slice_equal(t, SLICE(":include:/x")), "fourth");
    OK(!source_line_target_next(&rest, &t), "no fifth");
    rest = SLICE("\"never closed, x");
    OK(source_line_target_next(&rest, &t) && rest.len == 0, "a quote that is never closed ends");
    IS_SLICE(source_line_owner(SLICE("OK")), SLICE(""), "OK is no owner");
    IS_SLICE(source_line_owner(SLICE("example.com")), SLICE("example.com"), "a domain is");
}

static void test_netstrings(void)
{
    static const char *const bad[] = {"x",   "3x",           ":",    "3:abc;",
                                      "-1:", "0000000000:,", "101:", "9999999999:"};
    static const char whole[] = "3:abc,0:,7:re";
    struct slice s = SLICE(whole), out;

    for (size_t i = 0; i < 6; i++) {
        struct slice torn = slice_to(s, i);

        IS_INT(socketmap_netstring_take(&torn, 100, &out), 0, "torn");
    }
    OK(socketmap_netstring_take(&s, 100, &out) == 1 && slice_equal(out, SLICE("abc")), "the first");
    OK(socketmap_netstring_take(&s, 100, &out) == 1 && out.len == 0, "an empty one");
    IS_INT(socketmap_netstring_take(&s, 100, &out), 0, "the third is torn");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        s = slice_str(bad[i]);
        IS_INT(socketmap_netstring_take(&s, 100, &out), -1, bad[i]);
    }
    s = SLICE("4:abcd,");
    IS_INT(socketmap_netstring_take(&s, 3, &out), -1, "longer than allowed");
}

static void test_replies(void)
{
    struct slice value = SLICE_NONE;
    struct err err = {0};
    struct buf b;

    OK(socketmap_reply(SLICE("OK a@x.org, b@y.org"), &value, &err) == 1, "found");
    IS_SLICE(value, SLICE("a@x.org, b@y.org"), "its value");
    OK(socketmap_reply(SLICE("OK"), &value, &err) == 1 && value.len == 0, "found, without a value");
    IS_INT(socketmap_reply(SLICE("NOTFOUND "), &value, &err), 0, "not found");
    IS_INT(socketmap_reply(SLICE("NOTFOUND"), &value, &err), 0, "not found, without the blank");
    OK(socketmap_reply(SLICE("TEMP database away"), &value, &err) == -1 &&
           strstr(err.text, "database away"),
       err.text);
    IS_INT(socketmap_reply(SLICE("TIMEOUT x"), &value, &err), -1, "timeout");
    IS_INT(socketmap_reply(SLICE("PERM x"), &value, &err), -1,
           "a permanent failure is no answer either");
    IS_INT(socketmap_reply(SLICE("okay"), &value, &err), -1, "no reply at all");
    IS_INT(socketmap_reply(SLICE(""), &value, &err), -1, "an empty one");
    buf_init(&b, 100);
    socketmap_request(&b, SLICE("virt"), SLICE("st@x.test"));
    IS_SLICE(buf_slice(&b), SLICE("14:virt st@x.test,"), "a request");
    buf_fini(&b);
}

int main(void)
{
    test_lines();
    test_targets();
    test_netstrings();
    test_replies();
    return tap_done();
}
