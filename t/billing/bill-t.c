/* The file of a closed month, and the chain of hashes. */
#include "t/tap.h"

#include <string.h>
#include <sysexits.h>

#include "lib/billing/bill.h"
#include "lib/billing/bill_chain.h"

#define HEAD                                                                                       \
    "# tollgate billing period\n# schema: 1\n# period: 2026-11\n# timezone: UTC\n# nodes: mx1\n"
#define COLUMNS "account,figure,in_messages,in_bytes\n"
#define HASH    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char whole[] = HEAD COLUMNS "a.example,billed,1,2\n"
                                         "b.example,counted,10,20\n"
                                         "b.example,adjusted,-3,0\n"
                                         "b.example,billed,7,20\n";

#define BY_CUSTOMER "account,customer,figure,in_messages,in_bytes\n"
static const char customers[] = HEAD BY_CUSTOMER "a.example,,billed,1,2\n"
                                                 "b.example,zoo,counted,10,20\n"
                                                 "b.example,zoo,adjusted,-3,0\n"
                                                 "b.example,zoo,billed,7,20\n"
                                                 "c.example,4711,billed,5,6\n"
                                                 "d.example,zoo,billed,100,-1\n";
static const char summed[] = HEAD BY_CUSTOMER "@customer:4711,4711,billed,5,6\n"
                                              "@customer:zoo,zoo,billed,107,19\n"
                                              "a.example,,billed,1,2\n";

static const struct bad_file {
    const char *text, *says;
} bad_files[] = {
    {"", "line 0"},
    {"account,figure\n", "line 1"},
    {"# tollgate billing period\n# schema: 2\n", "another version"},
    {HEAD "account,figure,no_such\n", "unknown column"},
    {HEAD "account,figure,in_bytes,in_bytes\n", "unknown column"},
    {HEAD "account,figures\n", "names of the columns"},
    {HEAD "account,figure,\n", "names of the columns"},
    {HEAD "account,figure,in_bytes,\n", "unknown column"},
    {HEAD COLUMNS "a.example,billed,1\n", "account,figure,numbers"},
    {HEAD COLUMNS "a.example,billed,1,2,3\n", "account,figure,numbers"},
    {HEAD COLUMNS "a.example,billed,1,x\n", "account,figure,numbers"},
    {HEAD COLUMNS "a.example,billed,1,02\n", "account,figure,numbers"},
    {HEAD COLUMNS "a.example,billed,1,-0\n", "account,figure,numbers"},
    {HEAD COLUMNS "a.example,billed,1,99999999999999999999\n", "account,figure,numbers"},
    {HEAD COLUMNS ",billed,1,2\n", "account,figure,numbers"},
    {HEAD COLUMNS "a.example,adjusted,1,2\n", "counted or billed"},
    {HEAD COLUMNS "a.example,counted,1,2\n", "adjusted and billed"},
    {HEAD COLUMNS "a.example,counted,1,2\na.example,adjusted,1,1\na.example,billed,2,2\n",
     "counted and adjusted together"},
    {HEAD COLUMNS "b.example,billed,1,2\na.example,billed,1,2\n", "not in order"},
    {HEAD COLUMNS "a.example,billed,1,2\na.example,billed,1,2\n", "not in order"},
    {HEAD COLUMNS "a.example,billed,1,2", "cut off"},
    {HEAD COLUMNS "a.example,4711,billed,1,2\n", "account,figure,numbers"},
    {HEAD BY_CUSTOMER "a.example,billed,1,2\n", "account,figure,numbers"},
    {HEAD BY_CUSTOMER "a.example,a b,billed,1,2\n", "name of a customer"},
    {HEAD BY_CUSTOMER "a.example,x,counted,1,2\na.example,y,adjusted,1,1\na.example,x,billed,2,3\n",
     "adjusted and billed"},
};

static void test_files(void)
{
    struct arena arena;
    struct bill bill, by;
    struct buf out;
    struct err err;

    arena_init(&arena, 1 << 20);
    buf_init(&out, 65536);
    OK(bill_parse(slice_str(whole), &arena, &bill, &err) == 0, "a file is read");
    OK(bill.count == 2 && bill_billed(&bill.rows[1], 0) == 7 && bill.rows[1].counted[0] == 10,
       "with counted, adjusted and billed");
    OK(bill_find(&bill, SLICE("b.example")) == &bill.rows[1] &&
           bill_find(&bill, SLICE("c.example")) == NULL,
       "accounts are found");
    OK(bill_column(&bill, COUNTER_IN_BYTES) == 1 && bill_column(&bill, COUNTER_OUT_BYTES) == -1,
       "and columns");
    bill_print(&bill, &out);
    OK(slice_equal(buf_slice(&out), slice_str(whole)), "and printed as it was");
    OK(bill_parse(slice_str(customers), &arena, &bill, &err) == 0 && bill.has_customers,
       "one with customers");
    buf_reset(&out);
    bill_print(&bill, &out);
    OK(slice_equal(buf_slice(&out), slice_str(customers)), "is printed as it was");
    OK(bill_by_customer(&bill, &arena, &by, &err) == 0, "and summed up");
    buf_reset(&out);
    bill_print(&by, &out);
    IS_SLICE(buf_slice(&out), slice_str(summed), "by customer, the others for themselves");
    for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
        int code = bill_parse(slice_str(bad_files[i].text), &arena, &bill, &err);

        OK(code != 0 && err.code == EX_DATAERR && strstr(err.text, bad_files[i].says) != NULL,
           bad_files[i].says);
    }
    buf_fini(&out);
    arena_fini(&arena);
}

static void test_chain(void)
{
    /* printf %s file | sha256sum; (printf %s HASH; printf %s more) | sha256sum */
    static const char first[] = "3b9c358f36f0a31b6ad3e14f309c7cf198ac9246e8316f9ce543d5b19ac02b80",
                      second[] = "3c255b239269c03b1a4ad33eb618fe11f752d122a2cbe85d864f143e7dfe174d";
    struct bill_entry e = {.month = SLICE("2026-10"),
                           .hash = SLICE(HASH),
                           .closed_at = SLICE("2026-11-01T06:00:00Z"),
                           .by = SLICE("root\tx\n"),
                           .reason = SLICE_NONE},
                      back;
    char hash[BILL_HASH_TEXT];
    struct bill_chain chain;
    struct arena arena;
    struct buf out;

    arena_init(&arena, 1 << 20);
    buf_init(&out, 65536);
    bill_chain_print(&e, &out);
    OK(slice_equal(buf_slice(&out), SLICE("2026-10\t" HASH "\t2026-11-01T06:00:00Z\troot x \t\n")),
       "a line has no controls in its parts");
    OK(bill_chain_parse_entry(slice_to(buf_slice(&out), out.len - 1), &back, NULL) == 0 &&
           slice_equal(back.month, e.month) && slice_equal(back.hash, e.hash),
       "and is read");
    buf_add_str(&out, "2026-11\t" HASH "\tx\ty\tz\n2026-12\t01");
    OK(bill_chain_parse(buf_slice(&out), &arena, &chain, NULL) == 0 && chain.count == 2 &&
           chain.text_bytes == out.len - strlen("2026-12\t01"),
       "a line that is cut off does not count");
    OK(bill_chain_find(&chain, SLICE("2026-11")) == &chain.items[1] &&
           bill_chain_find(&chain, SLICE("2026-12")) == NULL,
       "months are found");
    OK(bill_chain_parse(SLICE("2026-11\t" HASH "\t\t\t\n2026-11\t" HASH "\t\t\t\n"), &arena, &chain,
                        NULL) != 0,
       "a month stands there once");
    OK(bill_chain_parse(SLICE("2026-11-01\t" HASH "\t\t\t\n"), &arena, &chain, NULL) != 0 &&
           bill_chain_parse(SLICE("2026-11\t0123\t\t\t\n"), &arena, &chain, NULL) != 0 &&
           bill_chain_parse(SLICE("2026-11\t" HASH "\t\t\n"), &arena, &chain, NULL) != 0,
       "what is no line is refused");
    bill_chain_hash(NULL, SLICE("file"), hash);
    IS_STR(hash, first, "the first hash is that of the file");
    e.hash = slice_str(first);
    chain = (struct bill_chain){.count = 0};
    OK(bill_chain_add(&chain, &e, &arena, NULL) == 0 &&
           bill_chain_matches(&chain, 0, SLICE("file")) &&
           !bill_chain_matches(&chain, 0, SLICE("fyle")),
       "by which a file is proved");
    bill_chain_hash(&e, SLICE("more"), hash);
    IS_STR(hash, second, "the next is that of this hash and the next file");
    buf_fini(&out);
    arena_fini(&arena);
}

int main(void)
{
    test_files();
    test_chain();
    return tap_done();
}
