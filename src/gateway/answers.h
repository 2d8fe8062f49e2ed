// Answers to what an operator asks, gathered from all shards.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gateway/control.h"
#include "gateway/worker.h"

namespace weir::gateway {

/// Why a reload was not done.
struct ReloadFailure {
  std::vector<std::string> said;  ///< "FILE:LINE: WHY" and the like, for people
  std::uint64_t left_out = 0;     ///< of these, for want of room
};

/// What answers are made of.
struct AnswerSources {
  std::function<void(const std::function<void(Worker&)>&)> ask_all;  ///< each worker in turn
  std::function<std::expected<void, ReloadFailure>()> reload;
  std::function<std::string()> status;  ///< JSON
  std::function<void(bool)> drain;      ///< begin, or take in again
  std::function<TimeNs()> wall_clock;
};

/// Purpose: carries out a command. Workers are asked for little at a time, and decide packets in between. Limits: kAtOnce connections at once of a worker,
/// kPageBytes of a list; what does not fit is on the next page. One owner, one thread.
class Answers {
 public:
  static constexpr std::size_t kAtOnce = 64;
  static constexpr std::size_t kPageBytes = 4 << 20;

  explicit Answers(AnswerSources sources) : sources_(std::move(sources)) {}

  Answer operator()(const Command& command);

 private:
  Answer list(const Command& command);
  Answer connection(std::uint64_t number);
  Answer reload();
  Answer cut(std::uint64_t number, std::optional<std::uint32_t> subflow);

  AnswerSources sources_;
};

}  // namespace weir::gateway
