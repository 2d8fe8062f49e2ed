#include "probe/trace/tracer.h"

#include <algorithm>
#include <utility>

#include "capture/clock.h"
#include "probe/raw/icmp_quote.h"
#include "probe/raw/judge.h"
#include "probe/trace/compare.h"

namespace weir::probe::trace {
namespace {

using raw::Question;

constexpr std::uint8_t kWholePath = 64;  // the usual TTL
constexpr TimeNs kWaitNs = 5'000'000;
constexpr TimeNs kEndingNs = 2'000'000'000;  // for the RSTs of an interrupted run
constexpr TimeNs kLateNs = 200'000'000;      // of it: behind the last of them, for answers on their way

End end_of(const raw::Answer& answer) {
  if (answer.kind == raw::Kind::kReset) return End::kReset;
  if (answer.outcome == Outcome::kCapable) return End::kCapable;
  return answer.outcome == Outcome::kPlain ? End::kPlain : End::kOther;
}

}  // namespace

Tracer::Tracer(const TracerSettings& settings, raw::Links& links, Next next, Traced traced)
    : settings_(settings), links_(links), next_(std::move(next)), traced_(std::move(traced)), rate_(settings.packets_per_second, 8) {}

Tracer::Trace* Tracer::find(const Target& target) {
  const auto found = traces_.find(target);
  return found == traces_.end() ? nullptr : &found->second;
}

void Tracer::run(const std::function<bool()>& stop) {
  while (!stop()) {
    const TimeNs now = capture::steady_ns();
    while (!all_begun_ && traces_.size() < settings_.at_once && rate_.allows(now)) {
      if (const auto target = next_()) {
        const raw::Way* const way = links_.way_to(target->address);
        if (way == nullptr) continue;  // it was asked before: there is one
        Trace& trace = traces_[*target];
        trace.way = way;
        trace.begun_ns = now;
        ask(*target, trace, now);
      } else {
        all_begun_ = true;
      }
    }
    if (all_begun_ && traces_.empty()) break;
    links_.flush();
    links_.wait(kWaitNs);
    const TimeNs then = capture::steady_ns();
    links_.receive([&](std::span<const std::byte> packet, TimeNs) { take(packet, then); });
    for (auto at = traces_.begin(); at != traces_.end();) {
      auto& [target, trace] = *at;
      bool over = false;
      if (answered(trace)) {
        over = go_on(target, trace, then);
      } else if (trace.due_ns <= then && rate_.allows(then)) {
        if (trace.tries < settings_.tries) {
          ask(target, trace, then);
        } else {
          over = go_on(target, trace, then);
        }
      }
      if (!over) {
        ++at;
        continue;
      }
      locate(trace.report);
      traced_(target, links_.link(*trace.way).failed_since(trace.begun_ns) ? nullptr : &trace.report);
      at = traces_.erase(at);
    }
  }
  end_traces();
}

/// Of an interrupted run. An answer that comes meanwhile gets its RST as ever.
void Tracer::end_traces() {
  TimeNs until = traces_.empty() ? 0 : capture::steady_ns() + kEndingNs;
  auto next = traces_.begin();
  for (TimeNs now = capture::steady_ns(); now < until; now = capture::steady_ns()) {
    const bool unsent = next != traces_.end();
    for (; next != traces_.end() && rate_.allows(now); ++next) {
      const auto& [target, trace] = *next;
      for (const Question question : {Question::kTraceCapable, Question::kTracePlain}) {
        reset(target, trace, question, 0, now);
        if (trace.ttl > 0) reset(target, trace, question, trace.ttl, now);
      }
      if (!trace.join_answered) reset(target, trace, Question::kJoin, 0, now);
    }
    links_.flush();
    if (unsent && next == traces_.end()) until = std::min(until, now + kLateNs);
    links_.wait(kWaitNs);
    links_.receive([&](std::span<const std::byte> packet, TimeNs) { take(packet, now); });
  }
  links_.flush();
}

void Tracer::reset(const Target& target, const Trace& trace, Question question, std::uint32_t offset, TimeNs now) {
  const raw::Cookie cookie = raw::cookie_of(settings_.secret, target, question);
  raw::write_reset({.source = trace.way->source, .data = settings_.data}, target, cookie.port, cookie.seq + offset + 1, packet_);
  links_.send(packet_, *trace.way, target.address, now);
  rate_.spend(now);
}

void Tracer::send(const Target& target, const raw::Way& way, Question question, std::uint8_t ttl, std::uint32_t offset, TimeNs now) {
  raw::write_syn({.source = way.source, .data = settings_.data}, target, settings_.secret, question, packet_, ttl, offset);
  links_.send(packet_, way, target.address, now);
  rate_.spend(now);
}

/// What is not answered yet.
void Tracer::ask(const Target& target, Trace& trace, TimeNs now) {
  ++trace.tries;
  trace.due_ns = now + settings_.timeout_ns;
  if (trace.ttl == 0) {
    if (trace.report.capable_end == End::kSilent) send(target, *trace.way, Question::kTraceCapable, kWholePath, 0, now);
    if (trace.report.control_end == End::kSilent) send(target, *trace.way, Question::kTracePlain, kWholePath, 0, now);
    if (!trace.join_answered) send(target, *trace.way, Question::kJoin, kWholePath, 0, now);
    return;
  }
  const Hop& hop = trace.report.hops.back();
  if (!hop.router) send(target, *trace.way, Question::kTraceCapable, trace.ttl, trace.ttl, now);
  if (!hop.control && !trace.arrived) send(target, *trace.way, Question::kTracePlain, trace.ttl, trace.ttl, now);
}

bool Tracer::answered(const Trace& trace) const {
  if (trace.ttl == 0) return trace.report.capable_end != End::kSilent && trace.report.control_end != End::kSilent && trace.join_answered;
  const Hop& hop = trace.report.hops.back();
  return trace.arrived || (hop.router && hop.control);
}

bool Tracer::go_on(const Target& target, Trace& trace, TimeNs now) {
  auto& hops = trace.report.hops;
  if (trace.ttl > 0) {
    const Hop& hop = hops.back();
    trace.silent = hop.router || hop.control ? 0 : trace.silent + 1;
    if (trace.arrived) hops.pop_back();  // that is the target, no hop
    if (trace.arrived || trace.silent >= kMostSilentHops || trace.ttl >= settings_.most_hops) {
      while (!hops.empty() && !hops.back().router && !hops.back().control) hops.pop_back();
      return true;
    }
  }
  ++trace.ttl;
  trace.tries = 0;
  hops.push_back({.ttl = trace.ttl, .router = {}, .control = {}});
  ask(target, trace, now);
  return false;
}

void Tracer::take(std::span<const std::byte> packet, TimeNs now) {
  wire::decode_ip(packet, static_cast<std::uint32_t>(packet.size()), 0, 0, decoded_);
  if (decoded_.kind == wire::Kind::kTcp && wire::check_tcp_checksum(decoded_) != wire::ChecksumState::kWrong) {
    take_tcp(now);
  } else if (decoded_.kind == wire::Kind::kOtherIp) {
    take_quote(packet);
  }
}

void Tracer::take_tcp(TimeNs now) {
  wire::TcpSegment segment = decoded_.tcp;
  const Target target{.address = decoded_.src, .port = segment.src_port};
  Trace* const trace = find(target);
  Question question{};
  if (trace == nullptr || !raw::question_of(segment.dst_port, question) || !segment.flags.ack()) return;
  const std::uint32_t ack = segment.ack.value;
  const std::uint32_t offset = ack - 1 - raw::cookie_of(settings_.secret, target, question).seq;
  if (offset > kMostHops) return;
  segment.ack = SeqNum{ack - offset};
  const raw::Answer answer = raw::judge(segment, target, settings_.secret, settings_.data.size());
  if (answer.kind == raw::Kind::kForeign) return;
  if (question == Question::kJoin) {
    trace->join_answered = true;
    trace->report.join_reset = answer.kind == raw::Kind::kReset;
  } else if (question == Question::kTraceCapable && offset == 0) {
    trace->report.capable_end = end_of(answer);
  } else if (question == Question::kTracePlain) {
    if (offset == 0) trace->report.control_end = end_of(answer);
    if (offset != 0 && offset == trace->ttl) trace->arrived = true;
  }
  if (answer.kind == raw::Kind::kReset) return;
  raw::write_reset({.source = trace->way->source, .data = settings_.data}, target, segment.dst_port, ack, packet_);
  links_.send(packet_, *trace->way, target.address, now);
  rate_.spend(now);
}

void Tracer::take_quote(std::span<const std::byte> packet) {
  const auto quote = raw::read_icmp_quote(packet);
  if (!quote || !quote->time_exceeded) return;
  const Target target{.address = quote->dst, .port = quote->dst_port};
  Trace* const trace = find(target);
  Question question{};
  if (trace == nullptr || !raw::question_of(quote->src_port, question)) return;
  const raw::Cookie cookie = raw::cookie_of(settings_.secret, target, question);
  const std::uint32_t ttl = quote->seq - cookie.seq;
  if (quote->src_port != cookie.port || ttl == 0 || ttl > trace->report.hops.size()) return;
  Hop& hop = trace->report.hops[ttl - 1];
  if (question == Question::kTraceCapable) {
    hop.router = quote->router;
    hop.quoted = compare_quote(quote->tcp);
  } else if (question == Question::kTracePlain) {
    hop.control = quote->router;
  }
}

}  // namespace weir::probe::trace
