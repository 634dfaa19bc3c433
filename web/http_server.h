#ifndef TG_WEB_HTTP_SERVER_H
#define TG_WEB_HTTP_SERVER_H

#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/tls_pair.h"
#include "web/http_listen.h"
#include "web/site.h"

/*
 * HTTP by libmicrohttpd, the only file that knows it: for each socket four threads with epoll. A
 * request becomes an exchange, routes_answer fills it in, and its answer goes out.
 *
 * What a client may take: web.connections_max and web.client_connections_max connections, 32 kB of
 * request line and headers, HTTP_BODY_MAX of body, and web.timeout for a request to arrive as a
 * whole, however busily it trickles (http_server_watch). An upload is read before it is answered,
 * since an answer before that closes the connection.
 *
 * Owner: http_server_stop.  Threads: those of libmicrohttpd are started with the caller's signal
 * mask; the functions here are the main thread's.
 */

#define HTTP_SERVER_THREADS 4

struct http_server;

/* With web.tls_cert_file set, the TCP sockets speak TLS by this pair, which is taken over; `pair`
 * is empty without. The sockets stay the caller's; they have to be open until the stop. */
struct http_server *http_server_start(struct site *site, const struct http_listen *l,
                                      const struct settings *s, struct tls_pair *pair,
                                      struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4);
/* Another pair for connections from now on; those under way go on with theirs. */
int http_server_renew(struct http_server *server, const struct settings *s, struct tls_pair *pair,
                      struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
/* Ends connections whose request has not arrived in time. To be called about once a second. */
void http_server_watch(struct http_server *server, int64_t now_ms) TG_NONNULL(1);
/* Accepts nothing more, waits until `until_ms` (monotonic) for requests under way, then ends all.
 */
void http_server_stop(struct http_server *server, int64_t until_ms);

#endif
