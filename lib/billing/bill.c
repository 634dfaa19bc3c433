#include "lib/billing/bill.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/hosted.h"
#include "lib/core/limit_check.h"

#define ROWS_MAX 2000000

static const char *const heads[] = {"# tollgate billing period",
                                    "# schema: ", "# period: ", "# timezone: ", "# nodes: "};
enum head { HEAD_TITLE, HEAD_SCHEMA, HEAD_PERIOD, HEAD_TIMEZONE, HEAD_NODES, HEADS };
#define BILL_SCHEMA    "1"
#define WITHOUT        "account,figure"
#define WITH_CUSTOMERS "account,customer,figure"

/* --- rows ------------------------------------------------------------------------------------ */

struct bill_row *bill_add(struct bill *b, struct slice account, struct arena *arena)
{
    struct bill_row *rows = arena_grow(arena, b->rows, b->count, &b->room, sizeof *rows);

    if (rows == NULL)
        return NULL;
    b->rows = rows;
    rows[b->count] = (struct bill_row){
        .account = account,
        .counted = arena_array(arena, b->column_count + 1, sizeof *rows[b->count].counted)};
    return rows[b->count].counted != NULL ? &rows[b->count++] : NULL;
}

const struct bill_row *bill_find(const struct bill *b, struct slice account)
{
    size_t low = 0, high = b->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(b->rows[middle].account, account);

        if (order == 0)
            return &b->rows[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

int bill_column(const struct bill *b, enum counter id)
{
    for (size_t i = 0; i < b->column_count; i++) {
        if (b->columns[i] == id)
            return (int)i;
    }
    return -1;
}

int64_t bill_billed(const struct bill_row *row, size_t column)
{
    return row->counted[column] + (row->adjusted != NULL ? row->adjusted[column] : 0);
}

/* --- customers ------------------------------------------------------------------------------- */

static int by_customer(const void *a, const void *b)
{
    const struct bill_row *x = *(const struct bill_row *const *)a;
    const struct bill_row *y = *(const struct bill_row *const *)b;
    int order = (x->customer.len == 0) - (y->customer.len == 0);

    if (order == 0)
        order = slice_compare(x->customer, y->customer);
    return order != 0 ? order : slice_compare(x->account, y->account);
}

/* A customer's figures are what its accounts are billed: their adjustments are within. */
static int row_sum(struct bill *out, const struct bill_row *row, struct arena *arena)
{
    struct bill_row *sum = out->count > 0 ? &out->rows[out->count - 1] : NULL;

    if (row->customer.len == 0 || sum == NULL || !slice_equal(sum->customer, row->customer)) {
        struct slice account =
            row->customer.len > 0 ? limit_check_customer(row->customer, arena) : row->account;

        sum = account.ptr != NULL ? bill_add(out, account, arena) : NULL;
        if (sum == NULL)
            return -1;
        sum->customer = row->customer;
    }
    for (size_t i = 0; i < out->column_count; i++)
        sum->counted[i] += bill_billed(row, i);
    return 0;
}

int bill_by_customer(const struct bill *b, struct arena *arena, struct bill *out, struct err *err)
{
    const struct bill_row **order = arena_array(arena, b->count + 1, sizeof(struct bill_row *));

    *out = *b;
    out->rows = NULL;
    out->count = out->room = 0;
    if (order == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < b->count; i++)
        order[i] = &b->rows[i];
    qsort(order, b->count, sizeof(struct bill_row *), by_customer);
    for (size_t i = 0; i < b->count; i++) {
        if (row_sum(out, order[i], arena) != 0)
            return err_set(err, EX_OSERR, "out of memory");
    }
    return 0;
}

/* --- printing -------------------------------------------------------------------------------- */

enum figure { FIGURE_COUNTED, FIGURE_ADJUSTED, FIGURE_BILLED, FIGURES };
static const char *const figure_names[FIGURES] = {"counted", "adjusted", "billed"};

static int64_t figure_of(const struct bill_row *row, enum figure figure, size_t column)
{
    switch (figure) {
    case FIGURE_COUNTED:
        return row->counted[column];
    case FIGURE_ADJUSTED:
        return row->adjusted[column];
    case FIGURE_BILLED:
    case FIGURES:
        break;
    }
    return bill_billed(row, column);
}

static void add_line(const struct bill *b, const struct bill_row *row, enum figure figure,
                     struct buf *out)
{
    buf_add(out, row->account);
    buf_add_char(out, ',');
    if (b->has_customers) {
        buf_add(out, row->customer);
        buf_add_char(out, ',');
    }
    buf_add_str(out, figure_names[figure]);
    for (size_t i = 0; i < b->column_count; i++)
        buf_addf(out, ",%" PRId64, figure_of(row, figure, i));
    buf_add_char(out, '\n');
}

void bill_print(const struct bill *b, struct buf *out)
{
    const struct slice values[HEADS] = {SLICE_NONE, SLICE(BILL_SCHEMA), b->month, b->timezone,
                                        b->nodes};

    for (size_t i = 0; i < HEADS; i++) {
        buf_add_str(out, heads[i]);
        buf_add(out, values[i]);
        buf_add_char(out, '\n');
    }
    buf_add_str(out, b->has_customers ? WITH_CUSTOMERS : WITHOUT);
    for (size_t i = 0; i < b->column_count; i++)
        buf_addf(out, ",%s", counter_table[b->columns[i]].name);
    buf_add_char(out, '\n');
    for (size_t i = 0; i < b->count; i++) {
        enum figure first = b->rows[i].adjusted != NULL ? FIGURE_COUNTED : FIGURE_BILLED;

        for (enum figure f = first; f < FIGURES; f++)
            add_line(b, &b->rows[i], f, out);
    }
}

/* --- parsing --------------------------------------------------------------------------------- */

struct parsing {
    struct slice rest;
    size_t line;
    struct bill *bill;
    struct arena *arena;
    struct err *err;
};

static int wrong(const struct parsing *p, const char *what)
{
    return err_set(p->err, EX_DATAERR, "line %zu of the file of a billing period: %s", p->line,
                   what);
}

/* Only whole lines count. */
static bool next_line(struct parsing *p, struct slice *line)
{
    ptrdiff_t end = slice_find(p->rest, '\n');

    if (end < 0)
        return false;
    *line = slice_to(p->rest, (size_t)end);
    p->rest = slice_from(p->rest, (size_t)end + 1);
    p->line++;
    return true;
}

static int parse_heads(struct parsing *p)
{
    struct slice *values[HEADS] = {[HEAD_PERIOD] = &p->bill->month,
                                   [HEAD_TIMEZONE] = &p->bill->timezone,
                                   [HEAD_NODES] = &p->bill->nodes};

    for (size_t i = 0; i < HEADS; i++) {
        struct slice line, head = slice_str(heads[i]);

        if (!next_line(p, &line) || !slice_starts(line, head))
            return wrong(p, "expected the head of such a file");
        line = slice_from(line, head.len);
        if (values[i] != NULL)
            *values[i] = line;
        else if (!slice_equal(line, i == HEAD_SCHEMA ? SLICE(BILL_SCHEMA) : SLICE_NONE))
            return wrong(p, "written by another version of tollgate");
    }
    return 0;
}

static int parse_columns(struct parsing *p)
{
    struct slice line, name;

    if (!next_line(p, &line))
        return wrong(p, "expected the names of the columns");
    p->bill->has_customers = slice_starts(line, SLICE(WITH_CUSTOMERS));
    if (!p->bill->has_customers && !slice_starts(line, SLICE(WITHOUT)))
        return wrong(p, "expected the names of the columns");
    line =
        slice_from(line, p->bill->has_customers ? sizeof WITH_CUSTOMERS - 1 : sizeof WITHOUT - 1);
    if (line.len == 0)
        return 0;
    if (line.ptr[0] != ',' || line.len == 1)
        return wrong(p, "expected the names of the columns");
    line = slice_from(line, 1);
    while (slice_cut(&line, ',', &name)) {
        int id = counter_find(name);

        if (id < 0 || bill_column(p->bill, (enum counter)id) >= 0)
            return wrong(p, "unknown column: written by another version of tollgate");
        p->bill->columns[p->bill->column_count++] = (enum counter)id;
    }
    return 0;
}

static bool parse_number(struct slice text, int64_t *value)
{
    bool is_less = slice_starts(text, SLICE("-"));
    struct slice digits = slice_from(text, is_less ? 1 : 0);
    uint64_t n;

    if (!slice_number(digits, &n) || n > INT64_MAX / 4 || (is_less && n == 0) ||
        (digits.len > 1 && digits.ptr[0] == '0'))
        return false;
    *value = is_less ? -(int64_t)n : (int64_t)n;
    return true;
}

static bool parse_values(const struct parsing *p, struct slice rest, int64_t *values)
{
    size_t count = 0;
    struct slice text;

    while (rest.ptr != NULL && slice_cut(&rest, ',', &text)) {
        if (count == p->bill->column_count || !parse_number(text, &values[count]))
            return false;
        count++;
    }
    return count == p->bill->column_count;
}

/* "account," or "account,customer,": the row's. */
static bool parse_names(const struct parsing *p, struct slice *line, const struct bill_row *row)
{
    struct slice name, customer = SLICE_NONE;

    return slice_cut(line, ',', &name) && name.len > 0 && slice_equal(name, row->account) &&
           (!p->bill->has_customers || slice_cut(line, ',', &customer)) &&
           slice_equal(customer, row->customer);
}

/* A line "account,figure,numbers" of that row. */
static int parse_line(struct parsing *p, struct slice line, const struct bill_row *row,
                      enum figure *figure, int64_t *values)
{
    struct slice word;

    if (!parse_names(p, &line, row) || !slice_cut(&line, ',', &word))
        return wrong(p, "expected account,figure,numbers");
    for (*figure = 0; *figure < FIGURES; ++*figure) {
        if (slice_equal(word, slice_str(figure_names[*figure])))
            break;
    }
    if (*figure == FIGURES || !parse_values(p, line, values))
        return wrong(p, "expected account,figure,numbers");
    return 0;
}

static int parse_adjusted(struct parsing *p, struct bill_row *row)
{
    int64_t *billed = arena_array(p->arena, p->bill->column_count + 1, sizeof *billed);
    struct slice line;
    enum figure figure;

    row->adjusted = arena_array(p->arena, p->bill->column_count + 1, sizeof *row->adjusted);
    if (billed == NULL || row->adjusted == NULL)
        return err_set(p->err, EX_OSERR, "out of memory");
    if (!next_line(p, &line) || parse_line(p, line, row, &figure, row->adjusted) != 0 ||
        figure != FIGURE_ADJUSTED || !next_line(p, &line) ||
        parse_line(p, line, row, &figure, billed) != 0 || figure != FIGURE_BILLED)
        return wrong(p, "expected the lines adjusted and billed of the account");
    for (size_t i = 0; i < p->bill->column_count; i++) {
        if (billed[i] != bill_billed(row, i))
            return wrong(p, "billed is not counted and adjusted together");
    }
    return 0;
}

static int parse_row(struct parsing *p, struct slice line)
{
    struct slice rest = line, account, customer = SLICE_NONE;
    struct bill_row *row;
    enum figure figure;

    (void)slice_cut(&rest, ',', &account);
    if (p->bill->has_customers && rest.ptr != NULL)
        (void)slice_cut(&rest, ',', &customer);
    if (customer.len > 0 && !hosted_customer_is_name(customer))
        return wrong(p, "expected the name of a customer, or none");
    if (p->bill->count > 0 &&
        slice_compare(p->bill->rows[p->bill->count - 1].account, account) >= 0)
        return wrong(p, "accounts are not in order");
    row = p->bill->count < ROWS_MAX ? bill_add(p->bill, account, p->arena) : NULL;
    if (row == NULL)
        return err_set(p->err, EX_OSERR, "out of memory");
    row->customer = customer;
    if (parse_line(p, line, row, &figure, row->counted) != 0)
        return -1;
    if (figure == FIGURE_COUNTED)
        return parse_adjusted(p, row);
    return figure == FIGURE_BILLED ? 0 : wrong(p, "expected the lines counted or billed");
}

int bill_parse(struct slice text, struct arena *arena, struct bill *out, struct err *err)
{
    struct parsing p = {.rest = text, .bill = out, .arena = arena, .err = err};
    struct slice line;

    *out = (struct bill){.count = 0};
    if (parse_heads(&p) != 0 || parse_columns(&p) != 0)
        return -1;
    while (next_line(&p, &line)) {
        if (parse_row(&p, line) != 0)
            return -1;
    }
    return p.rest.len == 0 ? 0 : wrong(&p, "the file is cut off behind this line");
}
