// What Weir tells the kernel of its own accord: packets, and marks of flows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/endpoints.h"
#include "base/raw_packet.h"

namespace weir::gateway {

/// The kernel's part of it.
struct OwnPacketsKernel {
  std::function<std::optional<bool>(const Endpoints&)> follows;               ///< ConnectionMarks::follows
  std::function<std::optional<Endpoints>(const Endpoints&)> as_sent;          ///< ConnectionMarks::as_sent
  std::function<void(const Endpoints&, std::uint32_t, bool half_open)> mark;  ///< ConnectionMarks::set; `half_open`: set_opening()
  std::function<void(std::span<const std::byte> packet, bool past)> send;     ///< `past`: conntrack is not to see it
};

/// Purpose: keeps packets and marks until the verdicts on what came before are out. Marks would be set anew by those, and a host that has not got its peer's
/// last packet takes ours for something else. Behind a NAT conntrack knows a flow by these addresses in one direction only; in the other one a packet would
/// begin a flow of its own there, and get other ports: it goes past conntrack, as it is, which is as that host knows its peer. Where both addresses are
/// translated it knows the flow in neither: no host would take the packet for its peer's, so it is not sent; but where conntrack does not follow the connection
/// at all, nothing is translated. Limits: kMostPackets, beyond them a packet is not sent (those that matter are sent again until they are answered);
/// kMostMarks, beyond them all that wait are set at once; kMostAsked questions to conntrack in a kTick, each flow once: what waits for an answer goes in the
/// next one. One owner, one thread.
class OwnPackets {
 public:
  static constexpr std::size_t kMostPackets = 16'384;
  static constexpr std::size_t kMostMarks = 4'096;
  static constexpr std::size_t kMostAsked = 1'024;
  static constexpr TimeNs kTick = 50'000'000;

  // Grow only.
  struct Counters {
    std::uint64_t dropped = 0;      ///< packets, for want of room
    std::uint64_t astray = 0;       ///< packets that were not sent, as no one knows how their receivers know their peers
    std::uint64_t marks_early = 0;  ///< before the verdicts were out
    std::uint64_t put_off = 0;      ///< times that a packet or an address had to do without an answer of conntrack
  };

  explicit OwnPackets(OwnPacketsKernel kernel) : kernel_(std::move(kernel)) {}

  /// `followed`: conntrack follows the connection.
  void add(std::span<const std::byte> packet, bool followed);
  void mark(const Endpoints& flow, std::uint32_t value, bool half_open = false);
  /// How packets of the flow are addressed by who sends them; none: not known, or too much was asked for.
  std::optional<Endpoints> as_sent(const Endpoints& flow);
  /// The verdicts are out.
  void go(TimeNs now);
  bool empty() const { return packets_.empty() && marks_.empty(); }
  const Counters& counters() const { return counters_; }
  std::size_t waiting() const { return packets_.size(); }

 private:
  struct Mark {
    Endpoints flow;
    std::uint32_t value = 0;
    bool half_open = false;
  };
  void set_marks();
  bool may_ask();
  enum class Way : std::uint8_t { kThrough, kPast, kNowhere };
  struct One {
    std::vector<std::byte> octets;
    bool followed = false;
  };
  /// none: conntrack may not be asked now.
  std::optional<Way> way_of(const One& packet);

  OwnPacketsKernel kernel_;
  std::vector<One> packets_;
  std::vector<Mark> marks_;
  std::map<Endpoints, Way> ways_;  ///< of this tick
  std::size_t asked_ = 0;          ///< in this tick
  TimeNs tick_since_ = 0;
  Counters counters_;
};

}  // namespace weir::gateway
