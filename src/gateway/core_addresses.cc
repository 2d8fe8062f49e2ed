// Core: what becomes of the addresses that hosts offer each other.
#include <algorithm>
#include <utility>

#include "gateway/core.h"
#include "rewrite/strip.h"
#include "rewrite/tcp_place.h"
#include "wire/decode.h"
#include "wire/mptcp/parse.h"

namespace weir::gateway {
namespace {

constexpr rewrite::SubtypeSet kAddAddr{wire::mptcp::Subtype::kAddAddr};
/// Records of one connection: a host that offers without end fills no log. All are counted.
constexpr std::uint8_t kMostTold = 32;

/// What is left of an offer on a pure acknowledgement. A client that gets one without MPTCP before any other answer falls back to plain TCP, and its
/// server does not: such a one must not go. Nothing is lost, as the next one acknowledges as much.
bool is_bare(std::span<const std::byte> packet) {
  wire::Decoded decoded;
  RawPacket raw;
  raw.bytes = packet;
  raw.original_bytes = static_cast<std::uint32_t>(packet.size());
  raw.link = LinkType::kRaw;
  wire::decode(raw, decoded);
  if (decoded.kind != wire::Kind::kTcp || !decoded.tcp.payload.empty()) return false;
  const wire::TcpFlags flags = decoded.tcp.flags;
  if (flags.syn() || flags.fin() || flags.rst()) return false;
  wire::OptionWalker walker(decoded.tcp.options);
  return !walker.next(wire::mptcp::kOptionKind);
}

}  // namespace

/// A tunnel's packets go as they are: their inner addresses are not this NAT's.
bool Core::is_in_tunnel(const Packet& packet, rewrite::Unchangeable why) {
  if (why != rewrite::Unchangeable::kTunnel) return false;
  wire::decode(packet.raw, decoded_);
  return decoded_.kind == wire::Kind::kTcp;
}

bool Core::has_add_addr() const {
  wire::OptionWalker walker(decoded_.tcp.options);
  while (const auto bytes = walker.next(wire::mptcp::kOptionKind))
    if (bytes->size() > 2 && kAddAddr.has(std::to_integer<unsigned>((*bytes)[2]) >> 4U)) return true;
  return false;
}

/// Of a packet that passes: as limits.add_addr says.
Outcome Core::addresses(const Packet& packet, const engine::Judgement& judgement, MarkState state) {
  const decide::AddAddr what = connection(judgement.connection).decision->limits.add_addr;
  if (what == decide::AddAddr::kAllow || (what == decide::AddAddr::kTranslate && nat_ == nullptr) || !rewrite::may_tell_addresses(packet.raw.bytes))
    return accept(packet, state);
  return what == decide::AddAddr::kDrop ? without_add_addr(packet, judgement, state) : translated(packet, judgement, state);
}

Outcome Core::without_add_addr(const Packet& packet, const engine::Judgement& judgement, MarkState state) {
  Outcome out = accept(packet, state);
  changed_.assign(packet.raw.bytes.begin(), packet.raw.bytes.end());
  const auto count = rewrite::strip_mptcp(changed_, kAddAddr);
  if (!count) {
    if (is_in_tunnel(packet, count.error()) && !has_add_addr()) return out;
    ++counters_.unchangeable;
    return drop();
  }
  if (*count == 0) return out;
  tell_dropped_offers(packet, judgement);
  if (is_bare(changed_)) return drop();
  ++counters_.changed;
  out.changed = changed_;
  return out;
}

void Core::tell_dropped_offers(const Packet& packet, const engine::Judgement& judgement) {
  wire::decode(packet.raw, decoded_);
  Connection& c = connection(judgement.connection);
  wire::OptionWalker walker(decoded_.tcp.options);
  while (const auto bytes = walker.next(wire::mptcp::kOptionKind)) {
    const auto option = wire::mptcp::parse_option(*bytes);
    const auto* const add = option ? std::get_if<wire::mptcp::AddAddr>(&*option) : nullptr;
    if (add == nullptr || add->echo) continue;
    ++counters_.add_addr_dropped;
    const DroppedOffer offer{.host = static_cast<std::uint8_t>(index(judgement.direction)),
                             .address_id = add->address_id,
                             .address = {.address = add->address, .port = add->port.value_or(0)}};
    if (c.addresses_told >= kMostTold || std::ranges::find(c.dropped_offers, offer) != c.dropped_offers.end()) continue;
    ++c.addresses_told;
    c.dropped_offers.push_back(offer);
    tell(record_of(judgement.connection, packet.raw.time_ns, "drop", name_of_offer(offer.address_id, offer.address) + " is taken out: limits.add_addr"));
  }
}

rewrite::AddAddrContext Core::context_of(const engine::Judgement& judgement, const Connection& c) const {
  rewrite::AddAddrContext context{.connection = judgement.connection, .sender = static_cast<std::uint8_t>(index(judgement.direction))};
  if (const auto keys = engine_->keys(judgement.connection)) {
    context.version = keys->version;
    context.sender_key = keys->key[context.sender];
    context.receiver_key = keys->key[1 - context.sender];
  }
  context.sender_port = context.sender == 0 ? c.client_port : c.server_port;
  if (context.sender_port == 0) {
    // Its first SYN was before this program. The oldest subflow that lives is the next best.
    const auto endings = engine_->endings(judgement.connection);
    const auto first = std::ranges::min_element(endings, {}, &engine::Ending::subflow);
    if (first != endings.end()) context.sender_port = first->host == context.sender ? first->endpoints.dst_port : first->endpoints.src_port;
  }
  context.peer_port = context.sender_port;
  return context;
}

Outcome Core::translated(const Packet& packet, const engine::Judgement& judgement, MarkState state) {
  Connection& c = connection(judgement.connection);
  Outcome out = accept(packet, state);
  auto result = nat_->treat(packet.raw.bytes, context_of(judgement, c), packet.raw.time_ns);
  if (!result) {
    if (is_in_tunnel(packet, result.error())) return out;
    ++counters_.unchangeable;
    return drop();
  }
  if (!result->changes.empty()) {
    c.has_offers = true;
    tell_addresses(packet, judgement, *result);
  }
  if (result->packet.empty()) return out;
  if (is_bare(result->packet)) return drop();
  ++counters_.changed;
  changed_ = std::move(result->packet);
  out.changed = changed_;
  return out;
}

void Core::tell_addresses(const Packet& packet, const engine::Judgement& judgement, const AddressNat::Result& result) {
  Connection& c = connection(judgement.connection);
  for (const rewrite::AddAddrChange& change : result.changes) {
    using What = rewrite::AddAddrChange::What;
    if (change.what == What::kEcho || change.repeated || c.addresses_told >= kMostTold) continue;
    ++c.addresses_told;
    std::string reason = explain(change);
    if (!result.problem.empty()) reason += " (" + result.problem + ")";
    tell(record_of(judgement.connection, packet.raw.time_ns, change.what == What::kTranslated ? "translate" : "drop", std::move(reason)));
  }
}

}  // namespace weir::gateway
