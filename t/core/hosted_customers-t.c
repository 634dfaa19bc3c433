/* hosted: whose a domain is, what a customer can be named; the plan and admin that files give. */
#include <sysexits.h>

#include "lib/core/hosted.h"

#include "t/tap.h"

static struct hosted *w;

static int add(const char *domain, const char *customer)
{
    struct err err = {0};

    return hosted_add_customer(w, slice_str(domain), slice_str(customer), &err) == 0 ? 0 : err.code;
}

static void of(const char *account, const char *customer)
{
    IS_SLICE(hosted_customer(w, slice_str(account)), slice_str(customer), account);
}

static void test_customers(void)
{
    of("a.example", "");
    OK(add("a.example", "4711") == 0 && add("B.Example.", " 4711") == 0 &&
           add(".c.example", "cus_Nff+x@Y.z-1") == 0 && add("x.c.example", "other") == 0 &&
           add(".x.c.example", "third") == 0 && add("d.example", "4711") == 0 &&
           add("d.example", "4712") == 0,
       "entries");
    of("a.example", "4711");
    of("b.example", "4711");
    of("c.example", "");
    of("y.c.example", "cus_Nff+x@Y.z-1");
    of("z.y.c.example", "cus_Nff+x@Y.z-1");
    of("x.c.example", "other");
    of("y.x.c.example", "third");
    of("d.example", "4712");
    of("_unattributed", "");
    IS_INT(w->customer_names.count, 5, "each name once");
}

static void test_faults(void)
{
    static const char *const names[] = {"",
                                        "a b",
                                        "a:b",
                                        "a{b",
                                        "a}b",
                                        "-a",
                                        "@a",
                                        "a/b",
                                        "\xc3\xa4",
                                        ("0123456789012345678901234567890123456789"
                                         "0123456789012345678901234")};
    size_t before = w->customer_of.count;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        IS_INT(add("e.example", names[i]), EX_DATAERR, names[i]);
    IS_INT(add("e..example", "4711"), EX_DATAERR, "no domain");
    IS_INT(w->customer_of.count, before, "nothing was added");
}

static void test_plans(void)
{
    struct err err = {0};

    OK(hosted_add_plan(w, SLICE("@customer:4711"), SLICE("gold"), &err) == 0 &&
           hosted_add_plan(w, SLICE("@customer:"), SLICE("gold"), &err) != 0,
       "a customer's plan");
    IS_SLICE(hosted_plan(w, SLICE("@customer:4711")), SLICE("gold"), "is found");
    IS_SLICE(hosted_plan(w, SLICE("a.example")), SLICE_NONE, "and is not that of its domains");
}

static void test_admins(void)
{
    struct err err = {0};

    OK(hosted_add_admin(w, SLICE("A.Example"), SLICE(" boss@a.example "), &err) == 0 &&
           hosted_add_admin(w, SLICE("@customer:4711"), SLICE("it@x.example"), &err) == 0,
       "admins of a domain and of a customer");
    IS_SLICE(hosted_admin(w, SLICE("a.example")), SLICE("boss@a.example"), "is found");
    IS_SLICE(hosted_admin(w, SLICE("@customer:4711")), SLICE("it@x.example"), "that, too");
    IS_SLICE(hosted_admin(w, SLICE("b.example")), SLICE_NONE, "another domain has none");
    OK(hosted_add_admin(w, SLICE("b.example"), SLICE("boss"), &err) != 0 &&
           hosted_add_admin(w, SLICE("b.example"), SLICE("a b@c.example"), &err) != 0,
       "what is no whole address is refused");
}

int main(void)
{
    w = hosted_new(1 << 20);
    test_customers();
    test_faults();
    test_plans();
    test_admins();
    hosted_free(w);
    return tap_done();
}
