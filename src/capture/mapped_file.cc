#include "capture/mapped_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <utility>

namespace weir::capture {
namespace {

/// What the fault handler knows of a mapping. A signal handler may touch lock-free atomics only.
struct Guard {
  std::atomic<bool> taken{false};
  std::atomic<std::uintptr_t> begin{0}, end{0};  ///< begin == end: not armed
  std::atomic<bool> shortened{false};
};
static_assert(std::atomic<std::uintptr_t>::is_always_lock_free);

/// As many captures as a run can be expected to have; further ones are streamed.
std::array<Guard, 256> guards;
struct sigaction before;
std::atomic<std::uintptr_t> page_size{4096};

/// A page of a mapping is gone because its file got shorter: puts zeros from there to the mapping's end, so that the read that
/// faulted goes on. mmap is a plain system call on Linux and keeps no state that a signal could find half changed.
void on_bus_error(int signal, siginfo_t* info, void* context) {
  const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (Guard& guard : guards) {
    const std::uintptr_t end = guard.end.load(std::memory_order_acquire);
    if (at < guard.begin.load(std::memory_order_acquire) || at >= end) continue;
    const std::uintptr_t in_page = at & (page_size.load(std::memory_order_relaxed) - 1);
    void* zeros = ::mmap(static_cast<std::byte*>(info->si_addr) - in_page, end - at + in_page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (zeros == MAP_FAILED) break;
    guard.shortened.store(true, std::memory_order_release);
    return;
  }
  if ((before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction != nullptr)
    before.sa_sigaction(signal, info, context);
  else
    ::sigaction(SIGBUS, &before, nullptr);  // not ours: it faults again, and then what was there before takes it
}

bool install_handler() {
  page_size = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  struct sigaction action{};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigemptyset(&action.sa_mask);
  return ::sigaction(SIGBUS, &action, &before) == 0;
}

std::optional<std::size_t> take_guard() {
  for (std::size_t i = 0; i < guards.size(); ++i)
    if (!guards[i].taken.exchange(true)) return i;
  return std::nullopt;
}

}  // namespace

std::optional<MappedFile> MappedFile::map(int fd, std::size_t size) {
  static const bool installed = install_handler();
  if (!installed || size == 0) return std::nullopt;
  const auto guard = take_guard();
  if (!guard) return std::nullopt;
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (at == MAP_FAILED) {
    guards[*guard].taken = false;
    return std::nullopt;
  }
  ::madvise(at, size, MADV_SEQUENTIAL);  // a cold file is read ahead further
  Guard& g = guards[*guard];
  g.shortened = false;
  g.begin = reinterpret_cast<std::uintptr_t>(at);
  g.end = reinterpret_cast<std::uintptr_t>(at) + size;
  return MappedFile(static_cast<std::byte*>(at), size, *guard);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : begin_(std::exchange(other.begin_, nullptr)), size_(std::exchange(other.size_, 0)), guard_(other.guard_) {}

MappedFile::~MappedFile() {
  if (begin_ == nullptr) return;
  Guard& g = guards[guard_];
  g.end = 0;
  g.begin = 0;
  ::munmap(begin_, size_);
  g.taken = false;
}

const std::atomic<bool>& MappedFile::shortened() const { return guards[guard_].shortened; }

void MappedFile::let_go(std::size_t from, std::size_t size) const {
  // After a shortening the rest is anonymous memory of zeros; letting that go changes nothing either.
  ::madvise(begin_ + from, size, MADV_DONTNEED);
}

}  // namespace weir::capture
