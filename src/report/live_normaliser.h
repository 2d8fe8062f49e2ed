// --normalise-to: the traffic, every MPTCP connection as one plain TCP flow, on an interface where others listen.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "capture/live_sender.h"
#include "engine/counters.h"
#include "report/eve.h"
#include "report/frame_sink.h"
#include "report/normalise.h"

namespace weir::report {

/// Purpose: a Normaliser whose frames are sent, and what it counts under its names in the log. Frames go when flush() is called, that
/// is after each batch of packets; nothing is held back longer than kPatience, if advance() is called as often.
/// Ownership: its own sender, so that each shard has one of these. One owner, one thread.
class LiveNormaliser {
 public:
  static constexpr TimeNs kPatience = 50'000'000;  ///< ns: what is left of a fragmented datagram comes within that, or never

  struct Settings {
    std::size_t mtu_bytes = 1'500;
    OtherPackets others = OtherPackets::kAll;
    bool several_points = false;
    bool trust_wrong_checksums = false;
  };

  LiveNormaliser(const Settings& settings, capture::LiveSender sender);
  LiveNormaliser(const LiveNormaliser&) = delete;
  LiveNormaliser& operator=(const LiveNormaliser&) = delete;

  engine::Observer& observer() { return normaliser_; }
  void before(const RawPacket& packet) { normaliser_.before(packet); }
  void after(const RawPacket& packet, engine::Fate fate) { normaliser_.after(packet, fate); }
  void flush() { sender_.flush(); }
  /// Time goes on without packets.
  void advance(TimeNs now) {
    normaliser_.advance(now);
    flush();
  }
  bool waits() const { return normaliser_.waits(); }
  /// After the engine has finished.
  void finish() {
    normaliser_.finish();
    flush();
  }
  std::vector<NamedCounter> counters() const;

 private:
  class Frames : public FrameSink {
   public:
    explicit Frames(capture::LiveSender& sender) : sender_(sender) {}
    void write(TimeNs, std::span<const std::byte> frame, std::uint32_t) override { sender_.send(frame); }

   private:
    capture::LiveSender& sender_;
  };

  capture::LiveSender sender_;
  Frames frames_;
  Normaliser normaliser_;
};

}  // namespace weir::report
