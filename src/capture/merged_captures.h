// Several captures as one: the packets of all of them in the order of time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

#include "base/raw_packet.h"
#include "capture/capture_file.h"
#include "capture/error.h"
#include "capture/points.h"

namespace weir::capture {

/// Purpose: merges captures by time; of equal times the capture that stands first goes first; a capture's own order is kept,
/// even where its times go backwards.
/// Invariant: what cannot be read costs only itself: the other captures are read to their end.
/// Ownership: owns files and buffers. Threads: one.
///
///   MergedCaptures input({"path1.pcap", "path2.pcap.gz"});
///   std::array<RawPacket, kBatch> packets;
///   while (const std::size_t count = input.next_batch(packets)) engine.step(std::span(packets).first(count), fates);
///   for (const Error& error : input.errors()) ...
class MergedCaptures {
 public:
  explicit MergedCaptures(const std::vector<std::string>& paths);
  MergedCaptures(const MergedCaptures&) = delete;
  MergedCaptures& operator=(const MergedCaptures&) = delete;

  /// Up to packets.size() packets, 0 at the end of all captures. They are valid until the next call, or as long as this object
  /// where packet.stays.
  std::size_t next_batch(std::span<RawPacket> packets);

  /// One a capture at most, in the order of the command line. Complete when next_batch() has returned 0.
  std::vector<Error> errors() const;
  /// A line for each capture with packets of a link type that Weir does not read: "FILE: 12 packets of link type 147 ...".
  std::vector<std::string> warnings() const;
  Progress progress() const;
  const PointTable& points() const { return points_; }

 private:
  struct Input {
    std::string path;
    std::expected<CaptureFile, Error> file;
    RawPacket head;  ///< the next packet of it, while it is among heads_
  };
  /// Of two inputs the one whose head is later stands lower in the heap.
  bool later(std::size_t a, std::size_t b) const;
  /// Restores the heap after its first input's head has changed.
  void sift_down();
  std::size_t next_merged(std::span<RawPacket> packets);

  PointTable points_;
  std::vector<Input> inputs_;
  std::vector<std::size_t> heads_;  ///< a heap of inputs, the one with the earliest head first; unused with a single input
  bool started_ = false;
};

}  // namespace weir::capture
