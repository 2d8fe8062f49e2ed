// Link header to transport header: one packet's bytes into views. Stateless; IP fragments are returned as such and put
// together by Defragmenter (defragment.h), after which decode_ip() goes on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/ip_address.h"
#include "base/raw_packet.h"
#include "wire/decode_error.h"
#include "wire/tcp.h"

namespace weir::wire {

/// Headers below TCP that are unwrapped at most: a network's real stack (QinQ, MPLS, PPPoE, two tunnels) has about ten.
inline constexpr int kMaxLayers = 24;

enum class ChecksumState : std::uint8_t {
  kRight,
  kPseudoHeader,  ///< the pseudo-header's sum that checksum offload leaves (with the segment's length, or with length 0)
  kWrong,
  kUnknown,  ///< cut by the snap length: cannot be told
};

enum class Kind : std::uint8_t {
  kTcp,       ///< `tcp` is valid
  kFragment,  ///< innermost IP packet is a fragment; `fragment` is valid
  kOtherIp,   ///< an IP packet with another transport
  kNotIp,     ///< ARP and the like
  kBad,       ///< `error` says why; `ip_version`, unless 0, says that `src`, `dst` and `ip` are those of the last IP header accepted
};

struct FragmentInfo {
  std::uint32_t id = 0;
  std::uint32_t offset_bytes = 0;
  bool more = false;
  std::uint8_t protocol = 0;             ///< IPv4: protocol; IPv6: next header of the fragment header
  std::span<const std::byte> payload;    ///< this fragment's octets as captured
  std::uint32_t payload_bytes = 0;       ///< length on the wire
  std::span<const std::byte> header;     ///< IPv4 header; IPv6: header with the extension headers before the fragment header
  std::uint32_t next_header_offset = 0;  ///< IPv6: where in `header` the octet stands that names the fragment header
};

/// Of a datagram whose UDP header is whole and whose port means no tunnel.
struct UdpDatagram {
  std::uint16_t src_port = 0;
  std::uint16_t dst_port = 0;
  std::span<const std::byte> payload;  ///< as captured
};

/// Reused from packet to packet: what `kind` does not call valid is left over from an earlier one.
struct Decoded {
  Kind kind = Kind::kBad;
  DecodeError error = DecodeError::kNone;
  std::uint8_t ip_version = 0;
  std::uint8_t ttl = 0;
  std::uint8_t protocol = 0;      ///< of the innermost IP packet, extension headers passed
  std::uint32_t ip_id = 0;        ///< IPv4 identification; 0 for IPv6
  IpAddress src, dst;             ///< of the innermost IP packet
  std::span<const std::byte> ip;  ///< the innermost IP packet as captured (link trailer cut off)
  std::uint32_t ip_bytes = 0;     ///< its length on the wire
  std::uint64_t tunnel = 0;       ///< identity of the tunnels around it (kind, outer addresses unordered, VNI/key/TEID); 0: none
  std::uint64_t tunnel_pair = 0;  ///< the same without what differs by direction (GTP-U TEID); equals `tunnel` for all others
  TcpSegment tcp;                 ///< valid for kTcp
  FragmentInfo fragment;          ///< valid for kFragment
  UdpDatagram udp;                ///< of kOtherIp: its payload is empty where there is none
};

/// Decodes a captured packet. Never throws, never trusts a length; bounded by kMaxLayers encapsulations.
void decode(const RawPacket& packet, Decoded& out);

/// Decodes an IP packet (a reassembled datagram); `tunnel` as known from its first fragment. A tunnel inside goes on being unwrapped.
void decode_ip(std::span<const std::byte> ip, std::uint32_t wire_bytes, std::uint64_t tunnel, std::uint64_t tunnel_pair, Decoded& out);

/// TCP checksum over pseudo-header, header and payload (RFC 9293 §3.1). `decoded.kind` must be kTcp.
ChecksumState check_tcp_checksum(const Decoded& decoded);

}  // namespace weir::wire
