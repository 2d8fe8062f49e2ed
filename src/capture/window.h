// The octets of a capture from the reader's place on, mapped or streamed: to a format's reader both look the same.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capture/byte_stream.h"
#include "capture/mapped_file.h"

namespace weir::capture {

/// Purpose: need(n), look at n octets at at(), skip(n).
/// Invariant: octets that at() has shown remain valid until release(), those of a mapped file until the window goes; memory of
/// a streamed source is bounded by what is looked at between two release() calls and one chunk.
/// Ownership: owns its source. Threads: one.
class Window {
 public:
  explicit Window(MappedFile file);
  explicit Window(std::unique_ptr<ByteStream> stream);

  /// Whether n octets stand at at(). False: the input ends, or fails, before that.
  bool need(std::size_t n) { return static_cast<std::size_t>(end_ - at_) >= n || fill(n); }
  const std::byte* at() const { return at_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  /// Goes on by n octets, also beyond what is there: then the next need() fails.
  void skip(std::uint64_t n) {
    if (n <= left()) {
      at_ += n;
    } else {
      skip_beyond(n);
    }
  }
  /// Asks for the n octets that stand kFetchAhead further on to be brought near: a record's length, and so the place of the next one, is known
  /// only once it is there, and the hardware does not look across pages.
  void fetch_ahead(std::size_t n) const {
    if (left() < kFetchAhead + n) return;
    for (std::size_t i = 0; i < n; i += kCacheLine) __builtin_prefetch(at_ + kFetchAhead + i);
  }
  /// What is still to be skipped of what was asked for.
  std::uint64_t to_skip() const { return to_skip_; }

  /// Octets from the start of the (uncompressed) input to at().
  std::uint64_t offset() const { return end_offset_ - left(); }
  bool stays() const { return file_.has_value(); }
  /// The file got shorter than it was: what is read now is zeros.
  bool shortened() const { return shortened_->load(std::memory_order_relaxed); }
  /// Why a streamed source stopped, if not at its end.
  const std::string& failure() const { return failure_; }
  /// Octets taken from the file so far.
  std::uint64_t consumed() const;

  /// What was looked at before now is no longer needed.
  void release();

  static constexpr std::size_t kCacheLine = 64;
  static constexpr std::size_t kFetchAhead = 16'384;

 private:
  struct Chunk {
    std::unique_ptr<std::byte[]> octets;
    std::size_t capacity = 0;
  };
  bool fill(std::size_t n);
  void skip_beyond(std::uint64_t n);
  /// The window moves to a chunk of at least n octets, taking what is left with it.
  void next_chunk(std::size_t n);
  /// Reads once into what is free of the chunk; false at the end or on failure.
  bool read_more();

  const std::byte* at_ = nullptr;
  const std::byte* end_ = nullptr;
  std::uint64_t end_offset_ = 0;  ///< offset of end_
  std::uint64_t to_skip_ = 0;     ///< still to be skipped before the next octet shown
  const std::atomic<bool>* shortened_;

  std::optional<MappedFile> file_;
  std::size_t let_go_ = 0;  ///< octets at the front of the mapping that are not resident

  std::unique_ptr<ByteStream> stream_;
  Chunk current_;
  std::vector<Chunk> held_;   ///< earlier ones that the caller may still look at
  std::vector<Chunk> spare_;  ///< of standard size
  bool ended_ = false;
  std::string failure_;
};

}  // namespace weir::capture
