/*
 * Preloaded into Sendmail by the tests, for two things that it can only be told by files in /etc:
 * the machine's name (asked for before the configuration is read; a name without a dot costs a
 * minute) and the folder of SASL's configuration.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { SASL_PATH_TYPE_CONFIG = 1 };
int sasl_set_path(int path_type, char *path) __attribute__((weak));
int gethostname(char *name, size_t size);

int gethostname(char *name, size_t size)
{
    (void)snprintf(name, size, "mx.host.test");
    return 0;
}

__attribute__((constructor)) static void sasl_folder_set(void)
{
    char *folder = getenv("TG_SASL_FOLDER");

    if (folder != NULL && sasl_set_path != NULL)
        (void)sasl_set_path(SASL_PATH_TYPE_CONFIG, folder);
}
