#include "network.h"

#include <algorithm>

namespace weir::simulate {
namespace {

constexpr std::size_t kLinks = 3;
constexpr TimeNs kEpoch = 1'700'000'000 * kSecond;  ///< when the virtual clock says 0

void write_link_header(const Segment& segment, LinkType link, std::vector<std::byte>& out) {
  const bool v4 = segment.src.address.is_v4();
  const auto put = [&out](std::initializer_list<int> octets) {
    for (const int octet : octets) out.push_back(static_cast<std::byte>(octet));
  };
  if (link == LinkType::kEthernet) {
    put({2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2});
  } else if (link == LinkType::kLinuxSll) {
    put({0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 2, 0, 0});
  } else {
    return;
  }
  if (v4) {
    put({0x08, 0x00});
  } else {
    put({0x86, 0xdd});
  }
}

}  // namespace

Network::Network(EventQueue& events, Random& random, std::vector<Path> paths, std::vector<CapturePoint> points)
    : events_(events), random_(random), paths_(std::move(paths)), points_(std::move(points)), busy_until_(paths_.size()) {}

// `stage` counts the links crossed. Towards the client the same path is walked from its other end.
void Network::cross(Segment segment, std::size_t path, Side towards, std::size_t stage) {
  const std::size_t at = towards == Side::kServer ? stage : kLinks - 1 - stage;
  const Link& link = paths_[path].links[at];
  if (random_.chance(link.loss)) return;
  const int copies = random_.chance(link.duplicate) ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    Segment travelling = segment;
    if (!segment.payload.empty() && !segment.oversized && random_.chance(link.damage)) travelling.damaged = true;
    TimeNs due = events_.now() + link.delay_ns;
    if (link.jitter_ns > 0) due += static_cast<TimeNs>(random_.below(static_cast<std::uint64_t>(link.jitter_ns)));
    if (link.in_order) {
      TimeNs& last = busy_until_[path][index(towards)][at];
      due = last = std::max(last, due);
    }
    if (due == events_.now() && link.delay_ns == 0) {
      arrive(std::move(travelling), path, towards, stage);
    } else {
      events_.after(due - events_.now(),
                    [this, travelling = std::move(travelling), path, towards, stage]() mutable { arrive(std::move(travelling), path, towards, stage); });
    }
  }
}

void Network::arrive(Segment segment, std::size_t path, Side towards, std::size_t stage) {
  if (stage == kLinks - 1) {
    receivers_[index(towards)](segment, path);
    return;
  }
  const Path& way = paths_[path];
  // The NAT stands on the middle link, which is the second one from either side.
  if (way.nat && stage == 1) translate(segment, *way.nat, towards);
  for (const Tap& tap : way.taps[towards == Side::kServer ? stage : 1 - stage]) {
    if (tap.towards[index(towards)]) capture(segment, tap, towards);
  }
  if (gate_ && (towards == Side::kServer ? stage : 1 - stage) == 0) {
    for (Segment& passed : gate_(segment, path, towards)) cross(std::move(passed), path, towards, stage + 1);
    return;
  }
  cross(std::move(segment), path, towards, stage + 1);
}

void Network::translate(Segment& segment, const Nat& nat, Side towards) {
  if (towards == Side::kServer && segment.src.address == nat.inside) {
    segment.src = {nat.outside, static_cast<std::uint16_t>(segment.src.port ^ nat.port_shift)};
  } else if (towards == Side::kClient && segment.dst.address == nat.outside) {
    segment.dst = {nat.inside, static_cast<std::uint16_t>(segment.dst.port ^ nat.port_shift)};
  }
}

void Network::capture(const Segment& segment, const Tap& tap, Side towards) {
  const CapturePoint& point = points_[tap.point];
  CapturedPacket packet{.time_ns = kEpoch + events_.now() + point.skew_ns, .point = tap.point, .link = point.link, .bytes = {}};
  WrittenChecksum checksum = WrittenChecksum::kRight;
  if (tap.before_offload[index(towards)]) checksum = WrittenChecksum::kPseudoHeader;
  // Segments merged by the receiver's card (GRO) keep some sum that covers none of what is shown.
  else if (segment.oversized && segment.payload.size() % 3 == 0)
    checksum = WrittenChecksum::kWrong;
  packet.bytes.reserve(segment.payload.size() + 120);
  write_link_header(segment, point.link, packet.bytes);
  write_packet(segment, checksum, packet.bytes);
  captured_.push_back(std::move(packet));
}

}  // namespace weir::simulate
