#include "gateway/workers.h"

namespace weir::gateway {

Workers::Workers(unsigned shards, std::size_t most_limited)
    : shards_(shards), directory_(shards > 1 ? std::make_unique<Directory>() : nullptr), joins_(std::make_shared<SharedJoins>(most_limited, most_limited)) {}

void Workers::add(WorkerSettings settings, std::shared_ptr<const decide::Policy> policy, Surroundings surroundings, std::unique_ptr<Reports> reports,
                  WorkerQueues queues, std::unique_ptr<RawSender> sender) {
  const auto number = static_cast<unsigned>(workers_.size());
  settings.core.shard = number;
  settings.core.shards = shards_;
  settings.engine.shard = number;
  settings.engine.shards = shards_;
  workers_.push_back(std::make_unique<Worker>(settings, std::move(policy), std::move(surroundings), std::move(reports), std::move(queues), std::move(sender)));
  Core& core = workers_.back()->core();
  core.use(joins_);
  if (directory_) core.use(*directory_);
}

void Workers::start() {
  for (const auto& worker : workers_) worker->start();
}

void Workers::ask_all(const std::function<void(Worker&)>& what) {
  for (const auto& worker : workers_) worker->ask(what);
}

bool Workers::stop() {
  bool whole = true;
  for (const auto& worker : workers_) whole = worker->stop() && whole;
  return whole;
}

std::vector<std::pair<std::string_view, std::uint64_t>> Workers::counters() {
  std::vector<std::pair<std::string_view, std::uint64_t>> all = {{"gateway.workers", workers_.size()}};
  if (directory_) {
    all.emplace_back("gateway.directory.tokens", directory_->tokens());
    all.emplace_back("gateway.directory.flows", directory_->flows());
    all.emplace_back("gateway.directory.evicted", directory_->evicted());
  }
  return all;
}

}  // namespace weir::gateway
