// The raw prober: targets go in, SYNs go out, answers come in, findings go out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <span>
#include <string_view>
#include <vector>

#include "probe/raw/conversation.h"
#include "probe/raw/links.h"
#include "probe/raw/packets.h"
#include "probe/raw/rate_limit.h"
#include "probe/verdict.h"
#include "track/flow_table.h"
#include "wire/decode.h"

namespace weir::probe::raw {

struct ProberSettings {
  Secret secret;
  std::string_view data;  ///< Identity::data
  unsigned tries = kMostTries;
  TimeNs timeout_ns = 1'000'000'000;  ///< of one try
  double packets_per_second = 10'000;
  double network_packets_per_second = 0;  ///< to one /24 or /48; 0: no limit
  std::size_t in_flight = 1 << 17;        ///< targets at once; what is beyond waits
};

struct ProberCounters {
  std::uint64_t targets = 0;    ///< begun
  std::uint64_t findings = 0;   ///< ended
  std::uint64_t packets = 0;    ///< sent, RSTs included
  std::uint64_t answers = 0;    ///< that proved themselves
  std::uint64_t foreign = 0;    ///< to our ports, but to nothing that we asked
  std::uint64_t broken = 0;     ///< with a wrong checksum, or no packet at all
  std::uint64_t not_sent = 0;   ///< findings of targets whose interface was down
  std::uint64_t not_ended = 0;  ///< targets in flight at the end of an interrupted run that there was no time to end
};

/// Purpose: see above. What it keeps of a target lives from its first SYN to its verdict; an answer proves itself by its cookie, whatever is kept.
/// Limits: ProberSettings::in_flight. Ownership: none of the links. One owner, one thread.
class Prober {
 public:
  using Next = std::function<std::optional<Numbered>()>;
  using Found = std::function<void(const Numbered&, const Finding&)>;

  Prober(const ProberSettings& settings, Links& links, Next next, Found found);

  /// Until all targets have a verdict, or `stop` says so (asked every few milliseconds): what is in flight then is ended, within two seconds.
  void run(const std::function<bool()>& stop);
  const ProberCounters& counters() const { return counters_; }
  /// Begun and without a verdict.
  std::vector<std::uint64_t> unfinished() const;

 private:
  struct Flight {
    Numbered numbered;
    const Way* way = nullptr;
    Conversation conversation;
    TimeNs first_ns = 0, last_ns = 0;  ///< sent
    TimeNs rtt_ns = 0;
    std::uint32_t turn = 0;  ///< what a timer is for: an older one is void
    std::uint16_t packets = 0;
    bool used = false;
  };
  struct Timer {
    TimeNs due_ns = 0;
    std::uint32_t flight = 0, turn = 0;
    bool send = false;  ///< what was put off by its network's rate goes now; else: the try is over
    friend bool operator>(const Timer& a, const Timer& b) { return a.due_ns > b.due_ns; }
  };

  bool begin_targets(TimeNs now);
  bool pass_timers(TimeNs now);
  void fire(const Timer& timer, TimeNs now);
  void take(std::span<const std::byte> packet, TimeNs received_ns, TimeNs now);
  void take_tcp(TimeNs received_ns, TimeNs now);
  void take_icmp(std::span<const std::byte> packet);
  void act(std::uint32_t flight, const Move& move, const Answer* answer, TimeNs now);
  void ask(std::uint32_t flight, TimeNs now);
  void send_step(std::uint32_t flight, TimeNs now);
  Identity from(const Way& way) const { return {.source = way.source, .data = settings_.data}; }
  void emit(const Way& way, const Target& target, TimeNs now);
  void finish(std::uint32_t flight, Verdict verdict);
  void end_flights();
  void end_flight(const Flight& flight, TimeNs now);
  std::uint64_t hash_of(const Target& target) const;
  std::uint32_t* find(const Target& target);
  TimeNs next_due() const;

  ProberSettings settings_;
  Links& links_;
  Next next_;
  Found found_;
  RateLimit rate_;
  NetworkRates networks_;
  std::vector<Flight> flights_;
  std::vector<std::uint32_t> free_;
  track::FlowTable<std::uint32_t> by_target_;
  std::deque<Timer> timeouts_;  ///< all alike long: in the order of their times
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> postponed_;
  std::size_t in_flight_ = 0;
  bool all_begun_ = false, ending_ = false;
  wire::Decoded decoded_;
  std::vector<std::byte> packet_;
  ProberCounters counters_;
};

}  // namespace weir::probe::raw
