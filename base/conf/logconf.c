/* SPDX-License-Identifier: ISC */
#include "base/conf/logconf.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int logconf_open(const struct conf *c, struct err *err)
{
    const char *path = conf_text(c, "log_file");
    int fd = *path == '\0' ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
                           : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

    if (fd == -1)
        (void)err_sys(err, "log_file %s", path);
    return fd;
}

void logconf_apply(const struct conf *c, struct log *l)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};

    l->format = strcmp(conf_text(c, "log_format"), "json") == 0 ? LOG_FORMAT_JSON
                                                                : LOG_FORMAT_TEXT;
    for (size_t i = 0; i < COUNT_OF(levels); i++)
        if (strcmp(conf_text(c, "log_level"), levels[i]) == 0)
            l->least = (enum log_level)i;
}
