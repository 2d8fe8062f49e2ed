// Traces: SYNs with MP_CAPABLE whose TTL ends on the way, and a control series of plain ones beside them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "probe/raw/cookie.h"
#include "probe/raw/links.h"
#include "probe/raw/packets.h"
#include "probe/raw/rate_limit.h"
#include "probe/trace/report.h"
#include "probe/verdict.h"
#include "wire/decode.h"

namespace weir::probe::trace {

struct TracerSettings {
  raw::Secret secret;
  std::string_view data;              ///< raw::Identity::data
  unsigned tries = 4;                 ///< of each hop
  TimeNs timeout_ns = 1'000'000'000;  ///< of a try
  double packets_per_second = 10'000;
  std::uint8_t most_hops = 30;  ///< at most kMostHops
  std::size_t at_once = 64;     ///< targets
};
/// The hop is told in the sequence number, this far from the cookie's.
inline constexpr std::uint8_t kMostHops = 60;
/// So many hops in a row that answer neither series: what is behind them is not asked any more.
inline constexpr unsigned kMostSilentHops = 4;

/// Purpose: one target after the other, some at once: first what it answers itself, then hop by hop what the routers quote.
/// Limits: TracerSettings. Ownership: none of the links. One owner, one thread.
class Tracer {
 public:
  using Next = std::function<std::optional<Target>()>;
  /// No report: the interface was down meanwhile.
  using Traced = std::function<void(const Target&, const Report*)>;

  Tracer(const TracerSettings& settings, raw::Links& links, Next next, Traced traced);
  /// Until all are traced, or `stop` says so (asked every few milliseconds): what was opened is ended, within two seconds.
  void run(const std::function<bool()>& stop);

 private:
  struct Trace {
    Report report;
    const raw::Way* way = nullptr;
    bool join_answered = false;
    std::uint8_t ttl = 0;  ///< 0: the target itself is asked
    std::uint8_t tries = 0;
    unsigned silent = 0;  ///< hops in a row
    TimeNs begun_ns = 0, due_ns = 0;
    bool arrived = false;  ///< a SYN of the control series came through to the target at this TTL
  };
  using Traces = std::map<Target, Trace>;

  void ask(const Target& target, Trace& trace, TimeNs now);
  void send(const Target& target, const raw::Way& way, raw::Question question, std::uint8_t ttl, std::uint32_t offset, TimeNs now);
  bool answered(const Trace& trace) const;
  /// On to the next hop; true: there is none.
  bool go_on(const Target& target, Trace& trace, TimeNs now);
  void end_traces();
  void reset(const Target& target, const Trace& trace, raw::Question question, std::uint32_t offset, TimeNs now);
  void take(std::span<const std::byte> packet, TimeNs now);
  void take_tcp(TimeNs now);
  void take_quote(std::span<const std::byte> packet);
  Trace* find(const Target& target);

  TracerSettings settings_;
  raw::Links& links_;
  Next next_;
  Traced traced_;
  raw::RateLimit rate_;
  Traces traces_;
  bool all_begun_ = false;
  wire::Decoded decoded_;
  std::vector<std::byte> packet_;
};

}  // namespace weir::probe::trace
