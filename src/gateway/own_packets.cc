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

void OwnPackets::add(std::span<const std::byte> packet) {
  if (packets_.size() >= kMostPackets) {
    ++counters_.dropped;
    return;
  }
  packets_.emplace_back(packet.begin(), packet.end());
}

/// A verdict that is not out yet may set another one over it: then that packet's flow is marked again when its next one comes.
void OwnPackets::mark(const Endpoints& flow, std::uint32_t value) {
  if (marks_.size() >= kMostMarks) {
    counters_.marks_early += marks_.size();
    set_marks();
  }
  marks_.emplace_back(flow, value);
}

void OwnPackets::set_marks() {
  for (const auto& [flow, value] : marks_) kernel_.mark(flow, value);
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

std::optional<bool> OwnPackets::goes_past(std::span<const std::byte> packet) {
  const auto flow = flow_of(packet);
  if (!flow) return false;
  if (const auto known = past_.find(*flow); known != past_.end()) return known->second;
  if (!may_ask()) return std::nullopt;
  const bool past = kernel_.follows(*flow) == false;
  past_.emplace(*flow, past);
  return past;
}

void OwnPackets::go(TimeNs now) {
  if (now - tick_since_ >= kTick || now < tick_since_) {
    tick_since_ = now;
    asked_ = 0;
    past_.clear();
  }
  set_marks();
  std::size_t gone = 0;
  for (; gone < packets_.size(); ++gone) {
    const auto past = goes_past(packets_[gone]);
    if (!past) break;
    kernel_.send(packets_[gone], *past);
  }
  packets_.erase(packets_.begin(), packets_.begin() + static_cast<std::ptrdiff_t>(gone));
}

}  // namespace weir::gateway
