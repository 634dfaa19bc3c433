/* DNS answers of any bytes: hosts in order, never more than there is room for. */
#include "lib/core/err.h"
#include "relay/mx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = {(const char *)data, size};
    static struct mx_list list;
    static struct mx_host host;
    struct arena arena;

    arena_init(&arena, (size_t)1 << 20);
    if (mx_parse(in, &arena, &list) >= 0) {
        TG_ASSERT(list.count <= MX_HOSTS_MAX);
        for (size_t i = 0; i < list.count; i++) {
            TG_ASSERT(list.hosts[i].name != NULL);
            TG_ASSERT(i == 0 || list.hosts[i - 1].preference <= list.hosts[i].preference);
        }
    }
    host.address_count = 0;
    (void)mx_parse_addresses(in, 25, &host);
    TG_ASSERT(host.address_count <= MX_ADDRESSES_MAX);
    for (size_t i = 0; i < host.address_count; i++)
        TG_ASSERT(host.addresses[i].ss_family == AF_INET ||
                  host.addresses[i].ss_family == AF_INET6);
    arena_fini(&arena);
    return 0;
}
