// Running connections kept in a file while the gateway runs, and taken over when it starts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/raw_packet.h"
#include "gateway/address_nat.h"
#include "gateway/worker.h"
#include "report/problem.h"

namespace weir::gateway {

/// Purpose: asks each worker in turn for its octets, and writes them beside the packets' way. Invariant: the file is whole at every moment; nothing of it is
/// ever told. Taking the octets down holds up a worker's packets: it is done so rarely that it costs at most one part in kShare of the time.
/// Ownership: none; workers and NAT outlive it. One owner, one thread.
class StateKeeper {
 public:
  static constexpr TimeNs kShare = 50;
  using AskAll = std::function<void(const std::function<void(Worker&)>&)>;

  /// An empty path: nothing is kept. `nat`: none, if there is no NAT.
  StateKeeper(std::string path, TimeNs every, AskAll ask_all, AddressNat* nat, std::function<TimeNs()> steady)
      : path_(std::move(path)), every_(every), ask_all_(std::move(ask_all)), nat_(nat), steady_(std::move(steady)), next_(steady_() + every_) {}

  /// There is one from now on.
  void use(AddressNat& nat) { nat_ = &nat; }
  /// Before the workers start. The problem, if the file could not be used: then nothing is taken over of what it says.
  std::optional<report::Problem> restore(TimeNs now);
  std::size_t restored() const { return restored_; }
  /// When it is time for it. A problem is told once, until it is over.
  std::optional<report::Problem> keep();
  /// Whether it is time for it or not.
  std::optional<report::Problem> keep_now();
  /// The file goes: what it says holds no more, and it cannot be written anew.
  void discard();
  /// What may pass after the states that are written from now on.
  void use(engine::Since since) { since_ = since; }
  std::uint64_t failures() const { return failures_; }

 private:
  std::string path_;
  TimeNs every_;
  AskAll ask_all_;
  AddressNat* nat_;
  std::function<TimeNs()> steady_;
  TimeNs next_;
  engine::Since since_ = engine::Since::kAnything;
  std::size_t restored_ = 0;
  std::size_t written_hash_ = 0;
  bool told_ = false;
  std::uint64_t failures_ = 0;
};

}  // namespace weir::gateway
