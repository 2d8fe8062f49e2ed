#include "segment.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "wire/emit.h"
#include "wire/mptcp/parse.h"

namespace weir::simulate {
namespace {

constexpr std::size_t kOptionSpace = 40;  // RFC 9293 §3.1: a data offset of 15 words less 20 octets

/// The option space, in the order in which Linux writes it (tcp_options_write).
class OptionSpace {
 public:
  explicit OptionSpace(const Segment& s) {
    if (s.mss) put({2, 4, static_cast<std::uint8_t>(*s.mss >> 8U), static_cast<std::uint8_t>(*s.mss)});
    if (s.has_timestamp) {
      if (s.sack_permitted) {
        put({4, 2});
      } else {
        put({1, 1});
      }
      put({8, 10});
      put32(s.ts_value);
      put32(s.ts_echo);
    } else if (s.sack_permitted) {
      put({1, 1, 4, 2});
    }
    if (s.window_scale) put({1, 3, 3, *s.window_scale});
    if (s.sack) {
      put({1, 1, 5, 10});
      put32(s.sack->first.value);
      put32(s.sack->second.value);
    }
    for (const auto& option : s.mptcp) {
      std::array<std::byte, kOptionSpace> one{};
      const std::size_t size = wire::mptcp::emit_option(option, one);
      if (size == 0) throw std::logic_error("simulator: an option that does not fit");
      for (std::size_t i = 0; i < size; ++i) octets_.push_back(one[i]);
      while (octets_.size() % 4 != 0) octets_.push_back(std::byte{1});
    }
  }
  std::span<const std::byte> octets() const { return octets_; }

 private:
  void put(std::initializer_list<std::uint8_t> in) {
    for (const std::uint8_t octet : in) octets_.push_back(static_cast<std::byte>(octet));
  }
  void put32(std::uint32_t value) {
    for (unsigned shift = 32; shift > 0;) octets_.push_back(static_cast<std::byte>(value >> (shift -= 8)));
  }
  std::vector<std::byte> octets_;
};

std::uint16_t pseudo_header_sum(const Segment& s, std::size_t tcp_octets) {
  std::uint32_t sum = 6 + static_cast<std::uint32_t>(tcp_octets);
  for (const IpAddress* address : {&s.src.address, &s.dst.address}) {
    const auto octets = address->wire();
    for (std::size_t i = 0; i < octets.size(); i += 2) sum += static_cast<std::uint32_t>(octets[i] << 8U | octets[i + 1]);
  }
  while (sum >> 16U) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

}  // namespace

std::size_t option_octets(const Segment& segment) { return OptionSpace(segment).octets().size(); }

void write_packet(const Segment& s, WrittenChecksum checksum, std::vector<std::byte>& out) {
  const OptionSpace options(s);
  if (options.octets().size() > kOptionSpace) throw std::logic_error("simulator: more options than a segment holds");
  const wire::EmitTcp header{.src = s.src.address,
                             .dst = s.dst.address,
                             .src_port = s.src.port,
                             .dst_port = s.dst.port,
                             .seq = s.seq,
                             .ack = s.ack,
                             .flags = s.flags,
                             .window = s.window,
                             .ttl = 64,
                             .ip_id = s.ip_id,
                             .options = options.octets()};
  std::vector<std::byte> packet;
  wire::emit_tcp_packet(header, s.payload, packet);
  const std::size_t tcp_at = s.src.address.is_v4() ? 20 : 40;
  if (checksum != WrittenChecksum::kRight) {
    const std::size_t sum_at = tcp_at + 16;
    std::uint16_t sum = pseudo_header_sum(s, packet.size() - tcp_at);
    if (checksum == WrittenChecksum::kWrong) sum = static_cast<std::uint16_t>(sum ^ 0x5a5aU);
    packet[sum_at] = static_cast<std::byte>(sum >> 8U);
    packet[sum_at + 1] = static_cast<std::byte>(sum);
  }
  if (s.damaged) packet.back() ^= std::byte{0x20};  // the last octet of the payload: only the checksum tells
  out.insert(out.end(), packet.begin(), packet.end());
}

}  // namespace weir::simulate
