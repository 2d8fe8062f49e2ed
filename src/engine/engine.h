// The line wire ... inspect as one pure function of packets and their times. One owner, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/limits.h"
#include "base/raw_packet.h"
#include "engine/counters.h"
#include "engine/judgement.h"
#include "engine/observer.h"

namespace weir::engine {

enum class SavedError : std::uint8_t;

/// What may pass between a state and the process that goes on with it.
enum class Since : std::uint8_t {
  kAnything,  ///< no one may have looked on
  kJudged,    ///< what this process lets pass, and nothing once it has ended
  kNothing,
};

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
  std::uint64_t run = 0;        ///< live, random, the same for all shards: ids of connections without keys do not come again after a restart
  TimeNs hold_ns = 0;           ///< where all points have one clock: the most that delivery waits for keys or other subflows; 0: as long as Limits have it
  bool inline_mode = false;     ///< packets wait for judge(): what is not counted must not pass, and nothing is given up for lost
  /// Inline: what a host acknowledges and no packet here carried was delivered past this engine (it was down, or another path was taken):
  /// the stream goes on behind it. false: such an acknowledgement is refused.
  bool follow_unseen = true;
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
  /// With Settings::inline_mode: step() of one packet, and whether it may pass. All that it makes deliverable has been told to the observer by then.
  Judgement judge(const RawPacket& packet);
  /// From now on no payload passes in that direction of the connection, on no subflow, and no JOIN. May be called from within judge().
  void block(std::uint64_t connection, Direction d);
  /// The packet last judged is of a connection not all of whose packets come here, from now on: of some things that seem wrong it is no more known whether they
  /// are, and how it ends is taken from what is seen. `in_window`: someone who sees all packets of its subflow has let this one count there (conntrack).
  void goes_by(Judgement& judgement, bool in_window);
  /// The packet is a SYN/ACK to a SYN that another engine follows. true: a subflow of this one runs on its addresses and ports, whose host would not answer so
  /// (RFC 5961 §4); it counts as refused. Inline only.
  bool refuses_answer(const RawPacket& packet);
  /// Its packets do not come here any more, from its SYN on: nothing is told of it.
  void forget(std::uint64_t connection);
  /// Subflows whose handshake is under way, opener first.
  std::vector<Endpoints> half_open(std::uint64_t connection) const;
  /// Each host on each live subflow.
  std::vector<Ending> endings(std::uint64_t connection) const;
  std::optional<ConnectionKeys> keys(std::uint64_t connection) const;
  /// As records tell of it; the id is empty as long as it may still change. Inline only.
  std::optional<ConnectionInfo> info(std::uint64_t connection) const;
  /// The live connection that one of whose hosts has this token; 0: none.
  std::uint64_t connection_of(std::uint32_t token) const;
  /// Running MPTCP connections with numbers above `after`, at most `most`, by number; inline only.
  std::vector<ConnectionOverview> overview(std::uint64_t after, std::size_t most) const;
  /// All running MPTCP connections as octets, which hold their keys: to be kept secret.
  std::vector<std::byte> save(Since since = Since::kAnything) const;
  /// Goes on with connections that another process saved: how many. Their streams begin anew at the first byte that was not looked at before (offset 0),
  /// their JOINs verify, what was blocked stays blocked, what passed and was not acknowledged is known. What passed meanwhile, unseen, is passed over once it
  /// is acknowledged; if that was Since::kJudged, it is no Judgement::unseen_path.
  std::expected<std::size_t, SavedError> restore(std::span<const std::byte> octets, TimeNs now);
  /// How many packets were refused for that reason.
  std::uint64_t refused(Refusal refusal) const;
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
