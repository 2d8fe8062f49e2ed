// The line wire ... inspect as one pure function of packets and their times. One owner, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/limits.h"
#include "base/raw_packet.h"
#include "engine/counters.h"
#include "engine/observer.h"

namespace weir::engine {

/// CONTRACT.md, `--checksums`.
enum class ChecksumPolicy : std::uint8_t { kAuto, kVerify, kIgnore };

struct Settings {
  Limits limits;
  ChecksumPolicy checksums = ChecksumPolicy::kAuto;
  bool all_tcp = false;
  bool several_points = false;  ///< more than one capture point feeds this engine
  bool stream_events = true;    ///< the observer wants on_handshake ... on_reset; without them only records are told
  bool plot_events = false;     ///< the observer wants on_mapped and on_option
  std::uint32_t shard = 0;      ///< of `shards` engines that share the work: connections' numbers are unique over all of them
  std::uint32_t shards = 1;
  std::uint64_t hash_seed = 0;  ///< of the flow table: unknown to whoever sends the packets
};

/// What became of a packet: a normalised capture leaves out what is kMptcp and passes the rest unchanged.
enum class Fate : std::uint8_t {
  kOther,     ///< of no MPTCP connection
  kMptcp,     ///< of an MPTCP connection (refused and fallen back ones too)
  kFragment,  ///< an IP fragment: decided when its datagram is whole (then that packet's fate stands for all of them), or never
};

/// Purpose: follows every connection in the packets given, in their order, and tells the observer.
/// Invariant: memory is bounded by `Limits`; time never comes from anywhere but the packets.
class Engine {
 public:
  Engine(const Settings& settings, Observer& observer);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Takes the packets in order; fates[i] is that of packets[i]. Batches let table entries be fetched ahead.
  void step(std::span<const RawPacket> packets, std::span<Fate> fates);
  Fate step(const RawPacket& packet);
  /// Time goes on without packets: what has waited long enough ends. `now` in the packets' time.
  void advance(TimeNs now);
  /// Ends the input: every connection still there is given its record.
  void finish();
  const Counters& counters();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir::engine
