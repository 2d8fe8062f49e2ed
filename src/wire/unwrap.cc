#include "wire/unwrap.h"

namespace weir::wire {
namespace {

/// A bijection of 64-bit words that spreads every bit over all others.
std::uint64_t spread(std::uint64_t x) {
  x ^= x >> 32U;
  x *= 0xd6e8feb86659fd93U;
  x ^= x >> 32U;
  x *= 0xd6e8feb86659fd93U;
  return x ^ x >> 32U;
}

std::uint64_t chain(std::uint64_t state, std::uint64_t word) { return spread(spread(state + 0x9e3779b97f4a7c15U) ^ word); }

std::uint64_t chain(std::uint64_t state, const IpAddress& address) {
  const Fixed<16> octets = std::as_bytes(std::span(address.octets));
  return chain(chain(state, u64_at<0>(octets)), u64_at<8>(octets));
}

}  // namespace

void Unwrap::enter_tunnel(TunnelKind kind, std::uint64_t identifier, bool by_direction) {
  outer = Outer{
      .ip_version = out.ip_version,
      .ttl = out.ttl,
      .protocol = out.protocol,
      .ip_id = out.ip_id,
      .src = out.src,
      .dst = out.dst,
      .ip = out.ip,
      .ip_bytes = out.ip_bytes,
      .tunnel = out.tunnel,
      .tunnel_pair = out.tunnel_pair,
  };
  const auto identity = [&](std::uint64_t around, std::uint64_t number) {
    std::uint64_t state = chain(around, static_cast<std::uint64_t>(kind));
    state = chain(state, std::min(out.src, out.dst));
    state = chain(state, std::max(out.src, out.dst));
    state = chain(state, number);
    return state != 0 ? state : 1;  // 0 says that there is no tunnel
  };
  out.tunnel = identity(out.tunnel, identifier);
  out.tunnel_pair = identity(out.tunnel_pair, by_direction ? 0 : identifier);
}

void Unwrap::leave_tunnel() {
  out.kind = Kind::kOtherIp;
  out.error = DecodeError::kNone;
  out.ip_version = outer->ip_version;
  out.ttl = outer->ttl;
  out.protocol = outer->protocol;
  out.ip_id = outer->ip_id;
  out.src = outer->src;
  out.dst = outer->dst;
  out.ip = outer->ip;
  out.ip_bytes = outer->ip_bytes;
  out.tunnel = outer->tunnel;
  out.tunnel_pair = outer->tunnel_pair;
  outer.reset();
}

}  // namespace weir::wire
