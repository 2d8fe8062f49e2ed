// Packets of a connection with MPTCP between two hosts, made for the tests.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/endpoints.h"
#include "gateway/core.h"
#include "gateway/marks.h"
#include "wire/emit.h"
#include "wire/mptcp/parse.h"

namespace weir::gateway::crafted {

constexpr std::uint64_t kClientKey = 0x0102030405060708, kServerKey = 0xa1b2c3d4e5f60718;
constexpr std::uint32_t kClientIsn = 1'000, kServerIsn = 5'000'000;
constexpr std::uint16_t kInspectedPort = 80, kAllowedPort = 443;
constexpr std::uint8_t kSynFlag = 0x02, kRstFlag = 0x04, kSynAckFlags = 0x12, kAckFlag = 0x10, kFinFlags = 0x11;
constexpr std::array<std::byte, 4> kClient{std::byte{10}, std::byte{0}, std::byte{0}, std::byte{1}};
constexpr std::array<std::byte, 4> kServer{std::byte{192}, std::byte{0}, std::byte{2}, std::byte{2}};

/// A packet between client and server; `mark`: what the kernel has of its flow.
struct Sent {
  std::uint16_t client_port = 40'000, server_port = kInspectedPort;
  bool to_server = true;
  std::uint32_t ssn = 1, acks = 1;
  std::uint8_t flags = kAckFlag;
  std::vector<wire::mptcp::Option> options{};
  std::string payload{};
  MarkState mark = MarkState::kNone;
  std::uint32_t isn = kClientIsn;
  std::optional<Endpoints> as_sent{};
};

/// The packet's octets are `bytes`, as long as those are left alone.
inline Packet packet(const Sent& p, TimeNs time, std::vector<std::byte>& bytes) {
  std::vector<std::byte> options;
  for (const wire::mptcp::Option& option : p.options) {
    std::array<std::byte, 40> one{};
    const std::size_t size = wire::mptcp::emit_option(option, one);
    options.insert(options.end(), one.begin(), one.begin() + static_cast<std::ptrdiff_t>(size));
    while (options.size() % 4 != 0) options.push_back(std::byte{1});
  }
  wire::EmitTcp header;
  header.src = IpAddress::v4(p.to_server ? kClient : kServer);
  header.dst = IpAddress::v4(p.to_server ? kServer : kClient);
  header.src_port = p.to_server ? p.client_port : p.server_port;
  header.dst_port = p.to_server ? p.server_port : p.client_port;
  header.seq = SeqNum{(p.to_server ? p.isn : kServerIsn) + p.ssn};
  header.ack = SeqNum{(p.flags & kAckFlag) == 0 ? 0 : (p.to_server ? kServerIsn : p.isn) + p.acks};
  header.flags = wire::TcpFlags{p.flags};
  header.window = 0xffff;
  header.options = options;
  bytes.clear();
  wire::emit_tcp_packet(header, std::as_bytes(std::span(p.payload)), bytes);
  Packet made;
  made.raw.bytes = bytes;
  made.raw.original_bytes = static_cast<std::uint32_t>(bytes.size());
  made.raw.time_ns = time;
  made.raw.link = LinkType::kRaw;
  made.mark = p.mark == MarkState::kNone ? 0 : Marks().with(0, p.mark);
  made.as_sent = p.as_sent;
  return made;
}

inline wire::mptcp::MpCapable capable() {
  wire::mptcp::MpCapable option;
  option.version = 1;
  return option;
}

/// The handshake of a connection's first subflow, with the ports and the mark of `first`; the last packet is the server's.
inline std::array<Sent, 4> handshake(const Sent& first = {}, std::uint64_t client_key = kClientKey, std::uint64_t server_key = kServerKey) {
  wire::mptcp::MpCapable answer = capable(), third = capable();
  answer.sender_key = third.receiver_key = server_key;
  third.sender_key = client_key;
  std::array<Sent, 4> packets{first, first, first, first};
  for (const std::size_t i : {1U, 3U}) packets[i].to_server = false;
  for (const std::size_t i : {0U, 1U}) packets[i].ssn = 0;
  packets[0].acks = 0;
  packets[0].flags = kSynFlag;
  packets[0].options = {capable()};
  packets[1].flags = kSynAckFlags;
  packets[1].options = {answer};
  packets[2].options = {third};
  return packets;
}

}  // namespace weir::gateway::crafted
