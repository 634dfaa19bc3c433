#include "relay/policy.h"

#include <sysexits.h>

#include "t/relay/hosting_fixture.h"
#include "t/tap.h"

static struct settings *load(const char *networks)
{
    char text[1000];

    fixture_write("domains", "host.test\n.wild.test\n");
    (void)snprintf(text, sizeof text,
                   "hosted: { domains = [\"file:@/domains\"]; };\nnetworks: { %s };\n", networks);
    return fixture_load(text);
}

static void test_open_relays(void)
{
    static const struct {
        const char *networks;
        bool is_open;
    } cases[] = {
        {"host = [\"127.0.0.0/8\", \"::1\"];", false},
        {"customers = [\"10.0.0.0/8\", \"172.16.0.0/12\", \"192.168.0.0/16\", \"2001:db8::/32\"];",
         false},
        {"customers = [\"0.0.0.0/0\"];", true},
        {"customers = [\"::/0\"];", true},
        {"customers = [\"::ffff:0:0/96\"];", true},
        {"host = [\"0.0.0.0/1\", \"128.0.0.0/1\"];", true},
        {"customers = [\"96.0.0.0/3\"];", true},
        {"customers = [\"2000::/3\"];", true},
        {"host = [\"1.0.0.0/8\", \"2.0.0.0/8\", \"3.0.0.0/8\", \"4.0.0.0/8\"]; customers = "
         "[\"5.0.0.0/8\", \"6.0.0.0/8\", \"7.0.0.0/8\", \"8.0.0.0/8\", \"9.0.0.0/8\"];",
         true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct settings *s = load(cases[i].networks);
        struct err err = {.code = 0};

        IS_INT(policy_check(s, &err), cases[i].is_open ? -1 : 0, cases[i].networks);
        IS_INT(err.code, cases[i].is_open ? EX_CONFIG : 0, "its code");
        settings_free(s);
    }
}

/* Who may reach whom. Redis is away, so that nobody counts as having checked mail. */
static void test_matrix(void)
{
    static const struct {
        const char *ip;
        bool has_login;
        const char *domain;
        enum policy_verdict want;
    } cases[] = {
        {"203.0.113.9", false, "host.test", POLICY_HOSTED},
        {"203.0.113.9", false, "a.wild.test", POLICY_HOSTED},
        {"203.0.113.9", false, "wild.test", POLICY_DENIED},
        {"203.0.113.9", false, "else.test", POLICY_DENIED},
        {"203.0.113.9", false, "sub.host.test", POLICY_DENIED},
        {"203.0.113.9", false, "[127.0.0.1]", POLICY_DENIED},
        {"203.0.113.9", false, "", POLICY_DENIED},
        {"203.0.113.9", true, "else.test", POLICY_RELAY},
        {"127.0.0.1", false, "else.test", POLICY_RELAY},
        {"::1", false, "else.test", POLICY_RELAY},
        {"198.51.100.7", false, "else.test", POLICY_RELAY},
        {"198.51.100.7", false, "host.test", POLICY_HOSTED},
        {"198.51.101.7", false, "else.test", POLICY_DENIED},
        {"", false, "else.test", POLICY_DENIED},
        {"nonsense", false, "else.test", POLICY_DENIED},
    };
    struct settings *s = load("customers = [\"198.51.100.0/24\"];");
    struct err err = {.code = 0};
    struct hosting *hosting = hosting_new(s, &err);
    struct hosting_view *v;

    if (!OK(hosting != NULL, "a hosting"))
        return;
    v = hosting_take(hosting);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct policy_client client = {slice_str(cases[i].ip), cases[i].has_login};
        char what[200];

        (void)snprintf(what, sizeof what, "%s%s to %s", cases[i].ip,
                       cases[i].has_login ? ", logged in," : "", cases[i].domain);
        IS_INT(policy_recipient(v, &client, slice_str(cases[i].domain)), cases[i].want, what);
    }
    hosting_give_back(v);
    hosting_free(hosting);
    settings_free(s);
}

int main(void)
{
    fixture_begin();
    test_open_relays();
    test_matrix();
    fixture_end();
    return tap_done();
}
