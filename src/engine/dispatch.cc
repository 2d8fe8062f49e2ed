#include "engine/dispatch.h"

#include <algorithm>

#include "track/flow_table.h"
#include "track/keys.h"
#include "wire/mptcp/options.h"
#include "wire/mptcp/parse.h"
#include "wire/tcp.h"

namespace weir::engine {

namespace {

/// What a copy costs besides its octets.
constexpr std::size_t kCopyOverhead = 128;
/// Fragments are waited for as long as the defragmenter does (Linux: net.ipv4.ipfrag_time).
constexpr TimeNs kFragmentTime = 30'000'000'000;

std::uint64_t datagram_key(const wire::Decoded& d, PointId point, std::uint64_t seed) {
  return track::hash_flow_key({.low = d.src,
                               .high = d.dst,
                               .low_port = point,
                               .high_port = static_cast<std::uint16_t>(d.ip_version == 4 ? d.fragment.protocol : 0),
                               .tunnel = d.tunnel ^ (std::uint64_t{d.fragment.id} << 32U | d.ip_version)},
                              seed);
}

/// Of the packets of a handshake: what the opener's SYN had as its sequence number.
std::uint64_t opener_of(const wire::TcpSegment& tcp) {
  if (tcp.flags.syn()) return tcp.flags.ack() ? (tcp.ack - 1).value : tcp.seq.value;
  return (tcp.seq - 1).value;
}

}  // namespace

/// The options of a segment that tell whose it is.
struct Dispatcher::Seen {
  std::optional<wire::mptcp::MpCapable> capable;
  std::optional<std::uint32_t> join_token;
  bool join = false;
  bool dss = false;
};

Dispatcher::Seen Dispatcher::look(const wire::TcpSegment& tcp) {
  Seen seen;
  if (!tcp.has_mptcp) return seen;
  wire::OptionWalker walker(tcp.options);
  while (const auto bytes = walker.next(wire::mptcp::kOptionKind)) {
    if (bytes->size() < 3) continue;
    switch (static_cast<wire::mptcp::Subtype>(std::to_integer<unsigned>((*bytes)[2]) >> 4U)) {
      case wire::mptcp::Subtype::kMpCapable:
      case wire::mptcp::Subtype::kMpJoin:
        break;
      case wire::mptcp::Subtype::kDss:
        seen.dss = true;
        continue;
      default:
        continue;
    }
    const auto option = wire::mptcp::parse_option(*bytes);
    if (!option) continue;
    if (const auto* capable = std::get_if<wire::mptcp::MpCapable>(&*option)) {
      if (!capable->extensibility && !seen.capable) seen.capable = *capable;
    } else if (const auto* syn = std::get_if<wire::mptcp::MpJoinSyn>(&*option)) {
      seen.join = true;
      if (!seen.join_token) seen.join_token = syn->token;
    } else {
      seen.join = true;
    }
  }
  return seen;
}

/// GTP-U has a tunnel's identity for each direction: a flow is told by what both share.
std::uint64_t Dispatcher::flow_of(const wire::Decoded& d) const {
  return track::hash_flow(d.src, d.tcp.src_port, d.dst, d.tcp.dst_port, d.tunnel_pair, settings_.hash_seed);
}

void Dispatcher::take(const RawPacket& packet) {
  now_ns_ = std::max(now_ns_, packet.time_ns);
  wire::decode(packet, decoded_);
  if (decoded_.kind == wire::Kind::kFragment) return take_fragment(packet, decoded_);
  if (decoded_.kind != wire::Kind::kTcp) return sink_.pass(packet, settings_.self);
  const std::uint64_t flow = flow_of(decoded_);
  if (waits(flow)) return hold(packet, flow, {});
  const Decision decision = decide(&packet, decoded_, flow);
  switch (decision.kind) {
    case Decision::Kind::kShard:
      return sink_.pass(packet, decision.shard);
    case Decision::Kind::kSkip:
      return skip(packet, decoded_);
    case Decision::Kind::kHold:
      return hold(packet, flow, decision);
  }
}

/// Whether the flow's shard is still not known, though it was asked for before.
bool Dispatcher::waits(std::uint64_t flow) {
  if (waiting_.empty()) return false;
  const auto found = waiting_flows_.find(flow);
  if (found == waiting_flows_.end()) return false;
  const auto waiting = found->second;
  const auto owner = owner_of(*waiting);
  if (owner) release(waiting, *owner);
  return !owner;
}

/// `whole`: the packet, if it came in one piece.
Dispatcher::Decision Dispatcher::decide(const RawPacket* whole, const wire::Decoded& d, std::uint64_t flow) {
  const wire::TcpSegment& tcp = d.tcp;
  const Seen seen = look(tcp);
  const auto known = owners_.find(OwnerSpace::kFlow, flow);
  if (tcp.flags.syn() && !tcp.flags.ack()) return on_syn(whole, d, seen, flow, known);
  if (!known) return on_unknown(d, seen, flow);
  ShardId shard = known->shard;
  if (seen.capable) {
    // Only the first SYN/ACK tells of what is known behind a NAT: nothing that a peer sends later takes a flow from its shard.
    const bool first_answer = tcp.flags.syn() && !known->marked;
    shard = learn(seen, flow, shard, first_answer);
    if (first_answer) owners_.claim(OwnerSpace::kFlow, flow, shard, true);
  }
  return {.kind = Decision::Kind::kShard, .shard = shard, .token = {}, .opener = {}};
}

Dispatcher::Decision Dispatcher::on_syn(const RawPacket* whole, const wire::Decoded& d, const Seen& seen, std::uint64_t flow, std::optional<Owner> known) {
  const auto to = [](ShardId shard) { return Decision{.kind = Decision::Kind::kShard, .shard = shard, .token = {}, .opener = {}}; };
  const std::uint64_t opener = opener_of(d.tcp);
  const auto own = [&](ShardId shard) {
    // A SYN on a flow that is followed may be anyone's: it stays where it is followed.
    return known ? known->shard : owners_.claim(OwnerSpace::kFlow, flow, shard).shard;
  };
  if (seen.join_token) {
    if (const auto owner = owners_.find(OwnerSpace::kToken, *seen.join_token)) {
      const bool seen_plain = settings_.several_points && gather_opener(opener, owner->shard);
      if (known && seen_plain) {
        owners_.assign(OwnerSpace::kFlow, flow, owner->shard);
        return to(owner->shard);
      }
      return to(own(owner->shard));
    }
    if (known) return to(known->shard);
    return {.kind = Decision::Kind::kHold, .shard = 0, .token = seen.join_token, .opener = settings_.several_points ? std::optional(opener) : std::nullopt};
  }
  if (seen.capable) {
    ShardId shard = known ? known->shard : settings_.self;
    if (settings_.several_points) shard = owners_.claim(OwnerSpace::kOpener, opener, shard, true).shard;
    shard = own(shard);
    return to(learn(seen, flow, shard, !known));
  }
  if (known) return to(known->shard);
  if (settings_.several_points) {
    // Its copy at another point may have an option that was stripped here: both go to one shard.
    // It is kept before it is claimed: whoever finds the claim finds the SYN, too.
    if (whole != nullptr) owners_.keep_plain_syn(opener, *whole);
    const Owner owner = owners_.claim(OwnerSpace::kOpener, opener, settings_.self);
    return to(owner.marked || settings_.all_tcp ? own(owner.shard) : owner.shard);
  }
  if (settings_.all_tcp) return to(own(settings_.self));
  if (d.tcp.has_mptcp) return to(settings_.self);  // malformed: told there
  return {};
}

/// A JOIN's SYN goes where its connection is, and takes along its copies that came without the option at another point and went elsewhere, so
/// that they are compared. Whether there were any.
bool Dispatcher::gather_opener(std::uint64_t opener, ShardId shard) {
  const auto before = owners_.find(OwnerSpace::kOpener, opener);
  const Owner owner = owners_.claim(OwnerSpace::kOpener, opener, shard, true);
  if (owner.shard == shard || (before && before->marked)) return false;
  owners_.assign(OwnerSpace::kOpener, opener, shard);
  owners_.claim(OwnerSpace::kOpener, opener, shard, true);
  const auto syns = owners_.take_plain_syns(opener);
  for (const KeptPacket& syn : syns) sink_.pass(syn.view(), shard);
  if (!syns.empty()) sink_.settle();
  return !syns.empty();
}

/// No SYN, and of no known flow.
Dispatcher::Decision Dispatcher::on_unknown(const wire::Decoded& d, const Seen& seen, std::uint64_t flow) {
  const auto to = [](ShardId shard) { return Decision{.kind = Decision::Kind::kShard, .shard = shard, .token = {}, .opener = {}}; };
  const wire::TcpSegment& tcp = d.tcp;
  if (!tcp.has_mptcp) {
    if (!settings_.all_tcp || tcp.payload_bytes == 0 || tcp.flags.rst()) return {};
    return to(owners_.claim(OwnerSpace::kFlow, flow, settings_.self).shard);
  }
  if (tcp.flags.rst()) return to(settings_.self);
  if (seen.capable && seen.capable->sender_key) {
    ShardId shard = settings_.self;
    if (settings_.several_points) shard = owners_.claim(OwnerSpace::kOpener, opener_of(tcp), shard, true).shard;
    return to(learn(seen, flow, owners_.claim(OwnerSpace::kFlow, flow, shard).shard, true));
  }
  if (seen.join) {
    return {.kind = Decision::Kind::kHold, .shard = 0, .token = {}, .opener = settings_.several_points ? std::optional(opener_of(tcp)) : std::nullopt};
  }
  if (!seen.dss) return to(settings_.self);  // malformed, or without a meaning here: told there
  // Its beginning was not seen. In a tunnel the two directions of a flow may come to two dispatchers, and the other may be about to claim it.
  if (d.tunnel != 0) return {.kind = Decision::Kind::kHold, .shard = 0, .token = {}, .opener = {}};
  return to(owners_.claim(OwnerSpace::kFlow, flow, kOrphanShard).shard);
}

/// Tokens that a JOIN may name from now on. The flow's shard: another one, if that connection is known there, behind a box that changes
/// sequence numbers as well as addresses.
ShardId Dispatcher::learn(const Seen& seen, std::uint64_t flow, ShardId shard, bool may_move) {
  for (const auto& key : {seen.capable->sender_key, seen.capable->receiver_key}) {
    if (!key) continue;
    const Owner owner = owners_.claim(OwnerSpace::kToken, track::digest_key(*key, seen.capable->version).token, shard);
    if (owner.shard == shard || !settings_.several_points || !may_move) continue;
    shard = owner.shard;
    owners_.assign(OwnerSpace::kFlow, flow, shard);
  }
  return shard;
}

void Dispatcher::skip(const RawPacket& packet, const wire::Decoded& d) {
  ++counters_.skipped;
  ++skipped_.decode_packets;
  skipped_.decode_bytes += packet.original_bytes;
  ++skipped_.decode_tcp;
  if (d.tcp.payload.size() < d.tcp.payload_bytes) ++skipped_.decode_snapped;
}

// All fragments of a datagram come to one dispatcher (the kernel hashes fragments by their addresses); they go on together, since only the
// whole tells whose they are. The shard puts them together once more, so that it sees what it would see alone.
void Dispatcher::take_fragment(const RawPacket& packet, const wire::Decoded& d) {
  const std::uint64_t key = datagram_key(d, packet.point, settings_.hash_seed);
  auto found = datagram_keys_.find(key);
  if (found == datagram_keys_.end()) {
    const auto datagram = datagrams_.insert(datagrams_.end(), {.key = key, .since_ns = packet.time_ns, .fragments = {}});
    found = datagram_keys_.emplace(key, datagram).first;
  }
  const auto datagram = found->second;
  add_copy(datagram->fragments, packet);
  wire::Decoded whole;
  const auto result = defragmenter_.push(d, packet.point, packet.time_ns, whole);
  if (result == wire::Defragmenter::Result::kHeld) return make_room();
  datagram_keys_.erase(found);
  std::list<Datagram> taken;
  taken.splice(taken.begin(), datagrams_, datagram);
  auto& fragments = taken.front().fragments;
  if (result == wire::Defragmenter::Result::kDropped || whole.kind != wire::Kind::kTcp) return pass_all(fragments, settings_.self);
  const std::uint64_t flow = flow_of(whole);
  Decision decision;
  if (waits(flow)) {
    decision.kind = Decision::Kind::kHold;
  } else {
    decision = decide(nullptr, whole, flow);
  }
  if (decision.kind != Decision::Kind::kHold) {
    return pass_all(fragments, decision.kind == Decision::Kind::kShard ? decision.shard : settings_.self);
  }
  for (Copy& copy : fragments) {
    held_bytes_ -= copy.bytes.size() + kCopyOverhead;
    copy.packet.bytes = copy.bytes;
    hold(copy.packet, flow, decision);
  }
}

void Dispatcher::add_copy(std::vector<Copy>& to, const RawPacket& packet) {
  Copy& copy = to.emplace_back();
  copy.bytes.assign(packet.bytes.begin(), packet.bytes.end());
  copy.packet = packet;
  copy.packet.stays = false;
  held_bytes_ += copy.bytes.size() + kCopyOverhead;
}

void Dispatcher::pass_all(std::vector<Copy>& copies, ShardId shard) {
  for (Copy& copy : copies) {
    held_bytes_ -= copy.bytes.size() + kCopyOverhead;
    copy.packet.bytes = copy.bytes;
    sink_.pass(copy.packet, shard);
  }
  sink_.settle();
}

void Dispatcher::hold(const RawPacket& packet, std::uint64_t flow, const Decision& decision) {
  ++counters_.held;
  auto found = waiting_flows_.find(flow);
  if (found == waiting_flows_.end()) {
    if (waiting_.size() >= settings_.hold_flows) {
      ++counters_.hold_pushed;
      give_up(waiting_.begin());
    }
    const auto waiting =
        waiting_.insert(waiting_.end(), {.flow = flow, .token = decision.token, .opener = decision.opener, .since_ns = packet.time_ns, .packets = {}});
    found = waiting_flows_.emplace(flow, waiting).first;
  }
  add_copy(found->second->packets, packet);
  make_room();
}

void Dispatcher::make_room() {
  while (held_bytes_ > settings_.hold_bytes) {
    ++counters_.hold_pushed;
    if (!waiting_.empty() && (datagrams_.empty() || waiting_.front().since_ns <= datagrams_.front().since_ns)) {
      give_up(waiting_.begin());
    } else {
      std::list<Datagram> taken;
      taken.splice(taken.begin(), datagrams_, datagrams_.begin());
      datagram_keys_.erase(taken.front().key);
      pass_all(taken.front().fragments, settings_.self);
    }
  }
}

std::optional<ShardId> Dispatcher::owner_of(const Waiting& waiting) {
  if (const auto owner = owners_.find(OwnerSpace::kFlow, waiting.flow)) return owner->shard;
  if (waiting.token) {
    if (const auto owner = owners_.find(OwnerSpace::kToken, *waiting.token)) return owner->shard;
  }
  if (waiting.opener) {
    if (const auto owner = owners_.find(OwnerSpace::kOpener, *waiting.opener); owner && owner->marked) return owner->shard;
  }
  return std::nullopt;
}

void Dispatcher::release(std::list<Waiting>::iterator waiting, ShardId shard) {
  std::list<Waiting> taken;
  taken.splice(taken.begin(), waiting_, waiting);
  Waiting& known = taken.front();
  waiting_flows_.erase(known.flow);
  const ShardId owner = owners_.claim(OwnerSpace::kFlow, known.flow, shard).shard;
  if (known.opener) gather_opener(*known.opener, owner);
  pass_all(known.packets, owner);
}

void Dispatcher::give_up(std::list<Waiting>::iterator waiting) { release(waiting, owner_of(*waiting).value_or(kOrphanShard)); }

void Dispatcher::advance(TimeNs now) {
  now_ns_ = std::max(now_ns_, now);
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    const auto waiting = next++;
    if (const auto owner = owner_of(*waiting)) {
      release(waiting, *owner);
    } else if (now_ns_ - waiting->since_ns >= settings_.hold_ns) {
      ++counters_.hold_ended;
      give_up(waiting);
    }
  }
  while (!datagrams_.empty() && now_ns_ - datagrams_.front().since_ns >= kFragmentTime) {
    std::list<Datagram> taken;
    taken.splice(taken.begin(), datagrams_, datagrams_.begin());
    datagram_keys_.erase(taken.front().key);
    pass_all(taken.front().fragments, settings_.self);
  }
}

void Dispatcher::finish() {
  while (!waiting_.empty()) give_up(waiting_.begin());
  while (!datagrams_.empty()) {
    std::list<Datagram> taken;
    taken.splice(taken.begin(), datagrams_, datagrams_.begin());
    datagram_keys_.erase(taken.front().key);
    pass_all(taken.front().fragments, settings_.self);
  }
}

}  // namespace weir::engine
