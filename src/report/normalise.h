// --export-pcap: the traffic with every MPTCP connection as one plain TCP flow, for tools that read TCP only.
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

namespace weir::report {

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
  };
  struct Counters {
    std::uint64_t packets = 0;              // written, of flows
    std::uint64_t passed = 0;               // written, of the input
    std::uint64_t left_out_twice = 0;       // seen at another point
    std::uint64_t left_out_not_ip = 0;      // of another link type, and no IP packet
    std::uint64_t fragments_undecided = 0;  // passed without knowing whose they are
  };

  Normaliser(const Settings& settings, FrameSink& sink);

  void before(const RawPacket& packet);
  void after(const RawPacket& packet, engine::Fate fate);
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

  Settings settings_;
  HeldFrames out_;
  DuplicateFilter duplicates_;
  boost::unordered_flat_map<std::uint64_t, Flow> flows_;
  std::deque<std::pair<TimeNs, std::uint64_t>> opening_;  // SYNs that nobody may ever answer: they make no record
  const RawPacket* current_ = nullptr;
  TimeNs latest_ = 0;  // of what was written
  std::vector<std::byte> ip_, frame_;
  Counters counters_;
};

}  // namespace weir::report
