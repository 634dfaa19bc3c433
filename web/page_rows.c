#include "web/page_rows.h"

#include "web/page.h"

#define COLUMNS_MAX 32

struct page_columns {
    size_t index[COLUMNS_MAX];
    struct page_head heads[COLUMNS_MAX];
    size_t count;
};

static const struct cell *cell_at(const struct table *t, size_t row, size_t column)
{
    return &t->cells[row * t->column_count + column];
}

static bool is_empty(const struct table *t, size_t column)
{
    for (size_t i = 0; i < t->row_count; i++) {
        if (cell_at(t, i, column)->shown.len > 0)
            return false;
    }
    return true;
}

static void choose(const struct table *t, struct page_columns *c)
{
    c->count = 0;
    for (size_t i = 0; i < t->column_count && c->count < COLUMNS_MAX; i++) {
        const struct table_column *column = &t->columns[i];

        if (column->head == NULL || is_empty(t, i))
            continue;
        c->index[c->count] = i;
        c->heads[c->count++] = (struct page_head){column->head, column->right, column->minor};
    }
}

void page_rows(struct html *h, const char *id, const char *caption, const struct table *t)
{
    struct page_columns c;

    choose(t, &c);
    page_table_open(h, id, caption, c.heads, c.count);
    for (size_t r = 0; r < t->row_count; r++) {
        html_open(h, "tr");
        for (size_t i = 0; i < c.count; i++) {
            struct slice shown = cell_at(t, r, c.index[i])->shown;

            if (i == 0)
                page_cell_name(h, SLICE_NONE, shown);
            else
                page_cell(h, &c.heads[i], shown);
        }
        html_close(h, "tr");
        html_newline(h);
    }
    page_table_close(h);
}
