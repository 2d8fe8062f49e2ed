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

DatagramKey key_of(const wire::Decoded& fragment, PointId point) {
  return {fragment.src, fragment.dst, fragment.tunnel, fragment.fragment.id, point, fragment.fragment.protocol};
}

}  // namespace

Normaliser::Normaliser(const Settings& settings, FrameSink& sink) : settings_(settings), out_(sink) {}

Normaliser::Counters Normaliser::counters() const {
  Counters all = counters_;
  all.fragments_undecided = out_.undecided();
  return all;
}

void Normaliser::before(const RawPacket& packet) {
  current_ = &packet;
  out_.advance(packet.time_ns);
  forget_unanswered(packet.time_ns);
}

void Normaliser::after(const RawPacket& packet, Fate fate) {
  current_ = nullptr;
  const bool several = settings_.several_points && fate != Fate::kMptcp;
  wire::Decoded decoded;
  if (several || fate == Fate::kFragment || !out_.empty()) wire::decode(packet, decoded);
  // The packet that makes a datagram whole is a fragment itself, and its fate that of them all.
  if (fate != Fate::kFragment && !out_.empty() && decoded.kind == wire::Kind::kFragment) out_.decide(key_of(decoded, packet.point), fate == Fate::kOther);
  if (fate == Fate::kMptcp) return;
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
  }
  ++counters_.passed;
  latest_ = std::max(latest_, packet.time_ns);
  if (fate == Fate::kFragment && decoded.kind == wire::Kind::kFragment) {
    out_.hold(key_of(decoded, packet.point), packet.time_ns, frame, original);
  } else {
    out_.pass(packet.time_ns, frame, original);
  }
}

void Normaliser::finish() {
  current_ = nullptr;
  out_.release();
}

Normaliser::Flow Normaliser::open(const ConnectionInfo& info) const {
  Flow flow{PlainFlow(info.number, settings_.segment_bytes), LinkHeader(settings_.link)};
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
