#include "engine/engine.h"

#include <algorithm>

#include "engine/state.h"

namespace weir::engine {

namespace {

/// Packets decoded and looked up ahead of being followed: enough to hide a cache miss, few enough to stay in the first-level cache.
constexpr std::size_t kBatch = 16;

/// The least that a receiver takes whose SYN was not seen: RFC 9293 §3.7.1, without an MSS option.
constexpr std::uint32_t kSmallestMss = 536;

/// How long Linux's conntrack keeps an established connection, and with it the mark that leads it here: what comes then must not be of an unknown one.
constexpr std::int64_t kConntrackSeconds = 432'000;

/// A source at a capture point, as a hash.
std::uint64_t source_hash(const IpAddress& source, std::uint64_t point) {
  return track::hash_flow_key({.low = source, .high = {}, .low_port = 0, .high_port = 0, .tunnel = point}, 0);
}

}  // namespace

std::size_t IpAddressHash::operator()(const IpAddress& address) const { return source_hash(address, 0); }

Engine::Engine(const Settings& settings, Observer& observer) : state_(std::make_unique<State>(settings, observer)) {}
Engine::~Engine() = default;

void Engine::step(std::span<const RawPacket> packets, std::span<Fate> fates) {
  while (!packets.empty()) {
    const std::size_t n = std::min(packets.size(), kBatch);
    state_->step(packets.first(n), fates.first(n));
    packets = packets.subspan(n);
    fates = fates.subspan(n);
  }
}

Fate Engine::step(const RawPacket& packet) {
  Fate fate = Fate::kOther;
  step(std::span(&packet, 1), std::span(&fate, 1));
  return fate;
}

void Engine::advance(TimeNs now) {
  constexpr std::size_t kMost = 4'096;  // connections a call: ending many at once must not hold up packets
  state_->now_ns = std::max(state_->now_ns, now);
  state_->expire(state_->now_ns, kMost);
}

void Engine::finish() { state_->finish_all(); }

const Counters& Engine::counters() {
  state_->note_size();
  return state_->counters;
}

Engine::State::State(const Settings& engine_settings, Observer& engine_observer)
    : settings(engine_settings), limits(settings.limits), observer(engine_observer), batch(kBatch), hashes(kBatch), from_lows(kBatch), infos(kInfos) {
  if (!settings.inline_mode) return;
  // Inline, what passed is kept apart and bounded (inline_copies_bytes), and nothing is given up for lost.
  limits.copies_bytes = 0;
  limits.idle_seconds = std::max(limits.idle_seconds, kConntrackSeconds);
  limits.reorder_bytes = std::max(limits.reorder_bytes, 4 * limits.inline_copies_bytes);
}

Engine::State::~State() {
  for (auto& list : lists) {
    list.clear_and_dispose([](Connection* c) {
      for (Subflow* f : c->subflows) delete f;
      delete c;
    });
  }
}

void Engine::State::step(std::span<const RawPacket> packets, std::span<Fate> fates) {
  for (std::size_t i = 0; i < packets.size(); ++i) {
    wire::decode(packets[i], batch[i]);
    if (batch[i].kind != wire::Kind::kTcp) continue;
    bool from_low = false;
    const auto key = track::make_flow_key(batch[i].src, batch[i].tcp.src_port, batch[i].dst, batch[i].tcp.dst_port, batch[i].tunnel, from_low);
    hashes[i] = track::hash_flow_key(key, settings.hash_seed);
    from_lows[i] = from_low ? 1 : 0;
    flows.prefetch(hashes[i]);
  }
  if (flows.size() > kBatch * kBatch) {
    for (std::size_t i = 0; i < packets.size(); ++i) {
      if (batch[i].kind != wire::Kind::kTcp) continue;
      if (const FlowRef* ref = flows.find(hashes[i])) {
        for (std::size_t line = 0; line < sizeof(Subflow); line += 64) __builtin_prefetch(reinterpret_cast<const char*>(ref->newest) + line);
      }
    }
  }
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const wire::Decoded& decoded = batch[i];
    ++counters.decode_packets;
    counters.decode_bytes += packets[i].original_bytes;
    now_ns = std::max(now_ns, packets[i].time_ns);
    switch (decoded.kind) {
      case wire::Kind::kTcp:
        fates[i] = take(packets[i], decoded, hashes[i], from_lows[i] != 0, packets[i].stays);
        break;
      case wire::Kind::kFragment:
        // Inline, the kernel has put fragments together before: one that still comes would pass before it can be looked at.
        fates[i] = settings.inline_mode ? Fate::kFragment : take_fragment(packets[i], decoded);
        refuse(Refusal::kMalformed);
        break;
      case wire::Kind::kOtherIp:
        ++counters.decode_other_ip;
        if (!decoded.udp.payload.empty()) tell_dns(decoded, packets[i].time_ns);
        fates[i] = Fate::kOther;
        break;
      case wire::Kind::kNotIp:
        ++counters.decode_not_ip;
        fates[i] = Fate::kOther;
        break;
      case wire::Kind::kBad:
        ++counters.decode_invalid;
        report_decode_error(packets[i], decoded);
        refuse(Refusal::kMalformed);
        fates[i] = Fate::kOther;
        break;
    }
    under_way = false;
    expire(now_ns, 2);
  }
}

Fate Engine::State::take(const RawPacket& raw, const wire::Decoded& decoded, std::uint64_t hash, bool from_low, bool stays) {
  ++counters.decode_tcp;
  if (decoded.tcp.payload.size() < decoded.tcp.payload_bytes) ++counters.decode_snapped;
  Segment s;
  s.raw = &raw;
  s.decoded = &decoded;
  s.tcp = &decoded.tcp;
  s.hash = hash;
  s.from_low = from_low;
  s.stays = stays;
  s.time_ns = raw.time_ns;
  s.point = raw.point;
  return on_tcp(s);
}

Fate Engine::State::take_fragment(const RawPacket& raw, const wire::Decoded& decoded) {
  ++counters.fragments;
  wire::Decoded whole;
  switch (defragmenter.push(decoded, raw.point, raw.time_ns, whole)) {
    case wire::Defragmenter::Result::kHeld:
      return Fate::kFragment;
    case wire::Defragmenter::Result::kDropped: {
      ++counters.fragments_dropped;
      wire::Decoded failed = decoded;
      failed.error = defragmenter.error();
      report_decode_error(raw, failed);
      return Fate::kFragment;
    }
    case wire::Defragmenter::Result::kComplete:
      break;
  }
  ++counters.fragments_reassembled;
  if (whole.kind == wire::Kind::kBad) report_decode_error(raw, whole);
  if (whole.kind == wire::Kind::kOtherIp && !whole.udp.payload.empty()) tell_dns(whole, raw.time_ns);
  if (whole.kind != wire::Kind::kTcp) return Fate::kOther;
  bool from_low = false;
  const auto key = track::make_flow_key(whole.src, whole.tcp.src_port, whole.dst, whole.tcp.dst_port, whole.tunnel, from_low);
  return take(raw, whole, track::hash_flow_key(key, settings.hash_seed), from_low, false);
}

/// The MSS that a side announced, at whichever point its SYN was seen; 0: at none.
std::uint32_t Engine::State::announced_mss(const Subflow& f, Side side) {
  std::uint32_t mss = f.home.side[side].mss;
  if (f.extra) {
    for (const PointView& v : f.extra->more_points) mss = std::max<std::uint32_t>(mss, v.side[side].mss);
  }
  return mss;
}

// CONTRACT.md, `--checksums`. `sender` and `f` are null for packets of no known subflow.
Trust Engine::State::checksum_trust(const Segment& s, track::TcpView* sender, const Subflow* f, Side side) {
  if (settings.checksums == ChecksumPolicy::kIgnore || s.raw->checksum_pending) return Trust::kUse;
  switch (wire::check_tcp_checksum(*s.decoded)) {
    case wire::ChecksumState::kUnknown:
      return Trust::kUse;
    case wire::ChecksumState::kRight:
      if (settings.checksums == ChecksumPolicy::kAuto && (sender == nullptr || !sender->right_checksum)) {
        if (right_sources.size() >= static_cast<std::size_t>(limits.watch_entries)) {
          right_sources.clear();
          ++counters.evicted_watch;
        }
        right_sources.insert(source_hash(s.decoded->src, s.point));
        if (sender != nullptr) sender->right_checksum = true;
      }
      return Trust::kUse;
    case wire::ChecksumState::kPseudoHeader:
      if (settings.checksums == ChecksumPolicy::kAuto) return Trust::kUse;
      break;
    case wire::ChecksumState::kWrong: {
      if (settings.checksums == ChecksumPolicy::kVerify) break;
      const std::uint32_t mss = f != nullptr ? announced_mss(*f, other(side)) : 0;
      if (mss != 0 && s.tcp->payload_bytes > mss) return Trust::kUse;                             // merged before capture
      if (!right_sources.contains(source_hash(s.decoded->src, s.point))) return Trust::kUse;      // captured before offload
      if (f != nullptr && mss == 0 && s.tcp->payload_bytes > kSmallestMss) return Trust::kDoubt;  // merged, perhaps
      break;
    }
  }
  ++counters.ignored_checksum;
  refuse(Refusal::kBadChecksum);
  return Trust::kIgnore;
}

void Engine::State::report_decode_error(const RawPacket& raw, const wire::Decoded& decoded) {
  const auto bit = static_cast<std::uint64_t>(decoded.error);
  if (told_sources.size() >= static_cast<std::size_t>(limits.watch_entries)) {
    told_sources.clear();
    ++counters.evicted_watch;
  }
  if (!told_sources.insert(source_hash(decoded.src, (bit << 32U) | 0x10000U | raw.point)).second) return;
  ++counters.anomalies;
  AnomalyRecord record;
  record.time_ns = raw.time_ns;
  record.type = AnomalyType::kDecode;
  record.of_packet = under_way;
  record.event = wire::decode_event_name(decoded.error);
  observer.on_anomaly(record);
}

}  // namespace weir::engine
