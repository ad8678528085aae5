/*
 * Makes the journal's disk fail on demand. Loaded with LD_PRELOAD into a test's child process.
 *
 * DTA_FAULT names a control file. Its first byte says what fails, and only for a file named `journal`:
 *   s  fdatasync: EIO
 *   w  writing: EIO
 *   n  writing: half of the bytes, then ENOSPC, for as long as the file `reserve` lies beside it
 *   N  writing: ENOSPC, always
 *   h  fdatasync: waits for as long as the control file says so
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static char fault(void)
{
    const char *path = getenv("DTA_FAULT");
    char byte = 0;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        if (read(fd, &byte, 1) != 1)
            byte = 0;
        close(fd);
    }
    return byte;
}

/* Writes the journal's path into `path` and returns 1 if `fd` is one. */
static int is_journal(int fd, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 8)
        return 0;
    path[length] = 0;
    return strcmp(path + length - 8, "/journal") == 0;
}

static int has_reserve(char *path)
{
    strcpy(path + strlen(path) - 7, "reserve");
    return access(path, F_OK) == 0;
}

int fdatasync(int fd)
{
    char path[PATH_MAX];
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    if (is_journal(fd, path)) {
        if (fault() == 's') {
            errno = EIO;
            return -1;
        }
        while (fault() == 'h')
            usleep(1000);
    }
    return real(fd);
}

static ssize_t faulty_pwrite(const char *name, int fd, const void *data, size_t size, off_t at)
{
    static int half_written;
    char path[PATH_MAX];
    ssize_t (*real)(int, const void *, size_t, off_t) =
        (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, name);
    char now = fault();
    if (now && is_journal(fd, path)) {
        if (now == 'w') {
            errno = EIO;
            return -1;
        }
        if (now == 'N' || (now == 'n' && has_reserve(path))) {
            half_written = !half_written;
            if (half_written && size > 1)
                return real(fd, data, size / 2, at);
            errno = ENOSPC;
            return -1;
        }
    }
    return real(fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    return faulty_pwrite("pwrite", fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at)
{
    return faulty_pwrite("pwrite64", fd, data, size, at);
}
