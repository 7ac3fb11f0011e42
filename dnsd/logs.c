/* SPDX-License-Identifier: ISC */
#include "dnsd/logs.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int logs_open(const struct conf *c, struct err *err)
{
    const char *path = conf_text(c, "log_file");
    int fd = *path == '\0' ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
                           : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

    if (fd == -1)
        (void)err_sys(err, "log_file %s", path);
    return fd;
}

enum log_level logs_level(const struct conf *c)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    size_t i = 0;

    while (i < COUNT_OF(levels) && strcmp(conf_text(c, "log_level"), levels[i]) != 0)
        i++;
    return i < COUNT_OF(levels) ? (enum log_level)i : LOG_LEVEL_INFO;
}

void logs_init(struct log *l, int fd, const char *part, const struct conf *c)
{
    bool is_json = strcmp(conf_text(c, "log_format"), "json") == 0;

    log_init(l, fd, part, clock_system());
    l->format = is_json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
    l->least = logs_level(c);
}
