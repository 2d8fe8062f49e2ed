#include "probe/raw/prober.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "capture/clock.h"
#include "probe/raw/icmp_quote.h"

namespace weir::probe::raw {
namespace {

constexpr TimeNs kLongestWaitNs = 10'000'000;  // until `stop` is asked again
constexpr double kBurst = 128;                 // packets: two batches
constexpr double kNetworkBurst = 4;
constexpr TimeNs kEndingNs = 2'000'000'000;  // for the RSTs of an interrupted run
constexpr TimeNs kLateNs = 200'000'000;      // of it: behind the last of them, for answers on their way
constexpr unsigned kBegunAtOnce = 64;        // before answers are looked at again

bool carries_data(Step step) { return step == Step::kDataV1 || step == Step::kDataV0; }

/// Of a step with what ends it, which does not wait.
unsigned packets_of(Step step) {
  switch (step) {
    case Step::kDataV0:
      return 3;  // third ACK, data, RST
    case Step::kSynV1:
      return 1;  // most addresses are silent: an RST is counted with the step behind it
    default:
      return 2;
  }
}

}  // namespace

Prober::Prober(const ProberSettings& settings, Links& links, Next next, Found found)
    : settings_(settings),
      links_(links),
      next_(std::move(next)),
      found_(std::move(found)),
      rate_(settings.packets_per_second, std::min(kBurst, settings.packets_per_second / 50 + 1)),
      networks_(settings.network_packets_per_second, kNetworkBurst) {}

std::uint64_t Prober::hash_of(const Target& target) const {
  return track::hash_flow(target.address, target.port, IpAddress{}, 0, 0, settings_.secret.low ^ settings_.secret.high);
}

std::uint32_t* Prober::find(const Target& target) {
  std::uint32_t* const found = by_target_.find(hash_of(target));
  return found != nullptr && flights_[*found].numbered.target == target ? found : nullptr;
}

std::vector<std::uint64_t> Prober::unfinished() const {
  std::vector<std::uint64_t> numbers;
  for (const Flight& flight : flights_)
    if (flight.used) numbers.push_back(flight.numbered.number);
  return numbers;
}

void Prober::run(const std::function<bool()>& stop) {
  while (!stop() && !(all_begun_ && in_flight_ == 0)) {
    TimeNs now = capture::steady_ns();
    bool busy = links_.receive([&](std::span<const std::byte> packet, TimeNs received_ns) { take(packet, received_ns, now); });
    now = capture::steady_ns();
    busy |= pass_timers(now);
    busy |= begin_targets(now);
    links_.flush();
    if (busy) continue;
    const TimeNs wait = std::clamp<TimeNs>(next_due() - capture::steady_ns(), 0, kLongestWaitNs);
    links_.wait(wait);
  }
  end_flights();
}

/// Of an interrupted run: every handshake that may stand open gets its RST: first those that have answered, then what was asked last.
/// An answer that comes meanwhile is one to a question that is over.
void Prober::end_flights() {
  ending_ = true;
  std::vector<const Flight*> open;
  for (const Flight& flight : flights_)
    if (flight.used && flight.packets > 0) open.push_back(&flight);
  std::ranges::sort(open, std::greater<>(), [](const Flight* f) { return std::pair(carries_data(f->conversation.step), f->last_ns); });
  TimeNs until = open.empty() ? 0 : capture::steady_ns() + kEndingNs;
  std::size_t next = 0;
  for (TimeNs now = capture::steady_ns(); now < until; now = capture::steady_ns()) {
    const bool more = links_.receive([&](std::span<const std::byte> packet, TimeNs received_ns) { take(packet, received_ns, now); });
    const bool unsent = next < open.size();
    for (unsigned sent = 0; next < open.size() && sent < kBegunAtOnce && rate_.allows(now); ++sent) end_flight(*open[next++], now);
    links_.flush();
    if (unsent && next == open.size()) until = std::min(until, now + kLateNs);
    const TimeNs due = next < open.size() ? rate_.next_ns() : until;
    if (!more) links_.wait(std::clamp<TimeNs>(due - capture::steady_ns(), 0, kLongestWaitNs));
  }
  counters_.not_ended = open.size() - next;
  links_.flush();
}

void Prober::end_flight(const Flight& flight, TimeNs now) {
  const Target& target = flight.numbered.target;
  const Question question = question_for(flight.conversation.step);
  const Cookie cookie = cookie_of(settings_.secret, target, question);
  write_reset(from(*flight.way), target, cookie.port, cookie.seq + 1, packet_);
  emit(*flight.way, target, now);
  if (!carries_data(flight.conversation.step)) return;
  // Whether the server has our data is not known: one of the two is in order.
  write_close(from(*flight.way), target, settings_.secret, question, flight.conversation.server, packet_);
  emit(*flight.way, target, now);
}

TimeNs Prober::next_due() const {
  TimeNs due = std::numeric_limits<TimeNs>::max() / 2;
  if (!timeouts_.empty()) due = std::min(due, timeouts_.front().due_ns);
  if (!postponed_.empty()) due = std::min(due, postponed_.top().due_ns);
  if (!all_begun_ && in_flight_ < settings_.in_flight) return rate_.next_ns();
  return std::max(due, rate_.next_ns());
}

/// True: there may be more at once.
bool Prober::begin_targets(TimeNs now) {
  unsigned begun = 0;
  while (!all_begun_ && begun < kBegunAtOnce && in_flight_ < settings_.in_flight && rate_.allows(now)) {
    const auto numbered = next_();
    if (!numbered) {
      all_begun_ = true;
      break;
    }
    ++begun;
    ++counters_.targets;
    const Way* const way = links_.way_to(numbered->target.address);
    if (way == nullptr) {
      Finding finding;
      finding.target = numbered->target;
      finding.evidence.no_route = true;
      found_(*numbered, finding);
      ++counters_.findings;
      continue;
    }
    std::uint32_t flight = 0;
    if (free_.empty()) {
      flight = static_cast<std::uint32_t>(flights_.size());
      flights_.emplace_back();
    } else {
      flight = free_.back();
      free_.pop_back();
    }
    Flight& f = flights_[flight];
    f = Flight{.numbered = *numbered, .way = way, .conversation = {}, .turn = f.turn + 1, .used = true};
    by_target_.at(hash_of(numbered->target)) = flight;
    ++in_flight_;
    ask(flight, now);
  }
  return begun == kBegunAtOnce;
}

bool Prober::pass_timers(TimeNs now) {
  unsigned fired = 0;
  while (fired < kBegunAtOnce && rate_.allows(now)) {
    Timer timer;
    if (!postponed_.empty() && postponed_.top().due_ns <= now) {
      timer = postponed_.top();
      postponed_.pop();
    } else if (!timeouts_.empty() && timeouts_.front().due_ns <= now) {
      timer = timeouts_.front();
      timeouts_.pop_front();
    } else {
      return false;
    }
    if (!flights_[timer.flight].used || flights_[timer.flight].turn != timer.turn) continue;
    ++fired;
    fire(timer, now);
  }
  return fired == kBegunAtOnce;
}

void Prober::fire(const Timer& timer, TimeNs now) {
  if (timer.send) {
    send_step(timer.flight, now);
  } else {
    act(timer.flight, on_timeout(flights_[timer.flight].conversation, settings_.tries), nullptr, now);
  }
}

void Prober::emit(const Way& way, const Target& target, TimeNs now) {
  links_.send(packet_, way, target.address, now);
  rate_.spend(now);
  ++counters_.packets;
}

/// What the step says goes now, or when the target's network may have it.
void Prober::ask(std::uint32_t flight, TimeNs now) {
  Flight& f = flights_[flight];
  ++f.turn;
  const TimeNs due = networks_.reserve(f.numbered.target.address, now, packets_of(f.conversation.step));
  if (due <= now) return send_step(flight, now);
  postponed_.push({.due_ns = due, .flight = flight, .turn = f.turn, .send = true});
}

void Prober::send_step(std::uint32_t flight, TimeNs now) {
  Flight& f = flights_[flight];
  const Target& target = f.numbered.target;
  const Identity from = this->from(*f.way);
  const Step step = f.conversation.step;
  if (carries_data(step)) {
    if (step == Step::kDataV0) {
      write_third_ack(from, target, settings_.secret, f.conversation.server, packet_);
      emit(*f.way, target, now);
      ++f.packets;
    }
    write_data(from, target, settings_.secret, question_for(step), f.conversation.server, packet_);
  } else {
    write_syn(from, target, settings_.secret, question_for(step), packet_);
  }
  emit(*f.way, target, now);
  if (f.packets++ == 0) f.first_ns = now;
  f.last_ns = now;
  timeouts_.push_back({.due_ns = now + settings_.timeout_ns, .flight = flight, .turn = f.turn});
}

void Prober::act(std::uint32_t flight, const Move& move, const Answer* answer, TimeNs now) {
  Flight& f = flights_[flight];
  const Target target = f.numbered.target;
  if (move.reset && answer != nullptr) {
    const Cookie cookie = cookie_of(settings_.secret, target, answer->question);
    write_reset(from(*f.way), target, cookie.port, cookie.seq + 1, packet_);
    emit(*f.way, target, now);
    ++f.packets;
  }
  if (move.close) {
    write_close(from(*f.way), target, settings_.secret, move.closes, f.conversation.server, packet_);
    emit(*f.way, target, now);
    ++f.packets;
  }
  if (move.kind == Move::Kind::kFinish) return finish(flight, move.verdict);
  if (move.kind == Move::Kind::kSend) ask(flight, now);
}

void Prober::finish(std::uint32_t flight, Verdict verdict) {
  Flight& f = flights_[flight];
  Evidence& evidence = f.conversation.evidence;
  verdict = with_icmp(verdict, evidence);
  // Silence tells nothing of a target whose interface was down meanwhile.
  if ((verdict == Verdict::kTimeout || verdict == Verdict::kInconclusive) && !evidence.no_route && links_.link(*f.way).failed_since(f.first_ns)) {
    verdict = Verdict::kInconclusive;
    evidence.not_sent = true;
    ++counters_.not_sent;
  }
  const Finding finding{.target = f.numbered.target, .verdict = verdict, .evidence = evidence, .rtt_ns = f.rtt_ns, .packets = f.packets};
  by_target_.erase(hash_of(f.numbered.target));
  f.used = false;
  free_.push_back(flight);
  --in_flight_;
  ++counters_.findings;
  found_(f.numbered, finding);
}

void Prober::take(std::span<const std::byte> packet, TimeNs received_ns, TimeNs now) {
  wire::decode_ip(packet, static_cast<std::uint32_t>(packet.size()), 0, 0, decoded_);
  if (decoded_.kind == wire::Kind::kTcp) {
    if (wire::check_tcp_checksum(decoded_) == wire::ChecksumState::kWrong) {
      ++counters_.broken;
      return;
    }
    take_tcp(received_ns, now);
  } else if (decoded_.kind == wire::Kind::kOtherIp) {
    take_icmp(packet);
  } else {
    ++counters_.broken;
  }
}

void Prober::take_tcp(TimeNs received_ns, TimeNs now) {
  const wire::TcpSegment& segment = decoded_.tcp;
  const Target target{.address = decoded_.src, .port = segment.src_port};
  const Way* const way = links_.way_to(target.address);
  if (way == nullptr || decoded_.dst != way->source) return;
  const Answer answer = judge(segment, target, settings_.secret, settings_.data.size());
  if (answer.kind == Kind::kForeign) {
    ++counters_.foreign;
    return;
  }
  ++counters_.answers;
  std::uint32_t* const flight = ending_ ? nullptr : find(target);
  if (flight != nullptr) {
    Flight& f = flights_[*flight];
    if (f.packets == 1 && f.rtt_ns == 0) f.rtt_ns = std::max<TimeNs>(received_ns - f.first_ns, 1);
    const Move move = on_answer(f.conversation, answer);
    const bool late = move.kind == Move::Kind::kWait && answer.question != question_for(f.conversation.step);
    if (!late) return act(*flight, move, &answer, now);
  }
  // To a question that is over: what the server holds for it ends here.
  if (answer.kind == Kind::kReset) return;
  write_reset(from(*way), target, segment.dst_port, segment.ack.value, packet_);
  emit(*way, target, now);
}

void Prober::take_icmp(std::span<const std::byte> packet) {
  const auto quote = read_icmp_quote(packet);
  if (!quote || !quote->unreachable) return;
  Question question{};
  if (!question_of(quote->src_port, question)) return;
  const Target target{.address = quote->dst, .port = quote->dst_port};
  const Cookie cookie = cookie_of(settings_.secret, target, question);
  if (cookie.port != quote->src_port || cookie.seq != quote->seq) return;
  if (std::uint32_t* const flight = find(target)) {
    flights_[*flight].conversation.evidence.icmp_type = quote->type;
    flights_[*flight].conversation.evidence.icmp_code = quote->code;
  }
}

}  // namespace weir::probe::raw
