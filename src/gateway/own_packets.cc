#include "gateway/own_packets.h"

#include "wire/decode.h"

namespace weir::gateway {
namespace {

std::optional<Endpoints> flow_of(std::span<const std::byte> packet) {
  RawPacket raw;
  raw.bytes = packet;
  raw.original_bytes = static_cast<std::uint32_t>(packet.size());
  raw.link = LinkType::kRaw;
  wire::Decoded decoded;
  wire::decode(raw, decoded);
  if (decoded.kind != wire::Kind::kTcp) return std::nullopt;
  return Endpoints{decoded.src, decoded.dst, decoded.tcp.src_port, decoded.tcp.dst_port};
}

}  // namespace

void OwnPackets::add(std::span<const std::byte> packet, bool followed) {
  if (packets_.size() >= kMostPackets) {
    ++counters_.dropped;
    return;
  }
  packets_.push_back({.octets = {packet.begin(), packet.end()}, .followed = followed});
}

/// A verdict that is not out yet may set another one over it: then that packet's flow is marked again when its next one comes.
void OwnPackets::mark(const Endpoints& flow, std::uint32_t value, bool half_open) {
  if (marks_.size() >= kMostMarks) {
    counters_.marks_early += marks_.size();
    set_marks();
  }
  marks_.push_back({.flow = flow, .value = value, .half_open = half_open});
}

void OwnPackets::set_marks() {
  for (const Mark& one : marks_) kernel_.mark(one.flow, one.value, one.half_open);
  marks_.clear();
}

bool OwnPackets::may_ask() {
  if (asked_ >= kMostAsked) {
    ++counters_.put_off;
    return false;
  }
  ++asked_;
  return true;
}

std::optional<Endpoints> OwnPackets::as_sent(const Endpoints& flow) { return may_ask() ? kernel_.as_sent(flow) : std::nullopt; }

std::optional<OwnPackets::Way> OwnPackets::way_of(const One& packet) {
  const auto flow = flow_of(packet.octets);
  if (!flow) return Way::kThrough;
  if (const auto known = ways_.find(*flow); known != ways_.end()) return known->second;
  if (!may_ask()) return std::nullopt;
  Way way = kernel_.follows(*flow) == false ? Way::kPast : Way::kThrough;
  if (way == Way::kPast && packet.followed) {
    if (!may_ask()) return std::nullopt;
    if (kernel_.follows({flow->dst, flow->src, flow->dst_port, flow->src_port}) == false) way = Way::kNowhere;
  }
  ways_.emplace(*flow, way);
  return way;
}

void OwnPackets::go(TimeNs now) {
  if (now - tick_since_ >= kTick || now < tick_since_) {
    tick_since_ = now;
    asked_ = 0;
    ways_.clear();
  }
  set_marks();
  std::size_t gone = 0;
  for (; gone < packets_.size(); ++gone) {
    const auto way = way_of(packets_[gone]);
    if (!way) break;
    if (*way == Way::kNowhere) {
      ++counters_.astray;
    } else {
      kernel_.send(packets_[gone].octets, *way == Way::kPast);
    }
  }
  packets_.erase(packets_.begin(), packets_.begin() + static_cast<std::ptrdiff_t>(gone));
}

}  // namespace weir::gateway
