// The prober without privileges: the kernel makes the connections, and tells what became of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <vector>

#include "probe/connect/details.h"
#include "probe/raw/rate_limit.h"
#include "probe/verdict.h"

namespace weir::probe::connect {

struct ProberSettings {
  TimeNs timeout_ns = 2'900'000'000;  ///< less than the 3 s after which Linux leaves MPTCP out of a SYN, and may then turn it off for the host
  TimeNs grace_ns = 200'000'000;      ///< for subflows and addresses to come
  double connections_per_second = 50;
  double network_connections_per_second = 0;  ///< to one /24 or /48; 0: no limit
  std::size_t in_flight = 200;
  unsigned tries = 4;  ///< of a target whose SYN was lost
};

/// Why a run ended.
enum class End : std::uint8_t {
  kDone,
  kStopped,
  kNoMptcp,   ///< this kernel makes no MPTCP sockets
  kDisabled,  ///< the kernel has turned MPTCP off for the whole host: nothing more can be found out
};

/// Purpose: see above. Limits: ProberSettings::in_flight, and descriptors. Ownership: its sockets. One owner, one thread.
class Prober {
 public:
  using Next = std::function<std::optional<Numbered>()>;
  using Found = std::function<void(const Numbered&, const Finding&, const Details&)>;

  Prober(const ProberSettings& settings, Next next, Found found);
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  /// `stop` is asked every few milliseconds.
  End run(const std::function<bool()>& stop);
  std::uint64_t findings() const { return findings_; }
  /// Begun and without a verdict.
  std::vector<std::uint64_t> unfinished() const;

 private:
  struct Attempt {
    Numbered numbered;
    int descriptor = -1;
    TimeNs begun_ns = 0, due_ns = 0;  ///< to be connected by, or to be looked at after the grace time
    TimeNs rtt_ns = 0;
    unsigned tries = 0;
    bool used = false, connected = false;
  };
  struct PutOff {
    TimeNs due_ns = 0;
    std::size_t at = 0;
    friend bool operator>(const PutOff& a, const PutOff& b) { return a.due_ns > b.due_ns; }
  };
  bool begin(TimeNs now);
  bool begin(std::size_t at, TimeNs now);
  bool open(std::size_t at, TimeNs now);
  void on_ready(std::size_t at, TimeNs now);
  void on_due(std::size_t at);
  void finish(std::size_t at, Details details);
  void close(Attempt& attempt);
  void pass(std::size_t at, Verdict verdict, const Details& details);
  static void read_kernel(int descriptor, Details& details);

  ProberSettings settings_;
  Next next_;
  Found found_;
  raw::RateLimit rate_;
  raw::NetworkRates networks_;
  int poll_ = -1;
  std::vector<Attempt> attempts_;
  std::deque<std::size_t> again_;                                             ///< whose SYN was lost
  std::priority_queue<PutOff, std::vector<PutOff>, std::greater<>> put_off_;  ///< until their network may have them
  std::size_t used_ = 0;
  std::uint64_t findings_ = 0;
  std::optional<std::uint64_t> disabled_before_;
  bool all_begun_ = false;
  std::optional<End> ended_;
};

}  // namespace weir::probe::connect
