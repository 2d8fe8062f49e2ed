#include "report/normalise.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <span>

#include "wire/decode.h"
#include "wire/emit.h"

namespace weir::report {
namespace {

using engine::ConnectionInfo;
using engine::Direction;
using engine::Fate;

/// A flow of which nothing but the SYN was told is forgotten after this much packet time.
constexpr TimeNs kUnanswered = 120'000'000'000;
/// At most so many recent SYNs are watched for that; beyond it the oldest goes sooner.
constexpr std::size_t kOpening = 1'000'000;

/// 01:80:c2:00:00:00 to 0f (IEEE 802.1D §7.12.6): spanning tree, LLDP, LACP.
bool is_link_local(std::span<const std::byte> ethernet) {
  static constexpr std::byte kGroup[5] = {std::byte{0x01}, std::byte{0x80}, std::byte{0xc2}};
  return ethernet.size() >= 6 && std::ranges::equal(ethernet.first(5), kGroup) && (ethernet[5] & std::byte{0xf0}) == std::byte{0};
}

constexpr std::size_t kEthernetHeader = 14, kVlanTag = 4;
constexpr std::size_t kIpv4AndTcp = 40, kIpv6AndTcp = 60;

/// The longest frame that an Ethernet interface takes: one 802.1Q tag comes on top of its MTU, no other does.
std::size_t longest_frame(std::span<const std::byte> frame, std::size_t mtu_bytes) {
  const bool tagged = frame.size() >= kEthernetHeader && frame[12] == std::byte{0x81} && frame[13] == std::byte{0};
  return kEthernetHeader + mtu_bytes + (tagged ? kVlanTag : 0);
}

DatagramKey key_of(const wire::Decoded& fragment, PointId point) {
  return {fragment.src, fragment.dst, fragment.tunnel, fragment.fragment.id, point, fragment.fragment.protocol};
}

}  // namespace

Normaliser::Normaliser(const Settings& settings, FrameSink& sink) : settings_(settings), out_(sink, settings.fragment_patience) {}

Normaliser::Counters Normaliser::counters() const {
  Counters all = counters_;
  all.fragments_undecided = out_.undecided();
  return all;
}

void Normaliser::before(const RawPacket& packet) {
  current_ = &packet;
  advance(packet.time_ns);
}

void Normaliser::advance(TimeNs now) {
  out_.advance(now);
  forget_unanswered(now);
}

bool Normaliser::is_wanted(const wire::Decoded& decoded) {
  static constexpr std::uint8_t kTcp = 6;
  return decoded.kind == wire::Kind::kTcp || (decoded.kind == wire::Kind::kFragment && decoded.fragment.protocol == kTcp);
}

void Normaliser::after(const RawPacket& packet, Fate fate) {
  current_ = nullptr;
  if (settings_.others == OtherPackets::kNone) {
    if (fate != Fate::kMptcp) ++counters_.left_out_others;
    return;
  }
  const bool several = settings_.several_points && fate != Fate::kMptcp;
  const bool looked_at = (settings_.mtu_bytes > 0 || settings_.others != OtherPackets::kAll) && fate != Fate::kMptcp;
  wire::Decoded decoded;
  if (several || looked_at || fate == Fate::kFragment || !out_.empty()) wire::decode(packet, decoded);
  // The packet that makes a datagram whole is a fragment itself, and its fate that of them all.
  if (fate != Fate::kFragment && !out_.empty() && decoded.kind == wire::Kind::kFragment) out_.decide(key_of(decoded, packet.point), fate == Fate::kOther);
  if (fate == Fate::kMptcp) return;
  if (settings_.others == OtherPackets::kTcp && !is_wanted(decoded)) {
    ++counters_.left_out_others;
    return;
  }
  if (several && !decoded.ip.empty() && duplicates_.seen_elsewhere(decoded, packet.point, packet.time_ns)) {
    ++counters_.left_out_twice;
    return;
  }

  std::span<const std::byte> frame = packet.bytes;
  std::uint32_t original = std::max(packet.original_bytes, static_cast<std::uint32_t>(frame.size()));
  if (written_as(packet.link) != settings_.link) {
    const auto at = ip_offset(packet.link, packet.bytes);
    if (!at) {
      ++counters_.left_out_not_ip;
      return;
    }
    const LinkHeader link(settings_.link);
    const auto ip = packet.bytes.subspan(*at);
    original -= static_cast<std::uint32_t>(*at);
    frame_.resize(link.size() + ip.size());
    link.write(frame_, true, std::to_integer<unsigned>(ip[0]) >> 4 == 6, original);
    std::ranges::copy(ip, frame_.begin() + static_cast<std::ptrdiff_t>(link.size()));
    original += static_cast<std::uint32_t>(link.size());
    frame = frame_;
    // What is cut is cut by the frame's own octets.
    if (settings_.mtu_bytes > 0) wire::decode({.bytes = frame, .original_bytes = original, .link = settings_.link}, decoded);
  }
  pass(packet, fate, decoded, frame, original);
}

void Normaliser::pass(const RawPacket& packet, Fate fate, const wire::Decoded& decoded, std::span<const std::byte> frame, std::uint32_t original) {
  const bool held = fate == Fate::kFragment && decoded.kind == wire::Kind::kFragment;
  const auto give = [&](std::span<const std::byte> each) {
    ++counters_.passed;
    if (held) {
      out_.hold(key_of(decoded, packet.point), packet.time_ns, each, std::max(original, static_cast<std::uint32_t>(each.size())));
    } else {
      out_.pass(packet.time_ns, each, std::max(original, static_cast<std::uint32_t>(each.size())));
    }
  };
  latest_ = std::max(latest_, packet.time_ns);
  if (settings_.mtu_bytes == 0) return give(frame);

  if (original > frame.size()) {
    ++counters_.left_out_cut_short;
  } else if (is_link_local(frame)) {
    ++counters_.left_out_link_local;
  } else {
    const std::size_t at = ip_offset(settings_.link, frame).value_or(kEthernetHeader);
    const std::size_t longest = longest_frame(frame, settings_.mtu_bytes);
    const auto done = segmentation_(
        frame, decoded, {.ip_bytes = longest > at ? longest - at : 0, .at = at, .trust_wrong_checksums = settings_.trust_wrong_checksums}, std::ref(give));
    if (done == wire::Segmentation::Result::kCut) ++counters_.cut;
    if (done == wire::Segmentation::Result::kFinished) ++counters_.finished;
    if (done == wire::Segmentation::Result::kTooLong) ++counters_.left_out_too_long;
  }
}

void Normaliser::finish() {
  current_ = nullptr;
  out_.release();
}

Normaliser::Flow Normaliser::open(const ConnectionInfo& info) const {
  std::size_t segment_bytes = settings_.segment_bytes;
  if (settings_.mtu_bytes > 0) {
    const bool v4 = info.endpoints.src.is_v4() && info.endpoints.dst.is_v4();
    segment_bytes = std::min(segment_bytes, settings_.mtu_bytes - (v4 ? kIpv4AndTcp : kIpv6AndTcp));
  }
  Flow flow{PlainFlow(info.number, segment_bytes), LinkHeader(settings_.link)};
  if (current_ && written_as(current_->link) == settings_.link) {
    wire::Decoded decoded;
    wire::decode(*current_, decoded);
    const bool from_server = decoded.src == info.endpoints.dst && decoded.dst == info.endpoints.src;
    flow.link = LinkHeader(current_->link, current_->bytes, !from_server);
  }
  return flow;
}

void Normaliser::with_flow(const ConnectionInfo& info, TimeNs time, auto&& tell) {
  if (!info.mptcp) return;
  auto found = flows_.find(info.number);
  if (found == flows_.end()) found = flows_.emplace(info.number, open(info)).first;
  Flow& flow = found->second;
  auto emit = [&](const PlainFlow::Segment& segment) { write(info, flow, time, segment); };
  tell(flow.tcp, std::ref(emit));  // by reference: nothing is allocated
}

void Normaliser::write(const ConnectionInfo& info, Flow& flow, TimeNs time, const PlainFlow::Segment& segment) {
  static constexpr std::uint16_t kWindow = 0xffff;  // largest; scaled by 2^14 after the handshake
  const bool up = segment.from_client;
  const auto& ends = info.endpoints;
  wire::EmitTcp header;
  header.src = up ? ends.src : ends.dst;
  header.dst = up ? ends.dst : ends.src;
  header.src_port = up ? ends.src_port : ends.dst_port;
  header.dst_port = up ? ends.dst_port : ends.src_port;
  header.seq = segment.seq;
  header.ack = segment.ack;
  header.flags = segment.flags;
  header.window = kWindow;
  header.ip_id = flow.ip_id[up ? 0 : 1]++;
  header.options = segment.options;
  wire::emit_tcp_packet(header, segment.payload, ip_);
  frame_.resize(flow.link.size() + ip_.size());
  flow.link.write(frame_, up, !ends.src.is_v4(), ip_.size());
  std::ranges::copy(ip_, frame_.begin() + static_cast<std::ptrdiff_t>(flow.link.size()));
  // What is told late (a JOIN that waited, a connection that timed out) stands where it was told.
  latest_ = std::max(latest_, time);
  out_.pass(latest_, frame_, static_cast<std::uint32_t>(frame_.size()));
  ++counters_.packets;
}

void Normaliser::forget_unanswered(TimeNs now) {
  while (!opening_.empty() && (opening_.size() > kOpening || now - opening_.front().first > kUnanswered)) {
    const auto found = flows_.find(opening_.front().second);
    if (found != flows_.end() && !found->second.tcp.is_answered()) flows_.erase(found);
    opening_.pop_front();
  }
}

void Normaliser::on_handshake(const ConnectionInfo& info, engine::Handshake what, TimeNs time) {
  if (!info.mptcp) return;
  with_flow(info, time, [&](PlainFlow& tcp, const PlainFlow::Emit& emit) {
    switch (what) {
      case engine::Handshake::kSyn:
        opening_.emplace_back(time, info.number);
        return tcp.syn(emit);
      case engine::Handshake::kSynAck:
        return tcp.syn_ack(emit);
      case engine::Handshake::kEstablished:
        return tcp.established(emit);
      case engine::Handshake::kMidstream:
        return;  // made up when data comes, if it does
    }
  });
}

void Normaliser::on_data(const ConnectionInfo& info, const engine::StreamChunk& chunk) {
  with_flow(info, chunk.time_ns, [&](PlainFlow& tcp, const PlainFlow::Emit& emit) { tcp.data(chunk.direction, chunk.offset, chunk.bytes, emit); });
}

void Normaliser::on_gap(const ConnectionInfo& info, Direction direction, std::uint64_t offset, std::uint64_t bytes, TimeNs time) {
  with_flow(info, time, [&](PlainFlow& tcp, const PlainFlow::Emit&) { tcp.gap(direction, offset, bytes); });
}

void Normaliser::on_ack(const ConnectionInfo& info, Direction direction, std::uint64_t offset, TimeNs time) {
  with_flow(info, time, [&](PlainFlow& tcp, const PlainFlow::Emit& emit) { tcp.ack(direction, offset, emit); });
}

void Normaliser::on_fin(const ConnectionInfo& info, Direction direction, TimeNs time) {
  with_flow(info, time, [&](PlainFlow& tcp, const PlainFlow::Emit& emit) { tcp.fin(direction, emit); });
}

void Normaliser::on_reset(const ConnectionInfo& info, Direction direction, TimeNs time) {
  with_flow(info, time, [&](PlainFlow& tcp, const PlainFlow::Emit& emit) { tcp.reset(direction, emit); });
}

void Normaliser::on_connection(const engine::ConnectionRecord& record) { flows_.erase(record.info.number); }

}  // namespace weir::report
