// The walk from the outermost header to the innermost: what every layer reads from and tells. A layer is a function that
// takes its header off the front and says what stands next; decode.cc calls them in turn.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "wire/decode.h"

namespace weir::wire {

/// What stands next in the packet.
enum class Layer : std::uint8_t {
  kDone,  ///< nothing: `out.kind` says what was found
  kEthernet,
  kVlan,
  kMpls,
  kPppoe,
  kPpp,
  kPppHdlc,
  kCooked,
  kCooked2,
  kLoopback,
  kErspan2,
  kErspan3,
  kIp,  ///< IPv4 or IPv6, by its version field
  kIpv4,
  kIpv6,
  kTransport,  ///< what `out.protocol` says
};

/// Frames longer than any that a wire carries between ordinary hosts: merged by an offload, or cut into segments after the
/// capture. In those a length field of 0 means "to the end"; in shorter ones a receiver refuses the packet, and so do we.
inline constexpr std::uint32_t kLongestOrdinaryIp = 1500;

/// What a tunnel is told by, besides its outer addresses. Part of the tunnel's identity.
enum class TunnelKind : std::uint8_t { kIpInIp = 1, kGre, kPptp, kVxlan, kGeneve, kGtp, kMpls, kEtherIp };

/// One packet being unwrapped. Invariant: `bytes` is what was captured of the next `wire_bytes` octets; never longer.
struct Unwrap {
  Decoded& out;
  Bytes bytes;
  std::uint32_t wire_bytes = 0;

  /// The IP packet that carries a tunnel, until the tunnel's payload has shown an IP header of its own.
  struct Outer {
    std::uint8_t ip_version, ttl, protocol;
    std::uint32_t ip_id;
    IpAddress src, dst;
    Bytes ip;
    std::uint32_t ip_bytes;
    std::uint64_t tunnel, tunnel_pair;
  };
  std::optional<Outer> outer{};
  bool told_by_port = false;  ///< the tunnel is only a guess from a UDP port: if its payload makes no sense, it is none

  Layer done(Kind kind) {
    out.kind = kind;
    return Layer::kDone;
  }
  Layer fail(DecodeError error) {
    out.error = error;
    return done(Kind::kBad);
  }

  /// Takes a header of N octets off the front, if so many were captured.
  template <std::size_t N>
  MaybeFixed<N> take() {
    const auto header = fixed<N>(bytes);
    if (header) skip(N);
    return header;
  }
  bool skip(std::size_t n) {
    if (n > bytes.size()) return false;
    bytes = bytes.subspan(n);
    wire_bytes -= static_cast<std::uint32_t>(n);
    return true;
  }
  /// Leaves the next n octets (at most wire_bytes): what follows is padding or a trailer.
  void cut(std::uint32_t n) {
    wire_bytes = n;
    bytes = bytes.first(std::min<std::size_t>(bytes.size(), n));
  }

  /// Notes that the packet in `out` carries a tunnel. An identifier that differs by direction is left out of the pair's identity.
  void enter_tunnel(TunnelKind kind, std::uint64_t identifier, bool by_direction = false);
  /// An IP header was accepted: the tunnel around it, if any, is one.
  void prove_tunnel() {
    outer.reset();
    told_by_port = false;
  }
  /// Gives up a tunnel that turned out to hold no IP packet: the packet that carries it is the innermost one.
  void leave_tunnel();
};

/// What an EtherType announces. Not IP and nothing that may hold IP: `out.kind` is set, kDone.
Layer by_ether_type(Unwrap& u, std::uint16_t type);

// link.cc
Layer ethernet(Unwrap& u);
Layer vlan(Unwrap& u);
Layer cooked(Unwrap& u);
Layer cooked2(Unwrap& u);
Layer loopback(Unwrap& u);
// ppp.cc
Layer pppoe(Unwrap& u);
Layer ppp(Unwrap& u);
Layer ppp_hdlc(Unwrap& u);
// mpls.cc
Layer mpls(Unwrap& u);
// ipv4.cc
Layer ipv4(Unwrap& u);
// ipv6.cc
Layer ipv6(Unwrap& u);
// gre.cc
Layer gre(Unwrap& u);
Layer erspan2(Unwrap& u);
Layer erspan3(Unwrap& u);
// udp_tunnels.cc
Layer udp(Unwrap& u);

}  // namespace weir::wire
