#include "cli/process.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <random>

namespace weir::cli {
namespace {

volatile std::sig_atomic_t stopped = 0, reload = 0, reopen = 0;

/// Whether it was set; it is not any more.
bool taken(volatile std::sig_atomic_t& flag) {
  if (flag == 0) return false;
  flag = 0;
  return true;
}

extern "C" void on_hangup(int) { reload = 1; }
extern "C" void on_user(int) { reopen = 1; }

extern "C" void on_stop(int) {
  const int error = errno;
  stopped = 1;
  // Readers go on after an interrupted read: standard input, which may never have another byte, ends here.
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing >= 0) ::dup2(nothing, STDIN_FILENO);
  errno = error;
}

}  // namespace

void catch_signals() {
  struct sigaction action{};
  action.sa_handler = on_stop;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // no SA_RESTART: a read that waits for a pipe comes back
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

bool stop_wanted() { return stopped != 0; }

void catch_service_signals() {
  struct sigaction action{};
  action.sa_handler = on_hangup;
  ::sigaction(SIGHUP, &action, nullptr);
  action.sa_handler = on_user;
  ::sigaction(SIGUSR1, &action, nullptr);
  std::signal(SIGXFSZ, SIG_IGN);  // a log that has come to `ulimit -f` is an error of write(), too
}

bool reload_wanted() { return taken(reload); }
bool reopen_wanted() { return taken(reopen); }

std::uint64_t random_seed() {
  std::random_device source;
  return std::uint64_t{source()} << 32 | source();
}

void fill_standard_descriptors() {
  int descriptor = ::open("/dev/null", O_RDWR);
  while (descriptor >= 0 && descriptor <= STDERR_FILENO) descriptor = ::open("/dev/null", O_RDWR);
  if (descriptor > STDERR_FILENO) ::close(descriptor);
}

}  // namespace weir::cli
