// weir_bench_measure COMMAND...: runs it and says, on standard output, "USER SYSTEM WALL PEAK STATUS": seconds, and KiB.
// The kernel lets a program inherit the peak memory of whoever starts it: this one is small, the interpreter of run.py is not.
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>

namespace {

double seconds(const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; }

}  // namespace

int main(int count, char** words) {
  if (count < 2) {
    std::fputs("usage: weir_bench_measure COMMAND [ARGUMENT]...\n", stderr);
    return 2;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  const auto begin = std::chrono::steady_clock::now();
  pid_t child = 0;
  if (const int fault = posix_spawnp(&child, words[1], &actions, nullptr, words + 1, environ); fault != 0) {
    std::fprintf(stderr, "weir_bench_measure: %s: %s\n", words[1], std::strerror(fault));
    return 1;
  }
  int status = 0;
  rusage usage{};
  if (::wait4(child, &status, 0, &usage) < 0) return 1;
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  std::printf("%.6f %.6f %.6f %ld %d\n", seconds(usage.ru_utime), seconds(usage.ru_stime), wall.count(), usage.ru_maxrss,
              WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return 0;
}
