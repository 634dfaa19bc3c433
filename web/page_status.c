#include "web/page_status.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/core/format.h"
#include "web/figures.h"
#include "web/page.h"

static const struct page_head node_heads[] = {{"node", false, false},
                                              {"state", false, false},
                                              {"version", false, true},
                                              {"running since", false, true},
                                              {"counted through", false, false},
                                              {"in Redis through", false, false},
                                              {"rows to push", true, true}};

static const struct page_head log_heads[] = {{"node", false, false},
                                             {"log read through", false, false},
                                             {"lines", true, false},
                                             {"gaps", true, false},
                                             {"sources", false, true}};

static void add_count(struct html *h, const struct page_head *head, uint64_t n)
{
    struct buf text;

    buf_init(&text, 64);
    format_count(&text, n);
    page_cell(h, head, buf_slice(&text));
    buf_fini(&text);
}

static const char *state_of(const struct node_info *n, int64_t now_s)
{
    if (n->is_retired)
        return "retired";
    if (n->is_renamed)
        return "has another name now";
    if (n->rival.len > 0)
        return "two nodes have this name";
    return n->seen + COVERAGE_LATE_S < now_s ? "not seen lately" : "up";
}

static void add_node(struct exchange *x, struct html *h, const struct node_info *n)
{
    html_open(h, "tr");
    page_cell_name(h, SLICE_NONE, n->name);
    page_cell(h, &node_heads[1], slice_str(state_of(n, x->now_ms / 1000)));
    page_cell(h, &node_heads[2], n->version);
    page_cell_time(h, &node_heads[3], n->started);
    page_cell_time(h, &node_heads[4], n->counted_through);
    page_cell_time(h, &node_heads[5], n->pushed_through);
    add_count(h, &node_heads[6], n->dirty_rows > 0 ? (uint64_t)n->dirty_rows : 0);
    html_close(h, "tr");
    html_newline(h);
}

static void add_log(struct html *h, struct slice name, const struct collector_info *c)
{
    html_open(h, "tr");
    page_cell_name(h, SLICE_NONE, name);
    page_cell_time(h, &log_heads[1], c->log_through);
    add_count(h, &log_heads[2], c->lines);
    add_count(h, &log_heads[3], c->gaps);
    page_cell(h, &log_heads[4], c->sources);
    html_close(h, "tr");
    html_newline(h);
}

static void add_nodes(struct exchange *x, struct html *h, const struct coverage_nodes *n)
{
    page_table_open(h, "nodes", "tollgated on each node", node_heads,
                    sizeof node_heads / sizeof node_heads[0]);
    for (size_t i = 0; i < n->nodes.count; i++)
        add_node(x, h, &n->nodes.items[i]);
    page_table_close(h);
    page_table_open(h, "logs", "tollgate-collect on each node", log_heads,
                    sizeof log_heads / sizeof log_heads[0]);
    for (size_t i = 0; i < n->nodes.count; i++) {
        if (n->collectors[i].log.is_there)
            add_log(h, n->nodes.items[i].name, &n->collectors[i]);
    }
    page_table_close(h);
}

int page_status(struct exchange *x, struct err *err)
{
    static const char *const no_parameters[] = {NULL};
    struct coverage_nodes nodes;
    struct scope scope;
    struct html h;

    if (http_query_allow(&x->query, no_parameters, err) != 0 ||
        scope_choose(x, SLICE_NONE, SLICE_NONE, &scope, err) != 0 ||
        figures_nodes(x, &scope, &nodes, err) != 0)
        return -1;
    page_begin(x, &h, "Status");
    if (nodes.nodes.count > 0)
        add_nodes(x, &h, &nodes);
    else
        html_element_class(&h, "p", "empty", SLICE("No node has counted anything yet."));
    page_end(x, &h);
    return 0;
}
