#include "sensor/workers.h"

#include <algorithm>
#include <latch>

#include "capture/signals_blocked.h"

namespace weir::sensor {

Workers::Workers(const WorkerSettings& settings, std::vector<std::unique_ptr<Reports>> reports, const OwnerLimits& owners) : owners_(owners) {
  WorkerSettings each = settings;
  each.workers = reports.size();
  std::vector<Worker*> all;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    each.number = static_cast<engine::ShardId>(i);
    each.engine.shard = static_cast<std::uint32_t>(i);
    each.engine.shards = static_cast<std::uint32_t>(reports.size());
    if (i > 0) each.on_error = nullptr;  // every worker has a ring on each interface: one tells
    workers_.push_back(std::make_unique<Worker>(each, std::move(reports[i]), &owners_));
    all.push_back(workers_.back().get());
  }
  for (auto& worker : workers_) worker->connect(all);
}

void Workers::start() {
  const capture::SignalsBlocked owners;
  for (auto& worker : workers_) threads_.emplace_back([each = worker.get()] { each->run(); });
}

void Workers::ask_all(const std::function<void(Worker&, std::size_t)>& what) {
  if (threads_.empty()) {
    for (std::size_t i = 0; i < workers_.size(); ++i) what(*workers_[i], i);
    return;
  }
  std::latch done(static_cast<std::ptrdiff_t>(workers_.size()));
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->ask([&what, &done, i](Worker& worker) {
      what(worker, i);
      done.count_down();
    });
  }
  done.wait();
}

bool Workers::stop() {
  for (auto& worker : workers_) worker->stop();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  return std::ranges::all_of(workers_, [](const auto& worker) { return worker->written(); });
}

Limits Workers::share_of(Limits limits, std::size_t workers) {
  for (const LimitInfo& limit : kLimitTable) {
    if (limit.field != &Limits::max_connections && limit.field != &Limits::memory_bytes && limit.field != &Limits::hot_streams &&
        limit.field != &Limits::saved_copies_bytes)
      continue;
    limits.*limit.field = std::max(limits.*limit.field / static_cast<std::int64_t>(workers), limit.lowest);
  }
  return limits;
}

}  // namespace weir::sensor
