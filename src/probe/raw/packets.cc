#include "probe/raw/packets.h"

#include <array>
#include <span>

#include "base/bytes.h"
#include "track/keys.h"
#include "wire/checksum.h"
#include "wire/emit.h"
#include "wire/mptcp/parse.h"

namespace weir::probe::raw {
namespace {

namespace mptcp = wire::mptcp;

constexpr std::uint8_t kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10;
constexpr std::uint16_t kWindow = 65'535;
constexpr std::uint16_t kMss4 = 1'460, kMss6 = 1'440;

/// The option space of one segment, padded to four octets with NOPs.
class Options {
 public:
  void mss(std::uint16_t octets) {
    ByteWriter out(rest());
    out.u8(2);
    out.u8(4);
    out.u16(octets);
    used_ += out.written();
  }
  void add(const mptcp::Option& option) {
    used_ += mptcp::emit_option(option, rest());
    while (used_ % 4 != 0) space_[used_++] = std::byte{1};
  }
  std::span<const std::byte> octets() const { return std::span(space_).first(used_); }

 private:
  std::span<std::byte> rest() { return std::span(space_).subspan(used_); }
  std::array<std::byte, 44> space_{};
  std::size_t used_ = 0;
};

wire::EmitTcp header(const Identity& from, const Target& to, std::uint16_t our_port) {
  wire::EmitTcp tcp;
  tcp.src = from.source;
  tcp.dst = to.address;
  tcp.src_port = our_port;
  tcp.dst_port = to.port;
  tcp.window = kWindow;
  tcp.ip_id = kIpId;
  return tcp;
}

/// RFC 8684 section 3.3.1: over the mapping with its 64-bit DSN, and the data.
std::uint16_t data_checksum(std::uint64_t dsn, std::uint32_t ssn, std::string_view data) {
  wire::ChecksumSum sum;
  sum.add64(dsn);
  sum.add32(ssn);
  sum.add16(static_cast<std::uint16_t>(data.size()));
  sum.add16(0);
  sum.add(std::as_bytes(std::span(data)));
  return sum.checksum();
}

}  // namespace

JoinNumbers join_numbers(const Cookie& cookie) {
  return {.token = static_cast<std::uint32_t>(cookie.key >> 32U), .nonce = static_cast<std::uint32_t>(cookie.key)};
}

void write_syn(const Identity& from, const Target& to, const Secret& secret, Question question, std::vector<std::byte>& out, std::uint8_t ttl,
               std::uint32_t seq_offset) {
  const Cookie cookie = cookie_of(secret, to, question);
  Options options;
  options.mss(to.address.is_v4() ? kMss4 : kMss6);
  switch (question) {
    case Question::kV1:
    case Question::kTraceCapable:
      options.add(mptcp::MpCapable{});
      break;
    case Question::kV0:
      options.add(mptcp::MpCapable{.version = 0, .sender_key = cookie.key, .receiver_key = {}, .data_level_length = {}, .checksum = {}});
      break;
    case Question::kJoin: {
      const JoinNumbers numbers = join_numbers(cookie);
      options.add(mptcp::MpJoinSyn{.backup = false, .address_id = 1, .token = numbers.token, .nonce = numbers.nonce});
      break;
    }
    case Question::kPlain:
    case Question::kTracePlain:
      break;
  }
  wire::EmitTcp tcp = header(from, to, cookie.port);
  tcp.seq = SeqNum{cookie.seq + seq_offset};
  tcp.flags.bits = kSyn;
  tcp.ttl = ttl;
  tcp.options = options.octets();
  wire::emit_tcp_packet(tcp, {}, out);
}

void write_third_ack(const Identity& from, const Target& to, const Secret& secret, const Server& server, std::vector<std::byte>& out) {
  const Cookie cookie = cookie_of(secret, to, Question::kV0);
  Options options;
  options.add(mptcp::MpCapable{
      .version = 0, .checksum_required = server.checksum, .sender_key = cookie.key, .receiver_key = server.key, .data_level_length = {}, .checksum = {}});
  wire::EmitTcp tcp = header(from, to, cookie.port);
  tcp.seq = SeqNum{cookie.seq + 1};
  tcp.ack = SeqNum{server.next_seq};
  tcp.flags.bits = kAck;
  tcp.options = options.octets();
  wire::emit_tcp_packet(tcp, {}, out);
}

void write_data(const Identity& from, const Target& to, const Secret& secret, Question question, const Server& server, std::vector<std::byte>& out) {
  const Cookie cookie = cookie_of(secret, to, question);
  const auto length = static_cast<std::uint16_t>(from.data.size());
  Options options;
  if (question == Question::kV0) {
    const std::uint64_t dsn = track::digest_key(cookie.key, 0).idsn + 1;
    const std::uint64_t ack = track::digest_key(server.key, 0).idsn + 1;
    mptcp::Dss dss{.data_fin = false, .data_ack = {}, .mapping = {}};
    dss.data_ack = mptcp::Dss::DataAck{.value = ack, .wide = false};
    dss.mapping = mptcp::Dss::Mapping{.dsn = dsn, .wide = false, .ssn = 1, .length = length, .checksum = {}};
    if (server.checksum) dss.mapping->checksum = data_checksum(dsn, 1, from.data);
    options.add(dss);
  } else {
    mptcp::MpCapable capable{
        .checksum_required = server.checksum, .sender_key = cookie.key, .receiver_key = server.key, .data_level_length = length, .checksum = {}};
    if (server.checksum) capable.checksum = data_checksum(track::digest_key(cookie.key, 1).idsn + 1, 1, from.data);
    options.add(capable);
  }
  wire::EmitTcp tcp = header(from, to, cookie.port);
  tcp.seq = SeqNum{cookie.seq + 1};
  tcp.ack = SeqNum{server.next_seq};
  tcp.flags.bits = kAck | kPsh;
  tcp.options = options.octets();
  wire::emit_tcp_packet(tcp, std::as_bytes(std::span(from.data)), out);
}

void write_close(const Identity& from, const Target& to, const Secret& secret, Question question, const Server& server, std::vector<std::byte>& out) {
  const Cookie cookie = cookie_of(secret, to, question);
  Options options;
  options.add(mptcp::MpFastclose{.receiver_key = server.key});
  wire::EmitTcp tcp = header(from, to, cookie.port);
  tcp.seq = SeqNum{cookie.seq + 1 + static_cast<std::uint32_t>(from.data.size())};
  tcp.ack = SeqNum{server.next_seq};
  tcp.flags.bits = kRst | kAck;
  tcp.options = options.octets();
  wire::emit_tcp_packet(tcp, {}, out);
}

void write_reset(const Identity& from, const Target& to, std::uint16_t our_port, std::uint32_t ack, std::vector<std::byte>& out) {
  wire::EmitTcp tcp = header(from, to, our_port);
  tcp.seq = SeqNum{ack};
  tcp.flags.bits = kRst;
  wire::emit_tcp_packet(tcp, {}, out);
}

}  // namespace weir::probe::raw
