#include "gateway/worker.h"

#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <latch>

#include "capture/signals_blocked.h"

namespace weir::gateway {
namespace {

constexpr TimeNs kSecond = 1'000'000'000;
constexpr TimeNs kFlush = kSecond / 10;
constexpr TimeNs kDrain = kSecond / 2;  ///< for what waits in the queues when the end is asked for
constexpr int kTickMs = 50;
constexpr TimeNs kNamesStay = kSecond;  ///< an interface may be renamed
constexpr std::size_t kMostNames = 4'096;

capture::PacketVerdict verdict_of(const Outcome& outcome) {
  constexpr std::array kVerdicts = {capture::Verdict::kDrop, capture::Verdict::kAccept, capture::Verdict::kRepeat};
  return {.verdict = kVerdicts[static_cast<std::size_t>(outcome.what)], .mark = outcome.mark, .changed = outcome.changed};
}

}  // namespace

Worker::Worker(const WorkerSettings& settings, std::shared_ptr<const decide::Policy> policy, Surroundings surroundings, std::unique_ptr<Reports> reports,
               WorkerQueues queues, std::unique_ptr<RawSender> sender)
    : settings_(settings),
      reports_(std::move(reports)),
      queues_(std::move(queues)),
      sender_(std::move(sender)),
      inspection_(settings.inspection, reports_->observer()),
      core_(settings.core, std::move(policy), std::move(surroundings), *this, inspection_),
      engine_(settings.engine, core_),
      marks_(settings.core.marks.mask()),
      own_({.follows = [this](const Endpoints& flow) { return marks_.follows(flow); },
            .as_sent = [this](const Endpoints& flow) { return marks_.as_sent(flow); },
            .mark = [this](const Endpoints& flow, std::uint32_t value,
                           bool half_open) { half_open ? marks_.set_opening(flow, value) : marks_.set(flow, value); },
            .send = [this](std::span<const std::byte> packet, bool past) { sender_->send(packet, past); }}),
      event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  core_.use(engine_);
  if (settings.core.prevent) inspection_.prevent(engine_);
}

Worker::~Worker() {
  stop();
  if (event_ >= 0) ::close(event_);
}

void Worker::start() {
  const capture::SignalsBlocked owners;
  thread_ = std::thread([this] { run(); });
}

bool Worker::stop() {
  if (!thread_.joinable()) return written_;
  stop_.store(true, std::memory_order_release);
  wake();
  thread_.join();
  return written_;
}

void Worker::run() {
  TimeNs flushed = settings_.clock();
  while (!stop_.load(std::memory_order_acquire)) {
    const TimeNs now = settings_.clock();
    bool any = false;
    for (const auto& queue : queues_) any = (!resting_ && take(*queue, now)) || any;
    if (asked_any_.load(std::memory_order_acquire)) run_asked();
    core_.advance(now);
    send_own(now);
    if (!any) engine_.advance(now);
    if (now - flushed >= kFlush || now < flushed) {
      reports_->flush();
      flushed = now;
    }
    if (!any) wait();
  }
  const TimeNs until = settings_.clock() + kDrain;
  for (bool any = !resting_; any && settings_.clock() < until;) {
    any = false;
    for (const auto& queue : queues_) any = take(*queue, settings_.clock()) || any;
  }
  run_asked();
  queues_.clear();
  reports_->input_ended();
  engine_.finish();
  written_ = reports_->close();
}

bool Worker::take(capture::NfQueue& queue, TimeNs now) {
  if (now - names_since_ > kNamesStay || interface_names_.size() > kMostNames) {
    interface_names_.clear();
    names_since_ = now;
  }
  const auto packets = queue.next_batch(now);
  for (const capture::QueuedPacket& queued : packets) {
    const Packet packet{.raw = queued.raw,
                        .mark = queued.mark,
                        .interface_in = interface_name(queued.interface_in),
                        .interface_out = interface_name(queued.interface_out),
                        .as_sent = queued.as_sent,
                        .before_routing = queued.before_routing};
    queue.verdict(queued.id, verdict_of(core_.take(packet)));
  }
  queue.flush();
  send_own(now);
  return !packets.empty();
}

/// What the kernel still holds goes first.
void Worker::send_own(TimeNs now) {
  if (!own_.empty()) {
    for (const auto& queue : queues_) queue->settle();
  }
  own_.go(now);
}

std::string_view Worker::interface_name(std::uint32_t number) {
  if (number == 0) return {};
  if (const auto known = interface_names_.find(number); known != interface_names_.end()) return known->second;
  std::array<char, IF_NAMESIZE> name{};
  ::if_indextoname(number, name.data());
  return interface_names_.emplace(number, name.data()).first->second;
}

void Worker::wait() {
  std::array<pollfd, 1 + WorkerQueues::static_capacity> polled{};
  std::size_t count = 0;
  polled[count++] = {event_, POLLIN, 0};
  for (const auto& queue : queues_) polled[count++] = {queue->descriptor(), POLLIN, 0};
  ::poll(polled.data(), count, kTickMs);
  if ((polled[0].revents & POLLIN) != 0) {
    std::uint64_t number = 0;
    (void)!::read(event_, &number, sizeof number);
  }
}

void Worker::wake() const {
  const std::uint64_t one = 1;
  (void)!::write(event_, &one, sizeof one);
}

void Worker::ask(const std::function<void(Worker&)>& what) {
  if (!thread_.joinable()) return what(*this);
  std::latch done(1);
  {
    const std::scoped_lock lock(asked_mutex_);
    asked_.emplace_back([&](Worker& worker) {
      what(worker);
      done.count_down();
    });
  }
  asked_any_.store(true, std::memory_order_release);
  wake();
  done.wait();
}

void Worker::run_asked() {
  std::vector<std::function<void(Worker&)>> asked;
  {
    const std::scoped_lock lock(asked_mutex_);
    asked.swap(asked_);
    asked_any_.store(false, std::memory_order_relaxed);
  }
  for (const auto& each : asked) each(*this);
}

WorkerCounters Worker::counters() {
  WorkerCounters all{.engine = engine_.counters(), .named = inspection_.counters(), .queue = {}};
  for (const auto& counter : reports_->counters()) all.named.push_back(counter);
  for (const auto& queue : queues_) {
    const capture::NfQueueCounters more = queue->counters();
    all.queue.packets += more.packets;
    all.queue.bytes += more.bytes;
    all.queue.overflows += more.overflows;
    all.queue.cut += more.cut;
    all.queue.verdict_errors += more.verdict_errors;
    all.queue.queue_dropped += more.queue_dropped;
    all.queue.user_dropped += more.user_dropped;
    all.queue.waiting += more.waiting;
  }
  const CoreCounters& core = core_.counters();
  const auto add = [&](std::string_view name, std::uint64_t value) { all.named.emplace_back(name, value); };
  add("gateway.allowed", core.allowed);
  add("gateway.inspected", core.inspected);
  add("gateway.stripped", core.stripped);
  add("gateway.reset", core.reset);
  add("gateway.proxied", core.proxied);
  add("gateway.drained", core.drained);
  add("gateway.connections", core_.remembered());
  add("gateway.joins_refused", core.joins_refused);
  add("gateway.add_addr_dropped", core.add_addr_dropped);
  add("gateway.packets_dropped", core.dropped);
  add("gateway.packets_changed", core.changed);
  add("gateway.packets_unchangeable", core.unchangeable);
  add("gateway.blocked_connections", core.blocked_connections);
  add("gateway.closing", core_.closing());
  add("gateway.closing_sent", core.closing_sent);
  add("gateway.closing_in_place", core.closing_in_place);
  add("gateway.closing_given_up", core_.closing_counters().given_up);
  add("gateway.closing_forgotten", core_.closing_counters().forgotten);
  add("gateway.asked", core.asked);
  add("gateway.decisions_evicted", core.decisions_evicted);
  add("gateway.unseen_path", core.unseen_path);
  add("gateway.offloaded", core.offloaded);
  add("gateway.unfollowed", core.unfollowed);
  add("gateway.marks_set", marks_.set_count());
  add("gateway.marks_failed", marks_.failed_count());
  add("gateway.marks_denied", marks_.denied_count());
  add("gateway.steered", core.steered);
  add("gateway.told_by_kernel", core.told_by_kernel);
  add("gateway.forgotten_early", core.forgotten_early);
  add("gateway.marks_early", own_.counters().marks_early);
  add("gateway.conntrack_put_off", own_.counters().put_off);
  add("gateway.own_packets_astray", own_.counters().astray);
  add("gateway.own_packets_dropped", own_.counters().dropped);
  add("gateway.own_packets", sender_->sent());
  add("gateway.own_packets_failed", sender_->failed());
  static constexpr auto kRefused = [] {
    std::array<engine::Refusal, engine::kRefusalNames.size()> all_of{};
    for (std::size_t i = 0; i < all_of.size(); ++i) all_of[i] = static_cast<engine::Refusal>(i);
    return all_of;
  }();
  // "gateway.refused.NAME" lives as long as the program.
  static const auto kNames = [] {
    std::vector<std::string> names;
    for (const engine::Refusal each : kRefused) names.push_back("gateway.refused." + std::string(name_of(each)));
    return names;
  }();
  for (std::size_t i = 1; i < kRefused.size(); ++i) add(kNames[i], engine_.refused(kRefused[i]));
  return all;
}

}  // namespace weir::gateway
