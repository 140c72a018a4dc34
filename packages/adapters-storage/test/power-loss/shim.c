/*
 * Logs, in order, every write, truncation, creation, removal and sync of files below $MODELGATE_LOG_ROOT to
 * $MODELGATE_LOG_FILE, so that run.mjs can tell what a loss of power at any moment would have left on the disk.
 * Memory-mapped files are not logged: SQLite maps its index of the log alone, which it makes anew.
 *
 * A record: type (1 byte), length of the path (2), offset (8), length of the data (4), path, data.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static const char *root;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void put(const void *data, size_t length) {
  static ssize_t (*real)(int, const void *, size_t);
  if (!real) real = REAL(write);
  const char *at = data;
  while (length > 0) {
    ssize_t done = real(log_fd, at, length);
    if (done <= 0) abort();
    at += done;
    length -= (size_t)done;
  }
}

static void record(char type, const char *path, int64_t offset, const void *data, size_t length) {
  uint16_t path_length = (uint16_t)strlen(path);
  uint32_t data_length = (uint32_t)length;
  pthread_mutex_lock(&lock);
  put(&type, 1);
  put(&path_length, 2);
  put(&offset, 8);
  put(&data_length, 4);
  put(path, path_length);
  put(data, length);
  pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void begin(void) {
  root = getenv("MODELGATE_LOG_ROOT");
  const char *file = getenv("MODELGATE_LOG_FILE");
  if (root && file) log_fd = REAL(open)(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* Whether the path is of interest; the index of the log is not. */
static int is_ours(const char *path) {
  if (log_fd < 0 || strncmp(path, root, strlen(root)) != 0) return 0;
  size_t length = strlen(path);
  return length < 4 || strcmp(path + length - 4, "-shm") != 0;
}

static int path_of(int fd, char *path) {
  char link[64];
  if (log_fd < 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return is_ours(path);
}

static void wrote(int fd, const void *data, ssize_t length, int64_t offset) {
  char path[PATH_MAX];
  if (length > 0 && path_of(fd, path)) record('W', path, offset, data, (size_t)length);
}

ssize_t write(int fd, const void *data, size_t length) {
  static ssize_t (*real)(int, const void *, size_t);
  if (!real) real = REAL(write);
  char path[PATH_MAX];
  if (fd > 2 && fd != log_fd && path_of(fd, path)) {
    struct stat found;
    int64_t offset = (fcntl(fd, F_GETFL) & O_APPEND) && fstat(fd, &found) == 0 ? found.st_size : lseek(fd, 0, SEEK_CUR);
    record('W', path, offset, data, length);
  }
  return real(fd, data, length);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
  static ssize_t (*real)(int, const void *, size_t, off64_t);
  if (!real) real = REAL(pwrite64);
  ssize_t done = real(fd, data, length, offset);
  wrote(fd, data, done, offset);
  return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

static int truncated(int fd, int64_t length, int result) {
  char path[PATH_MAX];
  if (result == 0 && path_of(fd, path)) record('T', path, length, "", 0);
  return result;
}

int ftruncate64(int fd, off64_t length) { return truncated(fd, length, REAL(ftruncate64)(fd, length)); }
int ftruncate(int fd, off_t length) { return truncated(fd, length, REAL(ftruncate)(fd, length)); }

/* Logged once it has returned: only then may anybody count on it. */
static int synced(int fd, int result) {
  char path[PATH_MAX];
  if (result == 0 && path_of(fd, path)) record('S', path, 0, "", 0);
  return result;
}

int fsync(int fd) { return synced(fd, REAL(fsync)(fd)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync)(fd)); }

static int opened(const char *path, int flags, mode_t mode, int (*real)(const char *, int, ...)) {
  int is_new = (flags & O_CREAT) && is_ours(path) && access(path, F_OK) != 0;
  int fd = real(path, flags, mode);
  if (fd >= 0 && is_new) record('C', path, 0, "", 0);
  return fd;
}

int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return opened(path, flags, mode, REAL(open));
}

int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return opened(path, flags, mode, REAL(open64));
}

int unlink(const char *path) {
  int result = REAL(unlink)(path);
  if (result == 0 && is_ours(path)) record('U', path, 0, "", 0);
  return result;
}
