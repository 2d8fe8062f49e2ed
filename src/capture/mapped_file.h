// A regular file mapped into memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <span>

namespace weir::capture {

/// Purpose: the octets of a file without copying them.
/// Invariant: bytes() can be read until the object goes, whatever happens to the file: where another process shortens it, zeros
/// appear and shortened() turns true (a capture ring of tcpdump -W does that; without this guard the kernel sends SIGBUS).
class MappedFile {
 public:
  /// The first `size` octets of the file. Nothing if it cannot be mapped (some file systems), or if too many already are:
  /// then it can still be streamed. The descriptor stays the caller's, and may be closed.
  static std::optional<MappedFile> map(int fd, std::size_t size);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {begin_, size_}; }
  const std::atomic<bool>& shortened() const;
  /// Pages [from, from + size) are not needed for now. They can still be read.
  void let_go(std::size_t from, std::size_t size) const;

 private:
  MappedFile(std::byte* begin, std::size_t size, std::size_t guard) : begin_(begin), size_(size), guard_(guard) {}

  std::byte* begin_;  ///< mapped read-only
  std::size_t size_;
  std::size_t guard_;  ///< which entry of the fault handler's list is ours
};

}  // namespace weir::capture
