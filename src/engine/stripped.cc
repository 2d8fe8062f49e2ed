// Several capture points: an MPTCP option that one point saw and another, for the same packet, did not (option_stripped).
#include <algorithm>

#include "engine/state.h"

namespace weir::engine {

namespace {

/// The handshake's sightings stay, so that clocks that differ by seconds do no harm; those of data are the latest.
constexpr std::size_t kHandshakeSightings = 4;
constexpr std::size_t kMostSightings = 24;
constexpr TimeNs kSecondNs = 1'000'000'000;

bool same_packet(const OptionSighting& a, const OptionSighting& b) {
  return a.side == b.side && a.flags == b.flags && a.relative_seq == b.relative_seq && a.size == b.size && a.ts_value == b.ts_value && a.ip_id == b.ip_id;
}

}  // namespace

void Engine::State::sight(Subflow& f, Side side, const Segment& s, const PointView& v, bool had_option) {
  const wire::TcpFlags flags = s.tcp->flags;
  if (s.tcp->payload_bytes == 0 && !flags.syn() && !had_option && (!f.extra || f.extra->more_points.empty())) return;
  OptionSighting now;
  now.point = s.point;
  now.side = side;
  now.had_option = had_option;
  now.flags = flags.bits;
  const SeqNum isn = v.side[side].has_isn ? v.side[side].isn : f.isn[side];
  now.relative_seq = flags.syn() ? 0 : (s.tcp->seq - isn.value).value;
  now.size = s.tcp->payload_bytes;
  now.ts_value = s.tcp->has_timestamp ? s.tcp->ts_value : 0;
  // Where packets have timestamps they tell a retransmission apart; else the IPv4 identification does.
  now.ip_id = s.tcp->has_timestamp ? 0 : s.decoded->ip_id;
  SubflowExtra& extra = f.more();
  for (const OptionSighting& before : extra.sightings) {
    if (before.point == now.point || before.had_option == now.had_option || !same_packet(before, now)) continue;
    raise(*f.connection, inspect::Event::option_stripped, s.time_ns,
          {{"subflow", static_cast<std::uint64_t>(f.id)}, {"seen_at_point", static_cast<std::uint64_t>(now.had_option ? now.point : before.point)}, {"gone_at_point", static_cast<std::uint64_t>(now.had_option ? before.point : now.point)}});
  }
  if (extra.sightings.size() < kMostSightings) {
    extra.sightings.push_back(now);
    return;
  }
  extra.next_sighting = std::max(extra.next_sighting + 1, kHandshakeSightings);
  if (extra.next_sighting >= kMostSightings) extra.next_sighting = kHandshakeSightings;
  extra.sightings[extra.next_sighting] = now;
}

/// A SYN without the option: if its copy at another point comes with it, it was stripped.
void Engine::State::remember_plain_syn(const Segment& s) {
  if (plain_syns.size() >= static_cast<std::size_t>(limits.watch_entries)) {
    const TimeNs oldest = now_ns - limits.unknown_join_seconds * kSecondNs;
    boost::unordered::erase_if(plain_syns, [&](const auto& entry) { return entry.second.time_ns < oldest; });
    if (plain_syns.size() >= static_cast<std::size_t>(limits.watch_entries)) {
      plain_syns.clear();
      ++counters.evicted_watch;
    }
  }
  plain_syns[s.hash] = {.isn = s.tcp->seq.value, .point = s.point, .time_ns = s.time_ns, .ts_value = s.tcp->has_timestamp ? s.tcp->ts_value : 0, .ip_id = s.decoded->ip_id};
}

void Engine::State::compare_with_plain_syn(Subflow& f, const Segment& s) {
  const auto found = plain_syns.find(s.hash);
  if (found == plain_syns.end()) return;
  const PlainSyn& plain = found->second;
  const bool same = s.tcp->has_timestamp ? plain.ts_value == s.tcp->ts_value : plain.ip_id == s.decoded->ip_id;
  if (plain.isn != s.tcp->seq.value || plain.point == s.point || !same) return;
  raise(*f.connection, inspect::Event::option_stripped, s.time_ns,
        {{"subflow", static_cast<std::uint64_t>(f.id)}, {"seen_at_point", static_cast<std::uint64_t>(s.point)}, {"gone_at_point", static_cast<std::uint64_t>(plain.point)}});
  plain_syns.erase(found);
}

}  // namespace weir::engine
