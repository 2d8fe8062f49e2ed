// One capture, read packet by packet, whatever its format and compression.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/raw_packet.h"
#include "capture/error.h"
#include "capture/points.h"
#include "capture/reader.h"

namespace weir::capture {

struct Progress {
  std::uint64_t read = 0;   ///< octets of the file, compressed if it is
  std::uint64_t total = 0;  ///< 0: not known (a pipe)
};

/// Purpose: pcap and pcapng, told by their first octets; a regular file is mapped, everything else (.gz, .zst, pipes, "-") is
/// streamed through bounded buffers. docs/adr/0001-capture-reader.md says why.
/// Invariant: octets outside the file are never read; the packets before a damage are all given.
/// Ownership: the table of points must outlive it. Threads: one.
class CaptureFile {
 public:
  /// Fails if there is nothing to read in it; a header without packets is no failure.
  static std::expected<CaptureFile, Error> open(const std::string& path, PointTable& points);

  CaptureFile(CaptureFile&&) noexcept;
  CaptureFile& operator=(CaptureFile&&) noexcept;
  ~CaptureFile();

  /// The packet's octets are valid until release(), or as long as this object if packet.stays.
  Status next(RawPacket& packet);
  /// The same for up to packets.size() of them; fewer than that: the end, or an error, see error().
  std::size_t next_batch(std::span<RawPacket> packets);
  void release();

  /// What ended the reading early, or what had to be passed over. Complete when reading has ended.
  const std::optional<Error>& error() const;
  /// The first link type met that Weir does not read, and how many packets had one.
  std::optional<std::uint32_t> unsupported_link() const;
  std::uint64_t unsupported_packets() const;
  Progress progress() const;

 private:
  struct State;
  explicit CaptureFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace weir::capture
