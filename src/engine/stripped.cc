// Several capture points: an MPTCP option that one point saw and another, for the same packet, did not (option_stripped).
#include <algorithm>

#include "engine/state.h"

namespace weir::engine {

namespace {

/// The SYNs' sightings stay, so that clocks that differ by seconds do no harm; of the others the latest are kept.
constexpr std::size_t kMostRecent = 20;
constexpr std::size_t kMostSuspects = 8;
constexpr std::size_t kMostSuspected = 1'024;  // subflows that wait; beyond, the judgement comes at once
constexpr TimeNs kSecondNs = 1'000'000'000;
/// A third point may lie between two that differ: this long its packet is waited for (live, points are read a block at a time).
constexpr TimeNs kOtherPointsNs = kSecondNs / 5;

bool same_packet(const OptionSighting& a, const OptionSighting& b) {
  // A box may set identifications anew, and many senders leave them 0: where both have one, it tells like packets apart.
  const bool ids_agree = a.ip_id == b.ip_id || a.ip_id == 0 || b.ip_id == 0;
  return a.side == b.side && a.flags == b.flags && a.relative_seq == b.relative_seq && a.relative_ack == b.relative_ack && a.size == b.size &&
         a.ts_value == b.ts_value && ids_agree;
}

TimeNs apart(const OptionSighting& a, const OptionSighting& b) { return a.time_ns < b.time_ns ? b.time_ns - a.time_ns : a.time_ns - b.time_ns; }

/// "MP_JOIN", or several of them: what the one sighting has and the other has not.
std::string options_text(std::uint16_t subtypes) {
  static constexpr const char* kNames[] = {"MP_CAPABLE", "MP_JOIN", "DSS", "ADD_ADDR", "REMOVE_ADDR", "MP_PRIO", "MP_FAIL", "MP_FASTCLOSE", "MP_TCPRST"};
  std::string text;
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if ((subtypes >> i & 1U) != 0) text += (text.empty() ? "" : ", ") + std::string(kNames[i]);
  }
  return text.empty() ? "unknown" : text;
}

bool of_syn(const Suspect& suspect) { return wire::TcpFlags{suspect.with.flags}.syn(); }

/// The same packet at one more point: the pair that is told is the narrowest.
void narrow(Suspect& suspect, const OptionSighting& now) {
  if (now.point == suspect.with.point || now.point == suspect.without.point || !same_packet(now, suspect.with)) return;
  if (now.subtypes == suspect.with.subtypes && apart(now, suspect.without) < apart(suspect.with, suspect.without)) suspect.with = now;
  if (now.subtypes == suspect.without.subtypes && apart(now, suspect.with) < apart(suspect.without, suspect.with)) suspect.without = now;
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
  now.time_ns = s.time_ns;
  if (flags.ack() && v.side[other(side)].has_isn) now.relative_ack = (s.tcp->ack - v.side[other(side)].isn.value).value;
  SubflowExtra& extra = f.more();
  // Two packets of one sender can be alike but for their options: a difference counts only if the other point never shows the like.
  std::erase_if(extra.suspects, [&](const Suspect& suspect) {
    const auto explains = [&](const OptionSighting& odd, const OptionSighting& missing_at) {
      return now.point == missing_at.point && now.subtypes == odd.subtypes && same_packet(now, odd);
    };
    return explains(suspect.with, suspect.without) || explains(suspect.without, suspect.with);
  });
  for (Suspect& each : extra.suspects) narrow(each, now);
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
    if (before.subtypes != now.subtypes && (common == before.subtypes || common == now.subtypes) && (odd == nullptr || apart(before, now) < apart(*odd, now)))
      odd = &before;
  }
  if (!matched && all_there && odd != nullptr && extra.suspects.size() < kMostSuspects) {
    const bool more = (now.subtypes & ~odd->subtypes) != 0;
    suspect(f, {.with = more ? now : *odd, .without = more ? *odd : now, .since_ns = now_ns});
  }
  if (!flags.syn() && kept.size() >= kMostRecent) kept.erase(kept.begin());
  if (kept.size() < kMostRecent) kept.push_back(now);
}

void Engine::State::suspect(Subflow& f, const Suspect& found) {
  f.more().suspects.push_back(found);
  // Of other packets the like may still come: they are judged at the end.
  if (!of_syn(found)) return;
  if (suspected.size() >= kMostSuspected) return judge_suspects(f);
  if (std::ranges::find(suspected, &f) == suspected.end()) suspected.push_back(&f);
}

/// What no like packet has explained was stripped in between.
void Engine::State::judge_suspects(Subflow& f) {
  if (!f.extra) return;
  if (f.extra->suspects.empty()) return tell_answered_without(f);
  f.extra->answered_without.reset();
  const Suspect& first = f.extra->suspects.front();
  const auto missing = static_cast<std::uint16_t>(first.with.subtypes & ~first.without.subtypes);
  raise(*f.connection, inspect::Event::option_stripped, std::max(first.with.time_ns, first.without.time_ns),
        {{"subflow", static_cast<std::uint64_t>(f.id)},
         {"seen_at_point", static_cast<std::uint64_t>(first.with.point)},
         {"gone_at_point", static_cast<std::uint64_t>(first.without.point)},
         {"option", options_text(missing)},
         {"direction", std::string(f.direction(first.with.side) == Direction::kToServer ? "to_server" : "to_client")}},
        std::pair(first.with.point, first.without.point));
  f.extra->suspects.clear();
}

void Engine::State::judge_waiting_suspects(TimeNs now) {
  while (!suspected.empty()) {
    Subflow& f = *suspected.front();
    auto& suspects = f.extra->suspects;
    const auto syn = std::ranges::find_if(suspects, of_syn);  // none: it was explained
    if (syn != suspects.end() && now < syn->since_ns + kOtherPointsNs) return;
    if (syn == suspects.end() && f.extra->answered_without && now < f.extra->answered_without->since_ns + kOtherPointsNs) return;
    suspected.erase(suspected.begin());
    if (syn == suspects.end()) {
      tell_answered_without(f);
      continue;
    }
    std::iter_swap(suspects.begin(), syn);
    judge_suspects(f);
  }
}

/// One point alone cannot say where it was lost; of several, two may: they have their time.
void Engine::State::answered_without_option(Subflow& f, TimeNs time_ns) {
  f.more().answered_without = {.time_ns = time_ns, .since_ns = now_ns};
  if (!settings.several_points || suspected.size() >= kMostSuspected) return judge_suspects(f);
  if (std::ranges::find(suspected, &f) == suspected.end()) suspected.push_back(&f);
}

void Engine::State::tell_answered_without(Subflow& f) {
  if (!f.extra->answered_without) return;
  const TimeNs time_ns = f.extra->answered_without->time_ns;
  f.extra->answered_without.reset();
  raise(*f.connection, inspect::Event::option_stripped, time_ns, {{"inferred", true}, {"option", std::string("MP_JOIN")}, {"carrier", std::string("SYN/ACK")}});
}

void Engine::State::forget_suspects(const Subflow& f) {
  if (!suspected.empty()) std::erase(suspected, &f);
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
  const PlainSyn now{
      .isn = s.tcp->seq.value, .point = s.point, .time_ns = s.time_ns, .ts_value = s.tcp->has_timestamp ? s.tcp->ts_value : 0, .ip_id = s.decoded->ip_id};
  PlainSyn& kept = plain_syns[s.hash];
  // Of several points the first that shows it so: the option went before that.
  const bool same = kept.time_ns != 0 && kept.isn == now.isn && kept.ts_value == now.ts_value;
  if (!same || now.time_ns < kept.time_ns) kept = now;
}

void Engine::State::compare_with_plain_syn(Subflow& f, const Segment& s) {
  const auto found = plain_syns.find(s.hash);
  if (found == plain_syns.end()) return;
  const PlainSyn& plain = found->second;
  const bool same = s.tcp->has_timestamp ? plain.ts_value == s.tcp->ts_value : plain.ip_id == s.decoded->ip_id;
  if (plain.isn != s.tcp->seq.value || plain.point == s.point || !same) return;
  auto& syns = f.more().syns;  // it has just been sighted
  if (syns.empty()) return;
  const OptionSighting with = syns.back();
  OptionSighting without = with;
  without.point = plain.point;
  without.subtypes = 0;
  without.time_ns = plain.time_ns;
  without.ip_id = plain.ip_id;
  syns.push_back(without);
  suspect(f, {.with = with, .without = without, .since_ns = now_ns});
  plain_syns.erase(found);
}

}  // namespace weir::engine
