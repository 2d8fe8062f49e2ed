#include "sensor/worker.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>

#include "capture/clock.h"
#include "track/flow_table.h"

namespace weir::sensor {
namespace {

constexpr TimeNs kSecond = 1'000'000'000;

constexpr int kTickMs = 50;
constexpr int kWaitingTickMs = 2;                    ///< while packets wait for earlier ones
constexpr int kHeldTickMs = 20;                      ///< while frames are held back for what may complete a datagram
constexpr std::chrono::milliseconds kRingHolds(20);  ///< a ring gives a block that is not full after less than this
constexpr std::size_t kLastBatches = 1 << 16;        ///< of a source that goes
constexpr unsigned kLookRounds = 16;                 ///< of batches between two looks at what waits for its shard
constexpr TimeNs kFlush = kSecond / 10;              ///< an alert is on its way to the log within this time
constexpr TimeNs kSettle = kSecond / 2;              ///< how far behind the clock time is taken to be without packets: longer than a ring holds one back

}  // namespace

/// A token that stayed behind would lead the JOINs of a later connection with the same one astray; flows make room for others. Flows in
/// tunnels and at other points of a NAT go by their age.
class Worker::Forgetter : public engine::Observer {
 public:
  Forgetter(SharedOwners& owners, engine::ShardId shard, std::uint64_t hash_seed) : owners_(owners), shard_(shard), hash_seed_(hash_seed) {}

  void on_connection(const engine::ConnectionRecord& record) override {
    for (const engine::SubflowRecord& f : record.subflows) {
      const Endpoints& e = f.endpoints;
      owners_.forget(engine::OwnerSpace::kFlow, track::hash_flow(e.src, e.src_port, e.dst, e.dst_port, 0, hash_seed_), shard_);
    }
    // "3f0c11aa-9be2d004": the tokens (CONTRACT.md, mptcp.id); others have none.
    const std::string_view id = record.info.id;
    if (id.size() != 17 || id[8] != '-') return;
    for (const std::size_t at : {0, 9}) {
      std::uint32_t token = 0;
      if (std::from_chars(id.data() + at, id.data() + at + 8, token, 16).ec == std::errc()) owners_.forget(engine::OwnerSpace::kToken, token, shard_);
    }
  }

 private:
  SharedOwners& owners_;
  engine::ShardId shard_;
  std::uint64_t hash_seed_;
};

Worker::Worker(const WorkerSettings& settings, std::unique_ptr<Reports> reports, SharedOwners* owners)
    : settings_(settings),
      reports_(std::move(reports)),
      inspection_(settings.inspection, reports_->observer()),
      engine_(settings.engine, inspection_),
      pushed_(settings.workers, false),
      event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (settings.workers == 1) return;
  forgetter_ = std::make_unique<Forgetter>(*owners, settings.number, settings.engine.hash_seed);
  reports_->tell_too(*forgetter_);
  dispatcher_.emplace(engine::DispatchSettings{.self = settings.number,
                                               .all_tcp = settings.engine.all_tcp,
                                               .several_points = settings.engine.several_points,
                                               .hash_seed = settings.engine.hash_seed},
                      *owners, static_cast<engine::Dispatcher::Sink&>(*this));
  for (std::size_t from = 0; from < settings.workers; ++from) {
    queues_.push_back(from == settings.number ? nullptr : std::make_unique<PacketQueue>(settings.queue_bytes));
  }
}

Worker::~Worker() {
  if (event_ >= 0) ::close(event_);
}

void Worker::run() {
  TimeNs flushed = capture::steady_ns(), held_since = 0;
  unsigned rounds = 0;
  while (!stop_.load(std::memory_order_acquire)) {
    // The clock may be set back, and an interface's may be ahead: nothing is held longer than twice its time.
    const bool held_long = held_since != 0 && capture::steady_ns() - held_since > 2 * settings_.hold_ns;
    bool any = take_sources(held_long ? kAll : settled(settings_.clock()));
    if (any || !waiting_) held_since = 0;
    if (waiting_ && held_since == 0) held_since = capture::steady_ns();
    any = take_queues() || any;
    if (asked_any_.load(std::memory_order_acquire)) run_asked();
    if (!any) wait();
    const TimeNs time = settings_.clock();
    if (dispatcher_ && (!any || ++rounds % kLookRounds == 0)) {
      dispatcher_->advance(any ? 0 : time - kSettle);
      settle();
    }
    if (!any) reports_wait_ = reports_->advance(time);
    if (!any) engine_.advance(time - kSettle);  // else packets that wait in a ring would come from a time that is over
    if (capture::steady_ns() - flushed >= kFlush) {
      reports_->flush();
      flushed = capture::steady_ns();
    }
  }
  drain();
  reports_->input_ended();
  engine_.finish();
  written_ = reports_->close();
}

/// The source whose next packet is the earliest, if no other can give an earlier one any more: each has one, or it is from before `until`.
Worker::Source* Worker::earliest(TimeNs until) {
  Source* first = nullptr;
  bool all = true;
  for (const auto& source : sources_) {
    if (source->empty()) {
      all = false;
    } else if (first == nullptr || source->batch[source->at].time_ns < first->batch[first->at].time_ns) {
      first = source.get();
    }
  }
  if (first == nullptr || all || first->batch[first->at].time_ns <= until) return first;
  waiting_ = true;
  return nullptr;
}

/// A batch of all sources, in the order of the packets' times; false: there was none. Interfaces give their packets in blocks of some milliseconds:
/// what a contradiction on two paths comes to hangs on which came first. Of several workers each does so for itself; what one hands to
/// another comes a moment later.
bool Worker::take_sources(TimeNs until) {
  waiting_ = false;
  if (settings_.hold_ns == 0) {
    bool any = false;
    for (const auto& source : sources_) {
      source->fill();
      if (source->empty()) continue;
      any = true;
      take(source->take_rest());
    }
    return any;
  }
  for (const auto& source : sources_) source->fill();
  std::size_t count = 0;
  while (count < packets_.size()) {
    Source* const source = earliest(until);
    if (source == nullptr) break;
    packets_[count++] = source->batch[source->at++];
    if (source->empty()) break;  // it may have more at once: asked before others go on
  }
  if (count == 0) return false;
  take(std::span(packets_).first(count));
  return true;
}

void Worker::take(std::span<const RawPacket> batch) {
  if (!dispatcher_) return reports_->feed(engine_, batch);
  for (const RawPacket& packet : batch) dispatcher_->take(packet);
  settle();
}

void Worker::pass(const RawPacket& packet, engine::ShardId shard) {
  if (shard == settings_.number) {
    if (own_count_ == own_.size()) settle();
    own_[own_count_++] = packet;
    return;
  }
  if (all_[shard]->queues_[settings_.number]->push(packet)) {
    ++queued_;
    pushed_[shard] = true;
  } else {
    ++queue_drops_;
  }
}

void Worker::settle() {
  if (own_count_ > 0) {
    const auto batch = std::span(own_).first(own_count_);
    own_count_ = 0;
    reports_->feed(engine_, batch);
  }
  for (std::size_t shard = 0; shard < pushed_.size(); ++shard) {
    if (!pushed_[shard]) continue;
    pushed_[shard] = false;
    // In one order with the end of the queue: see PacketQueue::push.
    if (all_[shard]->sleeping_.exchange(false, std::memory_order_seq_cst)) all_[shard]->wake();
  }
}

bool Worker::take_queues() {
  bool any = false;
  for (const auto& queue : queues_) {
    if (!queue) continue;
    const std::size_t count = queue->take(packets_);
    if (count == 0) continue;
    any = true;
    reports_->feed(engine_, std::span(packets_).first(count));
  }
  return any;
}

bool Worker::queues_empty() const {
  return std::ranges::all_of(queues_, [](const auto& queue) { return !queue || queue->empty(); });
}

void Worker::wait() {
  polled_.clear();
  polled_.push_back({event_, POLLIN, 0});
  // Rings whose packets wait are ready all the time.
  for (const auto& source : sources_) polled_.push_back({source->packets->descriptor(), static_cast<short>(waiting_ ? 0 : POLLIN), 0});
  sleeping_.store(true, std::memory_order_seq_cst);
  const bool still_nothing = queues_empty() && !asked_any_.load(std::memory_order_seq_cst) && !stop_.load(std::memory_order_seq_cst);
  ::poll(polled_.data(), polled_.size(), !still_nothing ? 0 : waiting_ ? kWaitingTickMs : reports_wait_ ? kHeldTickMs : kTickMs);
  sleeping_.store(false, std::memory_order_seq_cst);
  if ((polled_[0].revents & POLLIN) != 0) {
    std::uint64_t count = 0;
    (void)!::read(event_, &count, sizeof count);
  }
  // An error is told once; while it stands, poll() does not wait.
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if ((polled_[i + 1].revents & POLLERR) == 0) continue;
    if (const int error = sources_[i]->packets->take_error(); error != 0 && settings_.on_error) settings_.on_error(sources_[i]->number, error);
  }
}

/// What the rings hold when the end is asked for, bounded, since traffic may never stop; then what the others had for this shard.
void Worker::drain() {
  const TimeNs until = capture::steady_ns() + settings_.drain_ns;
  while (capture::steady_ns() < until && take_sources(settled(settings_.clock()))) take_queues();
  std::this_thread::sleep_for(kRingHolds);
  while (capture::steady_ns() < until && take_sources(kAll)) take_queues();
  if (dispatcher_) dispatcher_->finish();
  settle();
  drained_.store(true, std::memory_order_release);
  const auto all_drained = [&] { return std::ranges::all_of(all_, [](const Worker* each) { return each->drained_.load(std::memory_order_acquire); }); };
  while (!all_drained()) {
    if (!take_queues()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  while (take_queues()) {
  }
  run_asked();
}

void Worker::stop() {
  stop_.store(true, std::memory_order_seq_cst);
  wake();
}

void Worker::wake() {
  const std::uint64_t one = 1;
  (void)!::write(event_, &one, sizeof one);
}

void Worker::ask(std::function<void(Worker&)> what) {
  {
    const std::scoped_lock lock(asked_mutex_);
    asked_.push_back(std::move(what));
  }
  asked_any_.store(true, std::memory_order_seq_cst);
  wake();
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

void Worker::add(std::size_t source, PointId point, std::unique_ptr<capture::PacketSource> packets) {
  sources_.push_back(std::make_unique<Source>(Source{.number = source, .point = point, .packets = std::move(packets)}));
}

std::unique_ptr<capture::PacketSource> Worker::remove(std::size_t source) {
  const auto found = std::ranges::find_if(sources_, [&](const auto& each) { return each->number == source; });
  if (found == sources_.end()) return nullptr;
  Source& going = **found;
  // What its ring still holds, bounded: nothing new comes to it.
  for (std::size_t batches = 0; batches < kLastBatches; ++batches) {
    going.fill();
    if (going.empty()) break;
    take(going.take_rest());
  }
  auto packets = std::move((*found)->packets);
  sources_.erase(found);
  return packets;
}

capture::LiveCounters Worker::source_counters(std::size_t source) {
  const auto found = std::ranges::find_if(sources_, [&](const auto& each) { return each->number == source; });
  return found == sources_.end() ? capture::LiveCounters{} : (*found)->packets->counters();
}

WorkerCounters Worker::counters() {
  WorkerCounters all{.engine = engine_.counters(), .named = inspection_.counters()};
  for (const auto& counter : reports_->counters()) all.named.push_back(counter);
  if (!dispatcher_) return all;
  for (const auto& info : engine::kCounterTable) all.engine.*info.field += dispatcher_->skipped().*info.field;
  const engine::DispatchCounters& dispatch = dispatcher_->counters();
  all.named.emplace_back("capture.shard_drops", queue_drops_);
  all.named.emplace_back("capture.shard_packets", queued_);
  all.named.emplace_back("capture.not_for_shards", dispatch.skipped);
  all.named.emplace_back("capture.held_packets", dispatch.held);
  all.named.emplace_back("capture.held_unclaimed", dispatch.hold_ended);
  all.named.emplace_back("capture.held_too_many", dispatch.hold_pushed);
  return all;
}

}  // namespace weir::sensor
