// Several capture points: an MPTCP option that one point saw and another, for the same packet, did not (option_stripped).
#include <algorithm>

#include "engine/state.h"

namespace weir::engine {

namespace {

/// The SYNs' sightings stay, so that clocks that differ by seconds do no harm; of the others the latest are kept.
constexpr std::size_t kMostRecent = 20;
constexpr std::size_t kMostSuspects = 8;
constexpr TimeNs kSecondNs = 1'000'000'000;

bool same_packet(const OptionSighting& a, const OptionSighting& b) {
  // A box may set identifications anew, and many senders leave them 0: where both have one, it tells like packets apart.
  const bool ids_agree = a.ip_id == b.ip_id || a.ip_id == 0 || b.ip_id == 0;
  return a.side == b.side && a.flags == b.flags && a.relative_seq == b.relative_seq && a.relative_ack == b.relative_ack && a.size == b.size &&
         a.ts_value == b.ts_value && ids_agree;
}

}  // namespace

void Engine::State::sight(Subflow& f, Side side, const Segment& s, const PointView& v, std::uint16_t subtypes) {
  const wire::TcpFlags flags = s.tcp->flags;
  // Without timestamps or an identification a segment sent again is no different from the first.
  if (!flags.syn() && !s.tcp->has_timestamp && s.decoded->ip_id == 0) return;
  if (s.tcp->payload_bytes == 0 && !flags.syn() && subtypes == 0 && (!f.extra || f.extra->more_points.empty())) return;
  OptionSighting now;
  now.point = s.point;
  now.side = side;
  now.subtypes = subtypes;
  now.flags = flags.bits;
  const SeqNum isn = v.side[side].has_isn ? v.side[side].isn : f.isn[side];
  now.relative_seq = flags.syn() ? 0 : (s.tcp->seq - isn.value).value;
  now.size = s.tcp->payload_bytes;
  now.ts_value = s.tcp->has_timestamp ? s.tcp->ts_value : 0;
  now.ip_id = s.decoded->ip_id;
  if (flags.ack() && v.side[other(side)].has_isn) now.relative_ack = (s.tcp->ack - v.side[other(side)].isn.value).value;
  SubflowExtra& extra = f.more();
  // Two packets of one sender can be alike but for their options: a difference counts only if the other point never shows the like.
  std::erase_if(extra.suspects, [&](const Suspect& suspect) {
    const auto explains = [&](const OptionSighting& odd, const OptionSighting& missing_at) {
      return now.point == missing_at.point && now.subtypes == odd.subtypes && same_packet(now, odd);
    };
    return explains(suspect.with, suspect.without) || explains(suspect.without, suspect.with);
  });
  auto& kept = flags.syn() ? extra.syns : extra.recent;
  const OptionSighting* odd = nullptr;
  bool matched = false;
  bool all_there = flags.syn() || kept.size() < kMostRecent;  // nothing like it has been forgotten
  for (const OptionSighting& before : kept) {
    if (before.point == now.point || before.side != now.side) continue;
    if (!same_packet(before, now)) {
      all_there = all_there || odd == nullptr;
      continue;
    }
    matched = matched || before.subtypes == now.subtypes;
    // Taken from one of the two: what is left is a part of what was there.
    const std::uint16_t common = before.subtypes & now.subtypes;
    if (before.subtypes != now.subtypes && (common == before.subtypes || common == now.subtypes)) odd = &before;
  }
  if (!matched && all_there && odd != nullptr && extra.suspects.size() < kMostSuspects) {
    const bool more = (now.subtypes & ~odd->subtypes) != 0;
    extra.suspects.push_back({.with = more ? now : *odd, .without = more ? *odd : now});
    if (flags.syn()) judge_suspects(f, s.time_ns);
  }
  if (!flags.syn() && kept.size() >= kMostRecent) kept.erase(kept.begin());
  if (kept.size() < kMostRecent) kept.push_back(now);
}

/// What no like packet has explained was stripped in between.
void Engine::State::judge_suspects(Subflow& f, TimeNs now) {
  if (!f.extra || f.extra->suspects.empty()) return;
  const Suspect& suspect = f.extra->suspects.front();
  raise(*f.connection, inspect::Event::option_stripped, now,
        {{"subflow", static_cast<std::uint64_t>(f.id)},
         {"seen_at_point", static_cast<std::uint64_t>(suspect.with.point)},
         {"gone_at_point", static_cast<std::uint64_t>(suspect.without.point)}});
  f.extra->suspects.clear();
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
  plain_syns[s.hash] = {
      .isn = s.tcp->seq.value, .point = s.point, .time_ns = s.time_ns, .ts_value = s.tcp->has_timestamp ? s.tcp->ts_value : 0, .ip_id = s.decoded->ip_id};
}

void Engine::State::compare_with_plain_syn(Subflow& f, const Segment& s) {
  const auto found = plain_syns.find(s.hash);
  if (found == plain_syns.end()) return;
  const PlainSyn& plain = found->second;
  const bool same = s.tcp->has_timestamp ? plain.ts_value == s.tcp->ts_value : plain.ip_id == s.decoded->ip_id;
  if (plain.isn != s.tcp->seq.value || plain.point == s.point || !same) return;
  raise(*f.connection, inspect::Event::option_stripped, s.time_ns,
        {{"subflow", static_cast<std::uint64_t>(f.id)},
         {"seen_at_point", static_cast<std::uint64_t>(s.point)},
         {"gone_at_point", static_cast<std::uint64_t>(plain.point)}});
  plain_syns.erase(found);
}

}  // namespace weir::engine
