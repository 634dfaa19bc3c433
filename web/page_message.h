#ifndef TG_WEB_PAGE_MESSAGE_H
#define TG_WEB_PAGE_MESSAGE_H

#include "lib/core/contract.h"
#include "lib/core/html.h"
#include "web/exchange.h"

/*
 * /q/QUEUE-ID: what is known of a message. An admin is told everything, and what to run where for
 * the rest; others what concerns their domains, or themselves, and 404 where that is nothing.
 */

int page_message(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
/* A cell with the queue id, which leads there. */
struct page_head;
void page_message_cell(struct html *h, const struct page_head *head, struct slice queue_id)
    TG_NONNULL(1, 2);

#endif
