// What is kept of a raw run until it is traced.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "probe/raw/outfit.h"
#include "probe/raw/prober.h"
#include "probe/trace/tracer.h"
#include "probe/verdict.h"

namespace weir::cli {

/// Purpose: findings that a trace may explain, and their traces. Limits: kMost findings; those beyond go untraced, and are counted.
class ProbeTraces {
 public:
  static constexpr std::size_t kMost = 100'000;
  using Take = std::function<void(const probe::Finding&, const probe::trace::Report*)>;

  /// True: it is kept for its trace; false: it is to be written as it is.
  bool keep(const probe::Finding& finding);
  /// Traces them; those that `stop` cuts off are not told. A trace that the interface failed is none.
  void run(const probe::raw::ProberSettings& settings, std::uint8_t most_hops, probe::raw::Links& links, const std::function<bool()>& stop, const Take& take);
  std::uint64_t left_out() const { return left_out_; }
  std::uint64_t failed() const { return failed_; }

 private:
  std::map<probe::Target, probe::Finding> findings_;
  std::uint64_t left_out_ = 0, failed_ = 0;
};

}  // namespace weir::cli
