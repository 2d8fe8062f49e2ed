#include "tcp_writer.h"

#include <cstring>

namespace weir::bench {
namespace {

constexpr std::size_t kEthernetOctets = 14, kIpOctets = 20, kTcpOctets = 20;
constexpr unsigned kWindowScale = 12;
constexpr std::uint16_t kWindow = 0x4000;  ///< 64 MiB scaled: no workload has more under way

void put16(std::byte* at, std::uint32_t value) {
  at[0] = static_cast<std::byte>(value >> 8U);
  at[1] = static_cast<std::byte>(value);
}
void put32(std::byte* at, std::uint32_t value) {
  put16(at, value >> 16U);
  put16(at + 2, value);
}

std::uint32_t fold(std::uint32_t sum) {
  while (sum >> 16U) sum = (sum & 0xffffU) + (sum >> 16U);
  return sum;
}

}  // namespace

Options TcpWriter::options(bool syn) const {
  Options out;
  if (syn) {
    out.octets({2, 4, 1'460 >> 8U, 1'460 & 0xffU, 4, 2});
  } else {
    out.octets({1, 1});
  }
  const auto now_ms = static_cast<std::uint32_t>(out_.now_us() / 1'000);
  out.octets({8, 10});
  out.number(now_ms, 4);
  out.number(now_ms - 1, 4);
  if (syn) out.octets({1, 3, 3, kWindowScale});
  return out;
}

void TcpWriter::write(const Flow& flow, unsigned from, std::uint8_t flags, std::uint32_t position, std::uint32_t acknowledged, const Options& options,
                      const Payload& payload) {
  const unsigned to = 1 - from;
  std::array<std::byte, kEthernetOctets + kIpOctets + kTcpOctets + 40> packet{};
  const auto space = options.space();
  const std::size_t tcp_header = kTcpOctets + space.size();
  const auto tcp_octets = static_cast<std::uint32_t>(tcp_header + payload.bytes.size());

  packet[0] = packet[6] = std::byte{2};
  packet[5] = static_cast<std::byte>(to + 1);
  packet[11] = static_cast<std::byte>(from + 1);
  packet[12] = std::byte{0x08};

  std::byte* ip = packet.data() + kEthernetOctets;
  put16(ip, 0x4500);
  put16(ip + 2, static_cast<std::uint32_t>(kIpOctets) + tcp_octets);
  put16(ip + 4, ip_id_++);
  put16(ip + 6, 0x4000);  // DF
  put16(ip + 8, 64U << 8U | 6U);
  put32(ip + 12, flow.address[from]);
  put32(ip + 16, flow.address[to]);
  put16(ip + 10, ~sum_words({ip, kIpOctets}) & 0xffffU);

  std::byte* tcp = ip + kIpOctets;
  put16(tcp, flow.port[from]);
  put16(tcp + 2, flow.port[to]);
  put32(tcp + 4, flow.isn[from] + position);
  if (flags & kAck) put32(tcp + 8, flow.isn[to] + acknowledged);
  put16(tcp + 12, static_cast<std::uint32_t>(tcp_header / 4) << 12U | flags);
  put16(tcp + 14, flags & kSyn ? 0xffffU : kWindow);
  std::memcpy(tcp + kTcpOctets, space.data(), space.size());
  const std::uint32_t sum = sum_words({ip + 12, 8}) + 6 + tcp_octets + sum_words({tcp, tcp_header}) + payload.sum;
  put16(tcp + 16, ~fold(sum) & 0xffffU);
  out_.write(std::span(packet).first(kEthernetOctets + kIpOctets + tcp_header), payload.bytes);
}

void TcpWriter::open(Flow& flow) {
  write(flow, 0, kSyn, 0, 0, options(true));
  write(flow, 1, kSyn | kAck, 0, 1, options(true));
  write(flow, 0, kAck, 1, 1, options(false));
}

void TcpWriter::data(Flow& flow, unsigned from, const Payload& payload) {
  write(flow, from, kAck, flow.sent[from], flow.sent[1 - from], options(false), payload);
  flow.sent[from] += static_cast<std::uint32_t>(payload.bytes.size());
}

void TcpWriter::acknowledge(Flow& flow, unsigned from) { write(flow, from, kAck, flow.sent[from], flow.sent[1 - from], options(false)); }

void TcpWriter::close(Flow& flow) {
  write(flow, 0, kFin | kAck, flow.sent[0]++, flow.sent[1], options(false));
  write(flow, 1, kFin | kAck, flow.sent[1]++, flow.sent[0], options(false));
  write(flow, 0, kAck, flow.sent[0], flow.sent[1], options(false));
}

}  // namespace weir::bench
