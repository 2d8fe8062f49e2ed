#include "inspect/match/connection_matcher.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace weir::inspect::match {
namespace {

using rules::Content;
using rules::Pcre;

bool speaks(rules::Protocol wanted, AppProtocol spoken) {
  switch (wanted) {
    case rules::Protocol::kIp:
    case rules::Protocol::kTcp:
      return true;
    case rules::Protocol::kHttp:
      return spoken == AppProtocol::kHttp;
    case rules::Protocol::kTls:
      return spoken == AppProtocol::kTls;
    case rules::Protocol::kDns:
      return spoken == AppProtocol::kDns;
  }
  return false;
}

bool speaks(const std::optional<rules::Speaks>& wanted, AppProtocol spoken) {
  if (!wanted) return true;
  return spoken != AppProtocol::kUnknown && (spoken == wanted->protocol) != wanted->negated;
}

/// Sender to receiver.
Endpoints along(const Endpoints& e, Direction d) { return d == Direction::kToServer ? e : Endpoints{e.dst, e.src, e.dst_port, e.src_port}; }

bool compare(std::uint32_t a, rules::Compare how, std::uint32_t b) {
  switch (how) {
    case rules::Compare::kNotEqual:
      return a != b;
    case rules::Compare::kLess:
      return a < b;
    case rules::Compare::kGreater:
      return a > b;
    case rules::Compare::kLessEqual:
      return a <= b;
    case rules::Compare::kGreaterEqual:
      return a >= b;
    default:
      return a == b;
  }
}

/// An expression that only the stream's beginning can match. After a gap the scanner begins anew, and would find it there.
bool only_at_start(const Step& step) {
  const auto* p = std::get_if<Pcre>(&step.condition.what);
  return p != nullptr && (p->anchored || (!p->multiline && p->expression.starts_with('^')));
}

}  // namespace

void ConnectionMatcher::begin(const Facts& facts, Direction d) {
  Side& s = opened(d);
  s.ports[0] = facts.endpoints.src_port;
  s.ports[1] = facts.endpoints.dst_port;
  s.group = &rules_->group(d, s.ports[0], s.ports[1]);
  for (const std::uint32_t p : s.group->from_start) {
    const Plan& plan = rules_->plans()[p];
    for (std::uint32_t i = 0; i < plan.segments.size(); ++i) {
      if (plan.segments[i].trigger == Segment::Trigger::kStart)
        waiting(s).pending.push_back({.plan = p, .segment = i, .anchor = {}, .first_step = 0, .begin = 0, .wanted = 0});
    }
  }
  for (const std::uint32_t p : s.group->absences_only) progress(s, p);
}

const Window& ConnectionMatcher::window(Call& call) {
  if (call.window) return *call.window;
  Side& s = side(call);
  auto bytes = call.bytes;
  if (!s.history.empty()) {
    auto& all = call.shared.assembled;
    all.assign(s.history.begin(), s.history.end());
    all.insert(all.end(), bytes.begin(), bytes.end());
    bytes = all;
  }
  call.window = Window{bytes, s.next - bytes.size(), s.ended};
  return *call.window;
}

void ConnectionMatcher::data(const Facts& facts, Direction d, std::uint64_t offset, std::span<const std::byte> bytes, std::uint32_t subflow, TimeNs now,
                             Shared& shared, FoundSink& sink) {
  Side& s = opened(d);
  if (s.ended || passed_) return;
  if (s.group == nullptr) {
    check_passes({facts, d, bytes, now, shared, sink, std::nullopt, std::nullopt});
    if (passed_) return;
    begin(facts, d);
    s.scan_base = s.next = offset;
  }
  s.next = offset + bytes.size();
  if (!s.provenance.add(s.next, subflow, kRuns)) ++shared.forgotten_provenance;
  Call call{facts, d, bytes, now, shared, sink, std::nullopt, std::nullopt};
  if (!s.group->database.empty()) {
    shared.hits.clear();
    if (!s.scan.scan(s.group->database, shared.scratch(rules_), bytes, shared.hits)) {
      ++shared.failed_scans;
      limited_ = true;
      s.scan_base = s.next;
    }
    look_at(call, shared.hits);
  }
  if (s.waiting) retry_all(call);
  if (!s.group->bare.empty()) check_bare(call);
  check_decided(call);
  keep_history(s, bytes);
}

void ConnectionMatcher::look_at(Call& call, std::span<const Hit> hits) {
  const Side& s = side(call);
  for (std::size_t i = 0; i < hits.size();) {
    const std::size_t first = i++;
    call.looking_at = s.scan_base + hits[first].end;
    while (i < hits.size() && hits[i].end == hits[first].end) ++i;
    if (i - first == 1) {
      for (const Meaning& meaning : s.group->meanings[hits[first].pattern]) on_hit(call, meaning, *call.looking_at);
      continue;
    }
    std::vector<const Meaning*> here;
    for (const Hit& hit : hits.subspan(first, i - first)) {
      for (const Meaning& meaning : s.group->meanings[hit.pattern]) here.push_back(&meaning);
    }
    std::ranges::stable_sort(here, {}, &Meaning::plan);
    for (const Meaning* meaning : here) on_hit(call, *meaning, *call.looking_at);
  }
  call.looking_at.reset();
}

void ConnectionMatcher::gap(Direction d, std::uint64_t offset, std::uint64_t bytes) {
  Side& s = opened(d);
  s.next = offset + bytes;
  s.scan.close();
  s.scan_base = s.next;
  s.history.clear();
  if (!s.waiting) return;
  s.waiting->pending.clear();
  s.waiting->deferred.clear();
}

void ConnectionMatcher::fin(const Facts& facts, Direction d, TimeNs now, Shared& shared, FoundSink& sink) {
  Side& s = opened(d);
  if (s.ended || passed_) return;
  if (s.group == nullptr) begin(facts, d);
  Call call{facts, d, {}, now, shared, sink, std::nullopt, std::nullopt};
  shared.hits.clear();
  if (!s.group->database.empty()) s.scan.finish(shared.scratch(rules_), shared.hits, s.group->database);
  s.ended = true;
  look_at(call, shared.hits);
  retry_all(call);
  complete_waiting(call);  // what only the absence of something held back
  s.history = {};
  if (!s.waiting) return;
  s.waiting->pending = {};
  s.waiting->deferred = {};
}

void ConnectionMatcher::keep_history(Side& s, std::span<const std::byte> bytes) {
  std::uint64_t from = s.next - std::min(s.next - s.scan_base, s.group->history_bytes);
  if (s.waiting) {
    for (const Pending& p : s.waiting->pending) from = std::min(from, p.begin);
    for (const Deferred& d : s.waiting->deferred) from = std::min(from, d.begin);
  }
  const std::uint64_t have = s.next - bytes.size() - s.history.size();
  from = std::max(from, have);
  const std::uint64_t keep = s.next - from;
  if (keep == 0) {
    if (!s.history.empty()) s.history = {};
  } else if (keep <= bytes.size()) {
    const auto tail = bytes.last(static_cast<std::size_t>(keep));
    s.history.assign(tail.begin(), tail.end());
  } else {
    s.history.erase(s.history.begin(), s.history.end() - static_cast<std::ptrdiff_t>(keep - bytes.size()));
    s.history.insert(s.history.end(), bytes.begin(), bytes.end());
  }
}

ConnectionMatcher::Progress* ConnectionMatcher::progress(Side& s, std::uint32_t plan) {
  Waiting& w = waiting(s);
  if (const auto found = w.progress.find(plan); found != w.progress.end()) return &found->second;
  if (w.progress.size() >= kProgress) return nullptr;
  Progress& p = w.progress[plan];
  p.segments.resize(rules_->plans()[plan].segments.size());
  p.present.resize(rules_->plans()[plan].absences.size());
  return &p;
}

bool ConnectionMatcher::was_told(const Side& s, std::uint32_t plan) const { return s.waiting && std::ranges::binary_search(s.waiting->told, plan); }

ConnectionMatcher::Side& ConnectionMatcher::opened(Direction d) {
  auto& s = sides_[index(d)];
  if (!s) s = std::make_unique<Side>();
  return *s;
}

const ConnectionMatcher::Progress* ConnectionMatcher::found_so_far(const Side& s, std::uint32_t plan) const {
  if (!s.waiting) return nullptr;
  const auto found = s.waiting->progress.find(plan);
  return found == s.waiting->progress.end() ? nullptr : &found->second;
}

ConnectionMatcher::Waiting& ConnectionMatcher::waiting(Side& s) {
  if (!s.waiting) s.waiting = std::make_unique<Waiting>();
  return *s.waiting;
}

void ConnectionMatcher::on_hit(Call& call, const Meaning& meaning, std::uint64_t end) {
  Side& s = side(call);
  if (was_told(s, meaning.plan)) return;
  const Plan& plan = rules_->plans()[meaning.plan];
  if (meaning.kind == Meaning::Kind::kAbsence) {
    const Absence& a = plan.absences[meaning.index];
    if (a.size != 0 && end - a.size < a.lowest) return;
    if (end > a.decided_at) return;
    if (Progress* p = progress(s, meaning.plan)) p->present[meaning.index] = true;
    return;
  }
  const Segment& segment = plan.segments[meaning.index];
  Anchor anchor;
  std::size_t first_step = 0;
  std::uint64_t first = end;
  if (segment.continues) {
    retry(call, meaning.plan, meaning.index - 1);
    if (was_told(s, meaning.plan)) return;
    if (is_pending(s, meaning.plan, meaning.index - 1)) defer(call, meaning, end);  // and try what is known already
    const Progress* const before = found_so_far(s, meaning.plan);
    if (before == nullptr || !before->segments[meaning.index - 1]) return;
    anchor.position = before->segments[meaning.index - 1]->position;
    anchor.lowest = anchor.position + static_cast<std::uint64_t>(segment.distance);
  }
  if (segment.trigger == Segment::Trigger::kLiteral) {
    const Content& c = std::get<Content>(segment.steps[segment.trigger_step].condition.what);
    first = end - c.bytes.size();
    if (segment.simple) {
      if (first < anchor.lowest) return;
      if (c.offset && first < static_cast<std::uint64_t>(std::max<std::int64_t>(0, *c.offset))) return;
      if (segment.pattern.max_offset && end > *segment.pattern.max_offset) return;
      take(call, meaning.plan, meaning.index, {first, end, end});
      return;
    }
    const std::uint64_t lowest = first - std::min(first, segment.lookback_bytes);
    anchor.highest = first + segment.overlap_bytes;
    if (lowest > anchor.lowest) anchor.lowest = lowest;
    if (anchor.lowest > anchor.highest) return;
  } else if (segment.trigger == Segment::Trigger::kRegex) {
    if (only_at_start(segment.steps[0]) && s.scan_base != 0) return;
    if (segment.simple) {
      take(call, meaning.plan, meaning.index, {end - 1, end, end});
      return;
    }
    first_step = 1;
    anchor.position = anchor.lowest = end;
  } else {
    if (only_at_start(segment.steps[0]) && s.scan_base != 0) return;
    anchor.lowest = end - std::min(end, segment.lookback_bytes);
    if (only_at_start(segment.steps[0]) && anchor.lowest != 0) return;
  }
  const std::uint64_t begin = std::min(anchor.lowest, first);
  try_segment(call, meaning.plan, meaning.index, anchor, first_step, begin - std::min(begin, segment.before_bytes));
}

void ConnectionMatcher::try_segment(Call& call, std::uint32_t plan, std::uint32_t index, Anchor anchor, std::size_t first_step, std::uint64_t begin) {
  Side& s = side(call);
  const Segment& segment = rules_->plans()[plan].segments[index];
  const auto steps = std::span(segment.steps).subspan(first_step);
  const Evaluation result = evaluate(steps, window(call), anchor, rules_->limits(), [&](const Match& match) {
    Match whole = match;
    if (first_step != 0) whole.first = std::min(whole.first, anchor.position - std::min<std::uint64_t>(anchor.position, 1));
    return take(call, plan, index, whole);
  });
  if (result.limited) {
    ++call.shared.limited_evaluations;
    limited_ = true;
  }
  if (result.outcome != Outcome::kMore) return;
  // A hit that was deferred comes here again.
  Waiting& w = waiting(s);
  const bool known = std::ranges::any_of(
      w.pending, [&](const Pending& p) { return p.plan == plan && p.segment == index && p.anchor == anchor && p.first_step == first_step; });
  if (known) return;
  if (w.pending.size() >= kPending) {
    w.pending.erase(w.pending.begin());
    ++call.shared.limited_pending;
    limited_ = true;
  }
  w.pending.push_back({plan, index, anchor, first_step, begin, result.wanted});
}

void ConnectionMatcher::retry(Call& call, std::uint32_t plan, std::uint32_t segment) {
  Side& s = side(call);
  if (!s.waiting) return;
  std::vector<Pending> due;
  std::erase_if(s.waiting->pending, [&](const Pending& p) {
    const bool now = p.plan == plan && p.segment == segment && (s.ended || p.wanted <= s.next);
    if (now) due.push_back(p);
    return now;
  });
  s.waiting->settled |= !due.empty();
  for (const Pending& p : due) try_segment(call, p.plan, p.segment, p.anchor, p.first_step, p.begin);
}

void ConnectionMatcher::retry_all(Call& call) {
  Side& s = side(call);
  if (!s.waiting) return;
  Waiting& w = *s.waiting;
  std::vector<Pending> due;
  std::erase_if(w.pending, [&](const Pending& p) {
    const bool now = s.ended || p.wanted <= s.next;
    if (now && !was_told(s, p.plan)) due.push_back(p);
    return now || was_told(s, p.plan);
  });
  for (const Pending& p : due) {
    if (!was_told(s, p.plan)) try_segment(call, p.plan, p.segment, p.anchor, p.first_step, p.begin);
  }
  w.settled |= !due.empty();
  if (w.deferred.empty() || !std::exchange(w.settled, false)) return;
  const auto hits = std::exchange(w.deferred, {});
  for (const Deferred& hit : hits) on_hit(call, hit.meaning, hit.end);
}

bool ConnectionMatcher::is_pending(const Side& s, std::uint32_t plan, std::uint32_t segment) const {
  if (!s.waiting) return false;
  return std::ranges::any_of(s.waiting->pending, [&](const Pending& p) { return p.plan == plan && p.segment == segment; }) ||
         std::ranges::any_of(s.waiting->deferred, [&](const Deferred& d) { return d.meaning.plan == plan && d.meaning.index == segment; });
}

void ConnectionMatcher::defer(Call& call, const Meaning& meaning, std::uint64_t end) {
  Side& s = side(call);
  Waiting& w = waiting(s);
  if (w.deferred.size() >= kPending) {
    w.deferred.erase(w.deferred.begin());
    ++call.shared.limited_pending;
    limited_ = true;
  }
  const Segment& segment = rules_->plans()[meaning.plan].segments[meaning.index];
  std::uint64_t size = 0;
  if (segment.trigger == Segment::Trigger::kLiteral) size = std::get<Content>(segment.steps[segment.trigger_step].condition.what).bytes.size();
  w.deferred.push_back({meaning, end, segment.simple ? s.next : end - std::min(end, size + segment.lookback_bytes + segment.before_bytes)});
}

/// True: no other way need be looked for.
bool ConnectionMatcher::take(Call& call, std::uint32_t plan_index, std::uint32_t segment, const Match& match) {
  Side& s = side(call);
  const Plan& plan = rules_->plans()[plan_index];
  const bool last_of_chain = segment + 1 >= plan.segments.size() || !plan.segments[segment + 1].continues;
  const bool waits = (plan.rule.protocol > rules::Protocol::kTcp || plan.rule.speaks) && call.facts.protocol == AppProtocol::kUnknown;
  if (plan.segments.size() == 1 && plan.absences.empty() && !plan.has_parts() && !waits) return complete(call, plan_index, &match) || !plan.every_match;
  Progress* p = progress(s, plan_index);
  if (p == nullptr) {
    ++call.shared.limited_rules;
    limited_ = true;
    return true;
  }
  auto& found = p->segments[segment];
  if (!last_of_chain) {  // the earliest serves best
    if (!found || match.position < found->position) found = match;
    return false;
  }
  if (!found || plan.every_match) found = match;
  return complete(call, plan_index, nullptr) || !plan.every_match;
}

bool ConnectionMatcher::header_matches(const Call& call, const rules::Rule& rule) const {
  const Endpoints flow = along(call.facts.endpoints, call.direction);
  const auto fits = [&](const Endpoints& e) {
    return rule.src.contains(e.src) && rule.dst.contains(e.dst) && rule.src_port.contains(e.src_port) && rule.dst_port.contains(e.dst_port);
  };
  return fits(flow) || (rule.both_ways && fits({flow.dst, flow.src, flow.dst_port, flow.src_port}));
}

bool ConnectionMatcher::conditions_hold(const Call& call, const Plan& plan) const {
  const rules::Rule& rule = plan.rule;
  if (!speaks(rule.protocol, call.facts.protocol) || !speaks(rule.speaks, call.facts.protocol)) return false;
  if (rule.flow.to_server != rule.flow.to_client && rule.flow.to_server != (call.direction == Direction::kToServer)) return false;
  if (rule.mptcp.version && (!call.facts.version || !rule.mptcp.version->holds(*call.facts.version))) return false;
  if (rule.mptcp.subflows && (!call.facts.version || !rule.mptcp.subflows->holds(call.facts.subflows))) return false;
  if (rule.payload_size && !rule.payload_size->holds(call.bytes.size())) return false;
  if (!header_matches(call, rule) || !flowbits_hold(rule) || !flowints_hold(rule) || !sizes_hold(rule)) return false;
  const Endpoints flow = along(call.facts.endpoints, call.direction);
  return std::ranges::all_of(rule.xbits, [&](const rules::XBits& bits) { return call.shared.host_bits.holds(bits, flow, call.now); });
}

bool ConnectionMatcher::flowints_hold(const rules::Rule& rule) const {
  using Operation = rules::FlowInt::Operation;
  return std::ranges::all_of(rule.flowints, [&](const rules::FlowInt& f) {
    if (f.changes()) return true;
    const auto found = flowints_.find(f.name);
    if (f.operation == Operation::kIsSet) return found != flowints_.end();
    if (f.operation == Operation::kIsNotSet) return found == flowints_.end();
    if (found == flowints_.end()) return false;
    if (f.value_name.empty()) return compare(found->second, f.compare, f.value);
    const auto other = flowints_.find(f.value_name);
    return other != flowints_.end() && compare(found->second, f.compare, other->second);
  });
}

void ConnectionMatcher::change_flowints(const rules::Rule& rule, Shared& shared) {
  using Operation = rules::FlowInt::Operation;
  for (const rules::FlowInt& f : rule.flowints) {
    if (!f.changes()) continue;
    std::uint32_t value = f.value;
    if (!f.value_name.empty()) {
      const auto other = flowints_.find(f.value_name);
      if (other == flowints_.end()) continue;
      value = other->second;
    }
    const auto found = flowints_.find(f.name);
    if (found != flowints_.end()) {
      found->second = f.operation == Operation::kAssign ? value : f.operation == Operation::kAdd ? found->second + value : found->second - value;
    } else if (f.operation != Operation::kSubtract) {
      if (flowints_.size() >= kFlowInts) {
        ++shared.limited_flowints;
        limited_ = true;
        continue;
      }
      flowints_[f.name] = value;
    }
  }
}

bool ConnectionMatcher::sizes_hold(const rules::Rule& rule) const {
  using Which = rules::StreamSize::Side;
  const auto sent = [&](Direction d) { return 1 + (sides_[index(d)] ? sides_[index(d)]->next : 0); };
  return std::ranges::all_of(rule.stream_sizes, [&](const rules::StreamSize& s) {
    const bool client = s.size.holds(sent(Direction::kToServer));
    const bool server = s.size.holds(sent(Direction::kToClient));
    if (s.side == Which::kClient) return client;
    if (s.side == Which::kServer) return server;
    return s.side == Which::kBoth ? client && server : client || server;
  });
}

/// Tells the rule if all of it holds. True: it was told (or would have been, but for noalert and thresholds).
bool ConnectionMatcher::complete(Call& call, std::uint32_t plan_index, const Match* only) {
  Side& s = side(call);
  if (passed_ || was_told(s, plan_index)) return true;
  const Plan& plan = rules_->plans()[plan_index];
  std::vector<StreamRange> ranges;
  if (only != nullptr) {
    ranges.push_back({call.direction, only->first, only->end});
  } else {
    const Progress* const half = found_so_far(s, plan_index);
    if (half == nullptr) {
      if (plan.has_stream() || plan.has_parts()) return false;
    } else {
      const Progress& p = *half;
      if (plan.has_parts() && !p.parts_matched) return false;
      for (const auto& segment : p.segments) {
        if (!segment) return false;
        ranges.push_back({call.direction, segment->first, segment->end});
      }
      for (std::size_t i = 0; i < p.present.size(); ++i) {
        if (p.present[i]) return false;
        const std::uint64_t decided_at = plan.absences[i].decided_at;
        if (call.looking_at ? *call.looking_at <= decided_at : !s.ended && s.next < decided_at) return false;
      }
      ranges.insert(ranges.end(), p.parts.begin(), p.parts.end());
    }
    if (ranges.empty()) ranges.push_back({call.direction, s.next - std::min<std::uint64_t>(s.next, call.bytes.size()), s.next});
  }
  if (!conditions_hold(call, plan)) return false;

  Found found{.rule = &plan.rule, .direction = call.direction, .subflows = {}, .first = ~0ULL, .last = 0, .time_ns = call.now};
  for (const StreamRange& range : ranges) {
    if (const auto& carried = sides_[index(range.direction)]) carried->provenance.collect(range.first, range.end, found.subflows);
    if (range.direction != call.direction) continue;
    found.first = std::min(found.first, range.first);
    found.last = std::max(found.last, range.end == 0 ? 0 : range.end - 1);
  }
  if (found.first > found.last) found.first = found.last;
  std::ranges::sort(found.subflows);
  const rules::MptcpConditions& mptcp = plan.rule.mptcp;
  if (mptcp.split && found.subflows.size() < 2) return false;
  if (mptcp.opened_by_server) {
    const bool any = std::ranges::any_of(found.subflows,
                                         [&](std::uint32_t id) { return std::ranges::binary_search(call.facts.server_opened, id) == *mptcp.opened_by_server; });
    if (!any) return false;
  }

  bool again = false;
  if (!plan.rule.threshold) {
    auto& told = plan.repeats() ? waiting(s).counting : waiting(s).told;
    const auto place = std::ranges::lower_bound(told, plan_index);
    again = place != told.end() && *place == plan_index;
    if (!again) told.insert(place, plan_index);
  }
  const Endpoints flow = along(call.facts.endpoints, call.direction);
  for (const rules::XBits& bits : plan.rule.xbits) call.shared.host_bits.apply(bits, flow, call.now, kHostBits);
  change_flowints(plan.rule, call.shared);
  const bool silent = set_flowbits(plan.rule) || plan.rule.no_alert || again;
  if (plan.rule.action == rules::Action::kPass) {
    passed_ = true;
    return true;
  }
  if (silent) return true;
  if (call.shared.thresholds.allows(plan.rule, flow, call.now, kThresholds)) call.sink.on_found(found);
  return true;
}

/// A pass rule about the connection itself held since its first packet: it comes before all that the bytes may set off, whichever side speaks first.
void ConnectionMatcher::check_passes(const Call& call) {
  for (const Direction d : {Direction::kToServer, Direction::kToClient}) {
    const Call either{call.facts, d, call.bytes, call.now, call.shared, call.sink, std::nullopt, std::nullopt};
    for (const std::uint32_t p : rules_->group(d, call.facts.endpoints.src_port, call.facts.endpoints.dst_port).bare) {
      const Plan& plan = rules_->plans()[p];
      const bool by_carrier = plan.rule.mptcp.split || plan.rule.mptcp.opened_by_server;
      if (plan.rule.action == rules::Action::kPass && !by_carrier && conditions_hold(either, plan)) passed_ = true;
    }
  }
}

/// Rules that nothing in the stream sets off: about the connection itself.
void ConnectionMatcher::check_bare(Call& call) {
  for (const std::uint32_t p : side(call).group->bare) {
    if (!was_told(side(call), p)) complete(call, p, nullptr);
  }
}

/// Ranges in which something did not come, and that are over now.
void ConnectionMatcher::check_decided(Call& call) {
  Side& s = side(call);
  const auto& decisions = s.group->decisions;
  if (s.decided >= decisions.size() || decisions[s.decided] > s.next) return;
  while (s.decided < decisions.size() && decisions[s.decided] <= s.next) ++s.decided;
  complete_waiting(call);
}

void ConnectionMatcher::complete_waiting(Call& call) {
  const Side& s = side(call);
  if (!s.waiting) return;
  std::vector<std::uint32_t> plans;
  for (const auto& [plan, each] : s.waiting->progress) plans.push_back(plan);
  for (const std::uint32_t plan : plans) complete(call, plan, nullptr);
}

bool ConnectionMatcher::flowbits_hold(const rules::Rule& rule) const {
  using Operation = rules::FlowBits::Operation;
  const auto is_set = [&](const std::string& name) { return flowbits_.contains(name); };
  return std::ranges::all_of(rule.flowbits, [&](const rules::FlowBits& bits) {
    if (bits.operation == Operation::kIsSet) return std::ranges::any_of(bits.names, is_set);
    if (bits.operation == Operation::kIsNotSet) return std::ranges::none_of(bits.names, is_set);
    return true;
  });
}

/// True: the rule says noalert.
bool ConnectionMatcher::set_flowbits(const rules::Rule& rule) {
  using Operation = rules::FlowBits::Operation;
  bool silent = false;
  for (const rules::FlowBits& bits : rule.flowbits) {
    silent |= bits.operation == Operation::kNoAlert;
    for (const std::string& name : bits.names) {
      if (bits.operation == Operation::kSet) flowbits_.insert(name);
      if (bits.operation == Operation::kUnset) flowbits_.erase(name);
      if (bits.operation == Operation::kToggle && flowbits_.erase(name) == 0) flowbits_.insert(name);
    }
  }
  return silent;
}

/// Whether the conditions on one buffer hold; the bytes that it was made of are added to `ranges`.
bool ConnectionMatcher::part_holds(const PartSteps& steps, const Transaction& transaction, Shared& shared, std::vector<StreamRange>& ranges) {
  const auto holds = [&](const Transaction::Part& part) {
    std::vector<std::byte> room;
    const Window window{steps.transformer.apply(part.bytes, room), 0, true};
    const Evaluation result = evaluate(steps.steps, window, {}, rules_->limits(), [](const Match&) { return true; });
    if (result.limited) {
      ++shared.limited_evaluations;
      limited_ = true;
    }
    if (result.outcome != Outcome::kYes) return false;
    ranges.push_back(part.raw);
    return true;
  };
  const Transaction::Part& first = transaction.part(steps.subject.buffer);
  if (!first.present) return steps.may_be_absent;
  if (holds(first)) return true;
  return is_repeated(steps.subject.buffer) &&
         std::ranges::any_of(transaction.further, [&](const auto& entry) { return entry.first == steps.subject.buffer && holds(entry.second); });
}

void ConnectionMatcher::stage(const Facts& facts, Stage stage, const Transaction& transaction, TimeNs now, Shared& shared, FoundSink& sink) {
  const StageGroup& group = rules_->stage(stage);
  if (passed_ || (group.fast.empty() && group.always.empty())) return;
  std::vector<std::uint32_t> candidates(group.always);
  for (const StageGroup::Fast& fast : group.fast) {
    const Transaction::Part& part = transaction.part(fast.subject.buffer);
    if (!part.present) continue;
    std::vector<Hit> hits;
    std::vector<std::byte> room;
    if (!scan_block(fast.database, shared.scratch(rules_), fast.transformer.apply(part.bytes, room), hits)) ++shared.failed_scans;
    if (is_repeated(fast.subject.buffer)) {
      for (const auto& [buffer, another] : transaction.further) {
        if (buffer == fast.subject.buffer && !scan_block(fast.database, shared.scratch(rules_), fast.transformer.apply(another.bytes, room), hits))
          ++shared.failed_scans;
      }
    }
    for (const Hit& hit : hits) candidates.insert(candidates.end(), fast.plans[hit.pattern].begin(), fast.plans[hit.pattern].end());
  }
  std::ranges::sort(candidates);
  candidates.erase(std::ranges::unique(candidates).begin(), candidates.end());
  for (const std::uint32_t p : candidates) {
    const Plan& plan = rules_->plans()[p];
    // What a rule on requests and responses has matched counts for the direction that its flow names, else that of the last part.
    Direction d = direction_of(stage);
    if (plan.rule.flow.to_server != plan.rule.flow.to_client) d = plan.rule.flow.to_server ? Direction::kToServer : Direction::kToClient;
    Call call{facts, d, {}, now, shared, sink, std::nullopt, std::nullopt};
    Side& s = side(call);
    if (was_told(s, p)) continue;
    std::vector<StreamRange> ranges;
    const bool holds = std::ranges::all_of(plan.parts.each, [&](const PartSteps& steps) { return part_holds(steps, transaction, shared, ranges); });
    if (!holds) continue;
    Progress* const progress_of = progress(s, p);
    if (progress_of == nullptr) {
      ++shared.limited_rules;
      limited_ = true;
      continue;
    }
    progress_of->parts = std::move(ranges);
    progress_of->parts_matched = true;
    const bool told = complete(call, p, nullptr);
    if (!plan.has_stream() || (told && !plan.repeats())) waiting(s).progress.erase(p);
  }
}

void ConnectionMatcher::protocol_known(const Facts& facts, TimeNs now, Shared& shared, FoundSink& sink) {
  for (const Direction d : {Direction::kToServer, Direction::kToClient}) {
    Call call{facts, d, {}, now, shared, sink, std::nullopt, std::nullopt};
    complete_waiting(call);
  }
}

void ConnectionMatcher::pack() {
  for (const auto& s : sides_) {
    if (!s) continue;
    s->scan.pack();
    s->history.shrink_to_fit();
    if (!s->waiting) continue;
    s->waiting->pending.shrink_to_fit();
    if (s->waiting->empty()) s->waiting.reset();
  }
}

}  // namespace weir::inspect::match
