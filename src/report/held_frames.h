// Frames on their way to a file in time order, of which some wait until it is known whether they belong in it.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/ip_address.h"
#include "base/raw_packet.h"
#include "report/frame_sink.h"

namespace weir::report {

/// Which datagram a fragment belongs to (RFC 791 §3.2, RFC 8200 §4.5), at one capture point.
struct DatagramKey {
  IpAddress src, dst;
  std::uint64_t tunnel = 0;
  std::uint32_t id = 0;
  PointId point = 0;
  std::uint8_t protocol = 0;
  friend bool operator==(const DatagramKey&, const DatagramKey&) = default;
  friend std::size_t hash_value(const DatagramKey& key);
};

/// Purpose: passes frames on in the order they come; once one is held, those after it wait behind it.
/// Invariant: at most kFrames frames and kBytes octets wait, none longer than the patience: then the fragments in front pass
/// undecided, and are counted. One owner, one thread; time comes with the frames.
class HeldFrames {
 public:
  static constexpr std::size_t kFrames = 4'096;
  static constexpr std::size_t kBytes = 64 << 20;
  static constexpr TimeNs kPatience = 30'000'000'000;  // Linux: net.ipv4.ipfrag_time

  explicit HeldFrames(FrameSink& sink, TimeNs patience = kPatience) : sink_(sink), patience_(patience) {}

  void pass(TimeNs time, std::span<const std::byte> frame, std::uint32_t original_bytes);
  void hold(const DatagramKey& key, TimeNs time, std::span<const std::byte> frame, std::uint32_t original_bytes);
  /// The datagram's fragments are written, or dropped.
  void decide(const DatagramKey& key, bool write);
  bool empty() const { return frames_.empty(); }
  /// Gives up on what has waited too long.
  void advance(TimeNs now);
  /// End of input: everything passes.
  void release();
  std::uint64_t undecided() const { return undecided_; }

 private:
  enum class State : std::uint8_t { kReady, kHeld, kDropped };
  struct Frame {
    TimeNs time;
    std::uint32_t original_bytes;
    State state;
    DatagramKey key;  // of a held one
    std::vector<std::byte> bytes;
  };

  void enqueue(Frame frame);
  void drain();
  void give_up();

  FrameSink& sink_;
  TimeNs patience_;
  std::deque<Frame> frames_;  // the first is held
  std::uint64_t first_ = 0;   // number of frames_.front(): frames are numbered as they come
  boost::unordered_flat_map<DatagramKey, std::vector<std::uint64_t>> held_;
  std::size_t bytes_ = 0;
  std::uint64_t undecided_ = 0;
};

}  // namespace weir::report
