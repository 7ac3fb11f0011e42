/* SPDX-License-Identifier: ISC */
/* tests/tools/inject.c - makes a running process make one system call, as an intruder would.
 *
 *   inject PID CALL      CALL: a name from the table below
 *   inject --list
 *
 * It attaches to the process (as root; a debugger's way in), points it at the system call
 * instruction in front of where it waits, lets it do that one step and looks what happens.
 * Prints one line: "died of SIGSYS", "died of signal N", or "lives, the call gave N" (then the
 * process goes on as if nothing had been). Exit code 0: died of SIGSYS; 1: lives or died
 * otherwise; 2: wrong use, or could not attach; 77: this machine is not x86-64.
 *
 * The arguments are such that a call that is allowed does no harm. */
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#define NO_PATH 0xdead /* no address of anybody: EFAULT where the call is allowed */

static const struct call {
    const char *name;
    unsigned long long nr, args[4];
} calls[] = {
    {"execve", SYS_execve, {NO_PATH, 0, 0, 0}},
    {"fork", SYS_clone, {SIGCHLD, 0, 0, 0}},
    {"ptrace", SYS_ptrace, {PTRACE_ATTACH, 1, 0, 0}},
    {"packet-socket", SYS_socket, {AF_PACKET, SOCK_RAW, 0, 0}},
    {"unix-socket", SYS_socket, {AF_UNIX, SOCK_STREAM, 0, 0}},
    {"tcp-socket", SYS_socket, {AF_INET, SOCK_STREAM, 0, 0}},
    {"udp-socket", SYS_socket, {AF_INET, SOCK_DGRAM, 0, 0}},
    {"open", SYS_openat, {(unsigned long long)AT_FDCWD, NO_PATH, O_RDONLY, 0}},
    {"create",
     SYS_openat,
     {(unsigned long long)AT_FDCWD, NO_PATH, O_WRONLY | O_CREAT | O_TRUNC, 0}},
    {"unlink", SYS_unlink, {NO_PATH, 0, 0, 0}},
    {"kill", SYS_kill, {1, 0, 0, 0}},
    {"setuid", SYS_setuid, {0, 0, 0, 0}},
    {"mount", SYS_mount, {NO_PATH, NO_PATH, NO_PATH, 0}},
    {"code", SYS_mprotect, {0, 0, PROT_READ | PROT_EXEC, 0}},
    {"bpf", SYS_bpf, {0, NO_PATH, 0, 0}},
};

static int usage(void)
{
    (void)fprintf(stderr, "usage: inject PID CALL | inject --list\n");
    return 2;
}

static int fault(const char *what)
{
    (void)fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
    return 2;
}

static const struct call *find(const char *name)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (strcmp(calls[i].name, name) == 0)
            return &calls[i];
    return NULL;
}

/* Wait until it stands in front of no work of its own: interrupted while it waits. */
static int stop(pid_t pid)
{
    int status;

    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) == -1)
        return fault("attach");
    if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == -1)
        return fault("interrupt");
    if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
        return fault("wait for the stop");
    return 0;
}

/* Let it go on with signals passed to it, until it has made one step or is dead. */
static int step(pid_t pid, int *status)
{
    unsigned long signo = 0;
    bool is_signalled = false;

    for (int i = 0; i < 100; i++) {
        /* A signal on its way (SIGSYS) runs its handler: no more single steps then. */
        if (ptrace(is_signalled ? PTRACE_CONT : PTRACE_SINGLESTEP, pid, NULL, signo) ==
            -1)
            return fault("go on");
        if (waitpid(pid, status, __WALL) != pid)
            return fault("wait");
        if (!WIFSTOPPED(*status) || (WSTOPSIG(*status) == SIGTRAP && !is_signalled))
            return 0;
        /* The stop of a process that is about to die is no signal of its own. */
        signo = WSTOPSIG(*status) == SIGTRAP ? 0 : (unsigned long)WSTOPSIG(*status);
        is_signalled = true;
    }
    errno = ELOOP;
    return fault("too many signals");
}

static int inject(pid_t pid, const struct call *c)
{
    struct user_regs_struct before, regs;
    long code;
    int status = 0;

    if (stop(pid) != 0)
        return 2;
    if (ptrace(PTRACE_GETREGS, pid, NULL, &before) == -1)
        return fault("read registers");
    errno = 0;
    code = ptrace(PTRACE_PEEKTEXT, pid, (void *)(uintptr_t)(before.rip - 2), NULL);
    if ((code & 0xffff) != 0x050f) { /* syscall */
        errno = EAGAIN;
        (void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
        return fault("it is not waiting in a system call");
    }
    regs = before;
    regs.rip -= 2;
    regs.rax = c->nr;
    regs.orig_rax = (unsigned long long)-1; /* the call it waits in is not made again */
    regs.rdi = c->args[0];
    regs.rsi = c->args[1];
    regs.rdx = c->args[2];
    regs.r10 = c->args[3];
    if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) == -1)
        return fault("write registers");
    if (step(pid, &status) != 0)
        return 2;
    if (WIFSIGNALED(status)) {
        (void)printf("%s: died of %s\n", c->name,
                     WTERMSIG(status) == SIGSYS ? "SIGSYS" : strsignal(WTERMSIG(status)));
        return WTERMSIG(status) == SIGSYS ? 0 : 1;
    }
    if (WIFEXITED(status)) {
        (void)printf("%s: ended with %d\n", c->name, WEXITSTATUS(status));
        return 1;
    }
    if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) == -1)
        return fault("read registers");
    (void)printf("%s: lives, the call gave %lld\n", c->name, (long long)regs.rax);
    /* As it was: the wait is made again. */
    if (ptrace(PTRACE_SETREGS, pid, NULL, &before) == -1 ||
        ptrace(PTRACE_DETACH, pid, NULL, NULL) == -1)
        return fault("let go");
    return 1;
}

int main(int argc, char **argv)
{
    const struct call *c;
    char *end;
    long pid;

    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
            (void)puts(calls[i].name);
        return 0;
    }
    if (argc != 3 || (c = find(argv[2])) == NULL)
        return usage();
    pid = strtol(argv[1], &end, 10);
    if (*end != '\0' || pid <= 1)
        return usage();
    return inject((pid_t)pid, c);
}

#else

int main(void)
{
    (void)puts("inject: skipped, it knows the registers of x86-64 only");
    return 77;
}

#endif
