/* SPDX-License-Identifier: ISC */
/* tests/bench/preload/slowsync.c - makes each fsync and fdatasync take longer, and counts them.
 *
 * Loaded into every program of the bench's namespace by its own /etc/ld.so.preload, since
 * Postfix clears its environment. The delay and the counters stand in the file /etc/slowsync
 * of that namespace (struct below, zeros are fine), mapped before the program runs: a later
 * chroot or filter of system calls does not matter, and the delay can be changed while servers
 * run. Waiting is a futex, which every threaded program may use under its filter. */
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct control {
    atomic_uint delay_us;
    atomic_uint unused;
    atomic_ullong syncs;   /* calls */
    atomic_ullong delayed; /* of these, with a delay */
};

static struct control *control;

__attribute__((constructor)) static void map_control(void)
{
    int fd = open("/etc/slowsync", O_RDWR | O_CLOEXEC);
    void *at = MAP_FAILED;

    if (fd != -1) {
        at = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        (void)close(fd);
    }
    control = at == MAP_FAILED ? NULL : at;
}

static void wait_us(unsigned us)
{
    struct timespec until;
    sem_t never;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += us / 1000000;
    until.tv_nsec += (long)(us % 1000000) * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)sem_init(&never, 0, 0);
    while (sem_timedwait(&never, &until) == -1 && errno == EINTR)
        continue;
    (void)sem_destroy(&never);
}

static int sync_slowly(long call, int fd)
{
    unsigned us = control != NULL ? atomic_load(&control->delay_us) : 0;

    if (control != NULL)
        (void)atomic_fetch_add(&control->syncs, 1);
    if (us > 0) {
        (void)atomic_fetch_add(&control->delayed, 1);
        wait_us(us);
    }
    return (int)syscall(call, fd);
}

int fsync(int fd)
{
    return sync_slowly(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_slowly(SYS_fdatasync, fd);
}
