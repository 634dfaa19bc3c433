#include "relay/policy.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "t/tap.h"

static char dir[64];

static void write_file(const char *name, const char *text, char *path, size_t room)
{
    FILE *out;

    (void)snprintf(path, room, "%s/%s", dir, name);
    out = fopen(path, "w");
    if (out == NULL || fputs(text, out) == EOF || fclose(out) != 0)
        exit(1);
}

static struct settings *load(const char *networks)
{
    char path[128], domains[128], text[1000];
    struct err err = {.code = 0};
    struct settings *s;

    write_file("domains", "host.test\n.wild.test\n", domains, sizeof domains);
    (void)snprintf(text, sizeof text,
                   "state_dir = \"%s\";\nhosted: { domains = [\"file:%s\"]; };\n"
                   "store: { url = \"unix://%s/none\"; };\nnetworks: { %s };\n",
                   dir, domains, dir, networks);
    write_file("conf", text, path, sizeof path);
    s = settings_load(path, stderr, &err);
    if (s == NULL)
        exit(1);
    return s;
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
    struct site *site = site_new(s, &err);
    struct site_view *v;

    if (!OK(site != NULL, "a site"))
        return;
    v = site_take(site);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct policy_client client = {slice_str(cases[i].ip), cases[i].has_login};
        char what[200];

        (void)snprintf(what, sizeof what, "%s%s to %s", cases[i].ip,
                       cases[i].has_login ? ", logged in," : "", cases[i].domain);
        IS_INT(policy_recipient(v, &client, slice_str(cases[i].domain)), cases[i].want, what);
    }
    site_give_back(v);
    site_free(site);
    settings_free(s);
}

int main(void)
{
    char command[100];

    (void)snprintf(dir, sizeof dir, "/tmp/tg-policy-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return 1;
    test_open_relays();
    test_matrix();
    (void)snprintf(command, sizeof command, "rm -r %s", dir);
    (void)!system(command);
    return tap_done();
}
