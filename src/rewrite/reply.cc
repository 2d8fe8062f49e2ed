#include "rewrite/reply.h"

#include <array>
#include <span>

#include "rewrite/option_space.h"
#include "wire/decode.h"
#include "wire/emit.h"
#include "wire/mptcp/parse.h"

namespace weir::rewrite {
namespace {

constexpr std::uint8_t kTimestampKind = 8;
constexpr std::uint8_t kTimestampBytes = 10;
constexpr wire::TcpFlags kAck{0x10};
constexpr wire::TcpFlags kRst{0x04};
constexpr wire::TcpFlags kRstAck{0x14};

/// Time stamps as everyone writes them (RFC 7323 appendix A), then one MPTCP option: at most 24 octets, a multiple of 4.
struct ReplyOptions {
  std::array<std::byte, kOptionSpace> octets{};
  std::size_t used = 0;

  void put(const Receiver::Timestamps& timestamps) {
    const auto room = std::span(octets).subspan(used);
    ByteWriter out(room);
    out.u8(kNoOperation);
    out.u8(kNoOperation);
    out.u8(kTimestampKind);
    out.u8(kTimestampBytes);
    out.u32(timestamps.value);
    out.u32(timestamps.echo);
    used += out.written();
  }
  void put(const wire::mptcp::Option& option) { used += wire::mptcp::emit_option(option, std::span(octets).subspan(used)); }
};

Packet make(const Receiver& to, wire::TcpFlags flags, const std::optional<wire::mptcp::Option>& option, bool acknowledges = false) {
  ReplyOptions options;
  if (to.timestamps) options.put(*to.timestamps);
  if (acknowledges && to.data_ack) options.put(wire::mptcp::Dss{.data_fin = false, .data_ack = {{.value = *to.data_ack, .wide = true}}, .mapping = {}});
  if (option) options.put(*option);
  Packet packet;
  wire::emit_tcp_packet({.src = to.src,
                         .dst = to.dst,
                         .src_port = to.src_port,
                         .dst_port = to.dst_port,
                         .seq = to.seq,
                         .ack = flags.ack() ? to.ack : SeqNum{},
                         .flags = flags,
                         .window = to.window,
                         .options = Bytes(options.octets).first(options.used)},
                        {}, packet);
  return packet;
}

std::optional<wire::mptcp::Option> tcprst(std::optional<ResetReason> reason) {
  if (!reason) return std::nullopt;
  return wire::mptcp::MpTcprst{.reason = static_cast<std::uint8_t>(*reason)};
}

}  // namespace

Packet make_reset(const Receiver& to, std::optional<ResetReason> reason) { return make(to, kRstAck, tcprst(reason)); }

Packet make_ack(const Receiver& to) { return make(to, kAck, std::nullopt); }

Packet make_fastclose(const Receiver& to, std::uint64_t receiver_key) { return make(to, kAck, wire::mptcp::MpFastclose{.receiver_key = receiver_key}, true); }

Packet make_fastclose_reset(const Receiver& to, std::uint64_t receiver_key) {
  return make(to, kRstAck, wire::mptcp::MpFastclose{.receiver_key = receiver_key});
}

std::expected<Packet, Unchangeable> refuse(Bytes packet, std::optional<ResetReason> reason, const std::optional<Endpoints>& as_sent) {
  const auto place = find_tcp(packet);
  if (!place) return std::unexpected(place.error());
  wire::Decoded decoded;
  wire::decode_ip(packet, static_cast<std::uint32_t>(packet.size()), 0, 0, decoded);
  const wire::TcpSegment& segment = decoded.tcp;
  if (segment.flags.rst()) return std::unexpected(Unchangeable::kMalformed);
  Receiver to{.src = place->dst, .dst = place->src, .src_port = segment.dst_port, .dst_port = segment.src_port};
  if (as_sent) to = {.src = as_sent->dst, .dst = as_sent->src, .src_port = as_sent->dst_port, .dst_port = as_sent->src_port};
  if (segment.has_timestamp) to.timestamps = Receiver::Timestamps{.value = segment.ts_echo, .echo = segment.ts_value};
  if (segment.flags.ack()) {
    to.seq = segment.ack;
    return make(to, kRst, tcprst(reason));
  }
  to.ack = segment.seq + segment.payload_bytes + (segment.flags.syn() ? 1U : 0U) + (segment.flags.fin() ? 1U : 0U);
  return make(to, kRstAck, tcprst(reason));
}

}  // namespace weir::rewrite
