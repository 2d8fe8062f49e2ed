// The network between two hosts: paths of links, with capture points and NATs on them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "event_queue.h"
#include "random.h"
#include "segment.h"

namespace weir::simulate {

/// Of a host, and of the way that data goes: towards the side named.
enum class Side : std::uint8_t { kClient = 0, kServer = 1 };
constexpr Side other(Side side) { return side == Side::kClient ? Side::kServer : Side::kClient; }
constexpr std::size_t index(Side side) { return static_cast<std::size_t>(side); }

struct Link {
  TimeNs delay_ns = 0;
  TimeNs jitter_ns = 0;   ///< up to this much is added to a packet's delay, evenly distributed
  bool in_order = false;  ///< jitter does not let a packet overtake another
  double loss = 0, duplicate = 0, damage = 0;
};

/// A capture point on a path. `towards[side]`: whether it sees what goes to that side.
struct Tap {
  PointId point = 0;
  std::array<bool, 2> towards{true, true};
  /// What goes to that side was captured at its sender, before the network card wrote the checksum.
  std::array<bool, 2> before_offload{false, false};
};

/// One to one, both ways: `inside` is the client's own address, `outside` what the server sees.
struct Nat {
  IpAddress inside, outside;
  std::uint16_t port_shift = 0;
};

/// From the client: link, taps, link (and NAT), taps, link. What gets lost after a tap was seen there; before it, it was not.
struct Path {
  std::array<Link, 3> links;
  std::array<std::vector<Tap>, 2> taps;
  std::optional<Nat> nat;
};

struct CapturePoint {
  TimeNs skew_ns = 0;  ///< of its clock
  LinkType link = LinkType::kRaw;
};

struct CapturedPacket {
  TimeNs time_ns = 0;
  PointId point = 0;
  LinkType link = LinkType::kRaw;
  std::vector<std::byte> bytes;
};

/// Purpose: carries segments between the two hosts and notes what the capture points see.
/// Invariant: `captured()` is in order of virtual time; a point's packets have times that never go back.
class Network {
 public:
  using Receiver = std::function<void(const Segment&, std::size_t path)>;
  /// Stands on every path at its first tap; gives what goes on in place of the segment: nothing, itself, or more.
  using Gate = std::function<std::vector<Segment>(const Segment&, std::size_t path, Side towards)>;

  Network(EventQueue& events, Random& random, std::vector<Path> paths, std::vector<CapturePoint> points);
  void connect(Side side, Receiver receiver) { receivers_[index(side)] = std::move(receiver); }
  void set_gate(Gate gate) { gate_ = std::move(gate); }
  void send(Segment segment, std::size_t path, Side towards) { cross(std::move(segment), path, towards, 0); }
  std::vector<CapturedPacket>& captured() { return captured_; }

 private:
  void cross(Segment segment, std::size_t path, Side towards, std::size_t stage);
  void arrive(Segment segment, std::size_t path, Side towards, std::size_t stage);
  void capture(const Segment& segment, const Tap& tap, Side towards);
  static void translate(Segment& segment, const Nat& nat, Side towards);

  EventQueue& events_;
  Random& random_;
  std::vector<Path> paths_;
  std::vector<CapturePoint> points_;
  std::array<Receiver, 2> receivers_;
  Gate gate_;
  std::vector<std::array<std::array<TimeNs, 3>, 2>> busy_until_;  ///< per path, side and link: when the last packet arrived
  std::vector<CapturedPacket> captured_;
};

}  // namespace weir::simulate
