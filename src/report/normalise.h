// The traffic with every MPTCP connection as one plain TCP flow, for tools that read TCP only: into a capture or onto an interface.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "engine/engine.h"
#include "engine/observer.h"
#include "report/duplicate_filter.h"
#include "report/frame_sink.h"
#include "report/held_frames.h"
#include "report/link_header.h"
#include "report/plain_flow.h"
#include "wire/segmentation.h"

namespace weir::report {

/// Which packets of no MPTCP connection are written beside the flows.
enum class OtherPackets : std::uint8_t { kAll, kTcp, kNone };

/// Purpose: an observer that writes each MPTCP connection's flow as it is told of it, and the other packets as they come.
/// The packets go to it one at a time, before and after the engine takes them, so that the file stays in time order.
/// Invariant: what is written never goes back in time, but where the input's other packets do. Memory: one small entry for
/// each connection that is alive, and the bounds of HeldFrames and DuplicateFilter. One owner, one thread.
class Normaliser : public engine::Observer {
 public:
  struct Settings {
    LinkType link = LinkType::kEthernet;  ///< of what is written: written_as() the inputs', if they agree
    std::size_t segment_bytes = kFileSegmentBytes;
    bool several_points = false;
    std::size_t mtu_bytes = 0;  ///< of the Ethernet interface that is written to; 0: a file, which takes any length and unfinished checksums
    OtherPackets others = OtherPackets::kAll;
    TimeNs fragment_patience = HeldFrames::kPatience;
    bool trust_wrong_checksums = false;  ///< what is cut for the interface gets right ones
  };
  struct Counters {
    std::uint64_t packets = 0;              // written, of flows
    std::uint64_t passed = 0;               // written, of the input
    std::uint64_t left_out_twice = 0;       // seen at another point
    std::uint64_t left_out_not_ip = 0;      // of another link type, and no IP packet
    std::uint64_t fragments_undecided = 0;  // passed without knowing whose they are
    std::uint64_t left_out_others = 0;      // by OtherPackets
    // Of those for an interface:
    std::uint64_t cut = 0;                  // into several
    std::uint64_t finished = 0;             // given a whole checksum
    std::uint64_t left_out_too_long = 0;    // for its MTU, and not to be cut
    std::uint64_t left_out_cut_short = 0;   // by the snap length
    std::uint64_t left_out_link_local = 0;  // between neighbours on a link (802.1D): no bridge forwards it
  };

  Normaliser(const Settings& settings, FrameSink& sink);

  void before(const RawPacket& packet);
  void after(const RawPacket& packet, engine::Fate fate);
  /// Time goes on without packets.
  void advance(TimeNs now);
  /// Something is held back until time goes on.
  bool waits() const { return !out_.empty(); }
  /// After the engine has finished.
  void finish();
  Counters counters() const;

  void on_handshake(const engine::ConnectionInfo& info, engine::Handshake what, TimeNs time) override;
  void on_data(const engine::ConnectionInfo& info, const engine::StreamChunk& chunk) override;
  void on_gap(const engine::ConnectionInfo& info, engine::Direction direction, std::uint64_t offset, std::uint64_t bytes, TimeNs time) override;
  void on_ack(const engine::ConnectionInfo& info, engine::Direction direction, std::uint64_t offset, TimeNs time) override;
  void on_fin(const engine::ConnectionInfo& info, engine::Direction direction, TimeNs time) override;
  void on_reset(const engine::ConnectionInfo& info, engine::Direction direction, TimeNs time) override;
  void on_connection(const engine::ConnectionRecord& record) override;

 private:
  struct Flow {
    PlainFlow tcp;
    LinkHeader link;
    std::uint16_t ip_id[2] = {1, 1};
  };

  /// Calls `tell(PlainFlow&, emit)` for the connection's flow, which is begun if there is none.
  void with_flow(const engine::ConnectionInfo& info, TimeNs time, auto&& tell);
  Flow open(const engine::ConnectionInfo& info) const;
  void write(const engine::ConnectionInfo& info, Flow& flow, TimeNs time, const PlainFlow::Segment& segment);
  void forget_unanswered(TimeNs now);
  bool is_wanted(const wire::Decoded& decoded);
  /// The frame of a packet that is not a flow's, as it was or as the interface needs it.
  void pass(const RawPacket& packet, engine::Fate fate, const wire::Decoded& decoded, std::span<const std::byte> frame, std::uint32_t original);

  Settings settings_;
  HeldFrames out_;
  DuplicateFilter duplicates_;
  wire::Segmentation segmentation_;
  boost::unordered_flat_map<std::uint64_t, Flow> flows_;
  std::deque<std::pair<TimeNs, std::uint64_t>> opening_;  // SYNs that nobody may ever answer: they make no record
  const RawPacket* current_ = nullptr;
  TimeNs latest_ = 0;  // of what was written
  std::vector<std::byte> ip_, frame_;
  Counters counters_;
};

}  // namespace weir::report
