// Writes classic pcap files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/raw_packet.h"
#include "capture/error.h"

namespace weir::capture {

/// Purpose: a pcap file in this machine's byte order, which every reader takes.
/// Invariant: the first failure (a full disk) is kept and told by close(); after it nothing more is written. What was written
/// before stays readable.
/// Ownership: owns the file; without close() the destructor closes it and failures go unsaid. Threads: one.
class PcapWriter {
 public:
  enum class Precision : std::uint8_t { kMicroseconds, kNanoseconds };

  /// Creates the file, or empties it. `link` is a LINKTYPE_* number, as LinkType's values are.
  static std::expected<PcapWriter, Error> create(const std::string& path, std::uint32_t link, Precision precision = Precision::kNanoseconds);

  PcapWriter(PcapWriter&& other) noexcept;
  PcapWriter& operator=(PcapWriter&&) = delete;
  ~PcapWriter();

  /// A packet of which `original_bytes` were on the wire. Times outside 1970 to 2106 become the nearest one inside.
  /// At most kMaxCaptured octets are written.
  void write(TimeNs time, std::span<const std::byte> bytes, std::uint32_t original_bytes);
  /// Writes what is buffered, closes, and tells the first failure of all. The second call tells nothing.
  std::expected<void, Error> close();
  bool failed() const { return error_.has_value(); }

 private:
  PcapWriter(std::string path, int fd, Precision precision) : path_(std::move(path)), fd_(fd), precision_(precision) { buffer_.reserve(kBuffer); }
  void append(const void* from, std::size_t size);
  void flush();
  void finish();

  static constexpr std::size_t kBuffer = 256 << 10;

  std::string path_;
  int fd_;
  Precision precision_;
  std::vector<std::byte> buffer_;
  std::uint64_t written_ = 0;
  std::optional<Error> error_;
};

}  // namespace weir::capture
