// From a packet's 4-tuple to the subflow it belongs to, through reused tuples, several capture points and NATs.
#include <algorithm>

#include "engine/state.h"

namespace weir::engine {

namespace {

/// How far a sequence number may be from what was seen to belong to that use of the 4-tuple.
constexpr std::int32_t kNearBytes = 1 << 26;

bool near(SeqNum a, SeqNum b) {
  const std::int32_t distance = a - b;
  return distance > -kNearBytes && distance < kNearBytes;
}

bool tuple_matches_from(const Endpoints& e, const wire::Decoded& d) {
  return e.src == d.src && e.dst == d.dst && e.src_port == d.tcp.src_port && e.dst_port == d.tcp.dst_port;
}

bool tuple_matches(const Endpoints& e, const wire::Decoded& d) {
  const auto& t = d.tcp;
  return (e.src == d.src && e.dst == d.dst && e.src_port == t.src_port && e.dst_port == t.dst_port) ||
         (e.src == d.dst && e.dst == d.src && e.src_port == t.dst_port && e.dst_port == t.src_port);
}

}  // namespace

Endpoints Engine::State::endpoints_of(const Segment& s, bool sender_opens) {
  const auto& d = *s.decoded;
  if (sender_opens) return {d.src, d.dst, s.tcp->src_port, s.tcp->dst_port};
  return {d.dst, d.src, s.tcp->dst_port, s.tcp->src_port};
}

bool Engine::State::is_tuple_of(const Subflow& f, const Segment& s) const {
  if (tuple_matches(f.endpoints, *s.decoded)) return true;
  return f.extra && std::ranges::any_of(f.extra->aliases, [&](const Alias& a) { return tuple_matches(a.opener_to_answerer, *s.decoded); });
}

Subflow* Engine::State::find(const Segment& s, Side& side) {
  FlowRef* ref = flows.find(s.hash);
  if (ref == nullptr || !is_tuple_of(*ref->newest, s)) return nullptr;
  side = s.from_low == ref->low_is_opener ? kOpener : kAnswerer;
  return ref->newest;
}

/// Which side of that use of its tuple the packet comes from; `otherwise`: where the addresses do not tell.
Side Engine::State::side_of(const Subflow& f, const Segment& s, Side otherwise) {
  if (tuple_matches_from(f.endpoints, *s.decoded)) return kOpener;
  return tuple_matches(f.endpoints, *s.decoded) ? kAnswerer : otherwise;
}

// Which use of the tuple a packet other than a SYN belongs to. A newer SYN takes over only once it is answered (RFC 5961 §4: an
// established connection does not fall to a SYN), and another capture point may still be showing the older use.
Subflow* Engine::State::generation_for(Subflow* newest, const Segment& s, Side newest_side) const {
  Subflow* f = newest;
  while (f->older != nullptr) {
    const Side side = side_of(*f, s, newest_side);
    if (f->phase == Phase::kSynSent) {
      const bool answers =
          side == kAnswerer && s.tcp->flags.ack() && f->has_isn[kOpener] && s.tcp->ack - f->isn[kOpener] > 0 && near(s.tcp->ack, f->isn[kOpener]);
      if (answers && (s.tcp->flags.syn() || s.tcp->flags.rst())) return f;
    } else {
      const PointView* here = known_view(*f, s.point);
      const PointView* there = known_view(*f->older, s.point);
      if (here != nullptr && (here->side[side].seen || there == nullptr)) return f;
      if (there == nullptr) return f;
      const SeqNum known = sequence(*f, side, f->home, f->rx[side].next());
      if (near(s.tcp->seq, known) && !near(s.tcp->seq, there->side[side].sent_end)) return f;
    }
    f = f->older;
  }
  return f;
}

/// Inline: whether a packet may belong to a SYN that was not answered yet, or is of what went on there before, unfollowed: anyone can send a SYN.
bool Engine::State::answers_lone_syn(const Subflow& f, const Segment& s, Side side) {
  if (f.phase != Phase::kSynSent || f.older != nullptr || !f.has_isn[kOpener] || f.connection->midstream) return true;
  if (side == kOpener) return near(s.tcp->seq, f.isn[kOpener]);
  return !s.tcp->flags.ack() || (s.tcp->ack - f.isn[kOpener] > 0 && near(s.tcp->ack, f.isn[kOpener]));
}

PointView* Engine::State::known_view(Subflow& f, PointId point) const {
  if (f.home.point == point) return &f.home;
  if (!f.extra) return nullptr;
  const auto found = std::ranges::find(f.extra->more_points, point, &PointView::point);
  return found == f.extra->more_points.end() ? nullptr : &*found;
}

PointView& Engine::State::view(Subflow& f, const Segment& s) {
  if (PointView* known = known_view(f, s.point)) return *known;
  PointView& added = f.more().more_points.emplace_back();
  added.point = s.point;
  return added;
}

std::uint64_t Engine::State::handshake_hash(const IpAddress& address, std::uint16_t port, Side side, SeqNum opener_isn) const {
  return track::hash_flow_key({.low = address, .high = {}, .low_port = port, .high_port = side, .tunnel = opener_isn.value}, settings.hash_seed);
}

// With a capture point for each direction and a NAT between them, the two halves of a handshake differ in one address: what they share
// is the other side's, and the opener's ISN that the SYN/ACK acknowledges.
void Engine::State::note_half_seen(Subflow& f) {
  if (!settings.several_points) return;
  if (half_seen.size() >= static_cast<std::size_t>(limits.watch_entries)) {
    for (auto& [hash, subflow] : half_seen) subflow->extra->handshake[kOpener] = subflow->extra->handshake[kAnswerer] = 0;
    half_seen.clear();
    ++counters.evicted_watch;
  }
  const std::uint64_t hashes_of[2] = {handshake_hash(f.endpoints.src, f.endpoints.src_port, kOpener, f.isn[kOpener]),
                                      handshake_hash(f.endpoints.dst, f.endpoints.dst_port, kAnswerer, f.isn[kOpener])};
  for (const Side side : {kOpener, kAnswerer}) {
    if (f.more().handshake[side] == 0 && half_seen.try_emplace(hashes_of[side], &f).second) f.more().handshake[side] = hashes_of[side];
  }
}

void Engine::State::forget_half_seen(Subflow& f) {
  if (!f.extra) return;
  for (std::uint64_t& hash : f.extra->handshake) {
    if (hash != 0) half_seen.erase(hash);
    hash = 0;
  }
}

/// The subflow whose other half of the handshake this is; `syn_wanted`: `s` is a SYN/ACK.
Subflow* Engine::State::half_seen_as(const Segment& s, bool syn_wanted) {
  if (!settings.several_points) return nullptr;
  const Endpoints e = endpoints_of(s, !syn_wanted);
  const SeqNum isn = syn_wanted ? s.tcp->ack - 1 : s.tcp->seq;
  const Side missing = syn_wanted ? kAnswerer : kOpener;
  for (const std::uint64_t hash : {handshake_hash(e.src, e.src_port, kOpener, isn), handshake_hash(e.dst, e.dst_port, kAnswerer, isn)}) {
    const auto found = half_seen.find(hash);
    if (found == half_seen.end()) continue;
    Subflow& f = *found->second;
    if (!f.home.side[missing].seen && known_view(f, s.point) == nullptr) return &f;
  }
  return nullptr;
}

void Engine::State::add_alias(Subflow& f, const Segment& s, bool sender_opens) {
  lead(f, {.hash = s.hash, .tunnel_only = false, .opener_to_answerer = endpoints_of(s, sender_opens)}, s.from_low == sender_opens);
}

/// The tuple leads to `f` from now on.
void Engine::State::lead(Subflow& f, const Alias& alias, bool low_is_opener) {
  FlowRef& ref = flows.at(alias.hash);
  abandon(ref.newest, alias.hash);
  ref = {&f, low_is_opener};
  f.more().aliases.push_back(alias);
}

Subflow& Engine::State::add_subflow(Connection& c, const Segment& s, bool sender_opens) {
  auto* f = new Subflow;
  f->connection = &c;
  f->endpoints = endpoints_of(s, sender_opens);
  f->home.point = s.point;
  f->id = static_cast<std::uint32_t>(c.subflows.size());
  c.subflows.push_back(f);
  f->hash = s.hash;
  index_flow(*f, s.hash, s.from_low == sender_opens);
  note_tunnel(*f, s);
  return *f;
}

void Engine::State::index_flow(Subflow& f, std::uint64_t hash, bool low_is_opener) {
  FlowRef& ref = flows.at(hash);
  f.older = ref.newest;
  ref = {&f, low_is_opener};
}

void Engine::State::unindex_flow(Subflow& f, std::uint64_t hash) {
  FlowRef* ref = flows.find(hash);
  if (ref == nullptr) return;
  if (ref->newest == &f) {
    if (f.older == nullptr) {
      flows.erase(hash);
    } else {
      // Which end opened the older use is told by its own addresses.
      bool from_low = false;
      track::make_flow_key(f.older->endpoints.src, f.older->endpoints.src_port, f.older->endpoints.dst, f.older->endpoints.dst_port, 0, from_low);
      *ref = {f.older, from_low};
    }
    return;
  }
  for (Subflow* g = ref->newest; g != nullptr; g = g->older) {
    if (g->older == &f) {
      g->older = f.older;
      return;
    }
  }
}

/// What an alias's tuple leads to: `instead` of `f` from now on, or nothing. A later use of the tuple finds `f` no more.
void Engine::State::unindex_alias(Subflow& f, std::uint64_t hash, Subflow* instead) {
  FlowRef* ref = flows.find(hash);
  if (ref == nullptr) return;
  if (ref->newest == &f) {
    if (instead == nullptr) {
      flows.erase(hash);
    } else {
      ref->newest = instead;
    }
    return;
  }
  for (Subflow* g = ref->newest; g != nullptr; g = g->older) {
    if (g->older == &f) g->older = nullptr;
  }
}

/// An alias has no room for older uses of its tuple: from `newest` on they are found no more, and none leads to another.
void Engine::State::abandon(Subflow* newest, std::uint64_t hash) {
  while (newest != nullptr && newest->hash == hash) newest = std::exchange(newest->older, nullptr);
}

/// `same` turned out to be `keep` seen at another point behind a NAT: its tuple leads to `keep` from now on, and `same` goes.
void Engine::State::alias(Subflow& keep, Subflow& same) {
  FlowRef* ref = flows.find(same.hash);
  if (ref == nullptr || ref->newest != &same) {
    unindex_flow(same, same.hash);  // a later use of the tuple leads to it
  } else if (same.hash == keep.hash) {
    ref->newest = same.older != nullptr ? same.older : &keep;
  } else {
    lead(keep, {.hash = same.hash, .tunnel_only = false, .opener_to_answerer = same.endpoints}, ref->low_is_opener);
  }
  if (same.extra) {
    for (const Alias& a : same.extra->aliases) {
      const FlowRef* led = flows.find(a.hash);
      const bool leads = led != nullptr && led->newest == &same;
      unindex_alias(same, a.hash, &keep);
      if (leads && a.hash != keep.hash) keep.more().aliases.push_back(a);
    }
  }
  auto merge = [&](const PointView& v) {
    if (known_view(keep, v.point) == nullptr) keep.more().more_points.push_back(v);
  };
  merge(same.home);
  if (same.extra) std::ranges::for_each(same.extra->more_points, merge);
  forget_half_seen(same);
  forget_tunnel(same);
  forget_suspects(same);
  Connection& c = *same.connection;
  c.subflows.erase(std::ranges::find(c.subflows, &same));
  delete &same;
}

/// Two subflows turned out to be one, seen at two points: the one that has given data stays, else the one whose SYN came first, and is given back.
/// The addresses are in either case those at the point that saw the SYN first.
Subflow& Engine::State::merge(Subflow& a, Subflow& b) {
  const bool a_first = a.connection->number < b.connection->number;
  Subflow& keep = a.gave_data != b.gave_data ? (a.gave_data ? a : b) : a_first ? a : b;
  Subflow& same = &keep == &a ? b : a;
  if (&same == (a_first ? &a : &b)) {
    std::swap(keep.endpoints, same.endpoints);
    keep.connection->first_ns = same.connection->first_ns;
  }
  Connection& gone = *same.connection;
  if (gone.mp->checksum) keep.connection->mp->checksum = true;
  for (const Side side : {kOpener, kAnswerer}) {
    if (!keep.has_isn[side] && same.has_isn[side] && !keep.rx[side].started()) {
      keep.has_isn[side] = true;
      keep.isn[side] = same.isn[side];
    }
  }
  alias(keep, same);
  end(gone);
  touch(*keep.connection, now_ns);
  return keep;
}

std::uint64_t Engine::State::tunnel_pair_hash(const Segment& s) const {
  return track::hash_flow(s.decoded->src, s.tcp->src_port, s.decoded->dst, s.tcp->dst_port, s.decoded->tunnel_pair, settings.hash_seed);
}

/// Some tunnels have an identity a direction (GTP-U: the TEID): a subflow in one is found by what both directions share.
void Engine::State::note_tunnel(Subflow& f, const Segment& s) {
  if (s.decoded->tunnel == s.decoded->tunnel_pair) return;
  f.more().tunnel_pair = tunnel_pair_hash(s);
  tunnel_pairs[f.extra->tunnel_pair].push_back(&f);
}

void Engine::State::forget_tunnel(Subflow& f) {
  if (!f.extra || f.extra->tunnel_pair == 0) return;
  const auto found = tunnel_pairs.find(f.extra->tunnel_pair);
  if (found != tunnel_pairs.end() && std::erase(found->second, &f) > 0 && found->second.empty()) tunnel_pairs.erase(found);
}

/// The first packet of the answering direction in such a tunnel: it acknowledges what one of the subflows there has sent.
Subflow* Engine::State::other_direction_of_tunnel(const Segment& s, Side& side) {
  if (s.decoded->tunnel == s.decoded->tunnel_pair || !s.tcp->flags.ack()) return nullptr;
  const auto found = tunnel_pairs.find(tunnel_pair_hash(s));
  if (found == tunnel_pairs.end()) return nullptr;
  for (Subflow* f : found->second) {
    const Side sender = tuple_matches_from(f->endpoints, *s.decoded) ? kOpener : kAnswerer;
    const track::TcpView& heard = f->home.side[other(sender)];
    if (f->home.side[sender].seen || !heard.seen || s.tcp->ack - heard.sent_end > 0 || !near(s.tcp->ack, heard.sent_end)) continue;
    lead(*f, {.hash = s.hash, .tunnel_only = true, .opener_to_answerer = f->endpoints}, s.from_low == (sender == kOpener));
    side = sender;
    return f;
  }
  return nullptr;
}

}  // namespace weir::engine
