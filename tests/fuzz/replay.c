/* SPDX-License-Identifier: ISC */
/* replay.c - runs one target over files and folders of inputs, without the fuzzer: what was
 * once interesting is run again by `make check` under any compiler. Says how many there were. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "tests/fuzz/fuzz.h"

static int run_file(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *octets;

    if (fd == -1 || fstat(fd, &st) == -1) {
        perror(path);
        exit(1);
    }
    octets = mem_new((size_t)st.st_size, 1);
    if (read(fd, octets, (size_t)st.st_size) != st.st_size) {
        perror(path);
        exit(1);
    }
    (void)close(fd);
    (void)LLVMFuzzerTestOneInput(octets, (size_t)st.st_size);
    free(octets);
    return 1;
}

static int run_path(const char *path)
{
    struct dirent **names;
    struct stat st;
    int n, ran = 0;

    if (stat(path, &st) == -1) {
        perror(path);
        exit(1);
    }
    if (!S_ISDIR(st.st_mode))
        return run_file(path);
    n = scandir(path, &names, NULL, alphasort);
    if (n < 0) {
        perror(path);
        exit(1);
    }
    for (int i = 0; i < n; i++) {
        char file[4096];

        if (names[i]->d_name[0] != '.' && snprintf(file, sizeof(file), "%s/%s", path,
                                                   names[i]->d_name) < (int)sizeof(file))
            ran += run_path(file);
        free(names[i]);
    }
    free(names);
    return ran;
}

int main(int argc, char **argv)
{
    int ran = 0;

    for (int i = 1; i < argc; i++)
        ran += run_path(argv[i]);
    printf("%d inputs\n", ran);
    return 0;
}
