// Connections that are being ended at both hosts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/raw_packet.h"
#include "engine/judgement.h"
#include "rewrite/reply.h"
#include "wire/decode.h"

namespace weir::gateway {

/// That host's end of the subflow, to be told something at that sequence number.
rewrite::Receiver receiver_of(const engine::Ending& e, SeqNum seq);

/// Purpose: to each host, on each of its live subflows, an ACK with MP_FASTCLOSE and that host's own key, again and again until it answers with RST; then, and
/// where no key is known or the connection is plain TCP, RSTs. Measured: RSTs alone leave MPTCP connections standing, and one that passes before the FASTCLOSE
/// has come would take the subflow away on which it could. Who has not answered after all tries is told again when one of both goes on sending, after kRest.
/// Limits: kMost connections at once, kTries each; kMost that rest, beyond them the longest is forgotten. A value's owner is its thread.
class Closing {
 public:
  static constexpr std::size_t kMost = 4'096;
  static constexpr unsigned kTries = 24;
  static constexpr unsigned kTriesAlone = 10;  ///< without RSTs: then the host may have fallen back to TCP by itself, where MP_FASTCLOSE says nothing
  static constexpr TimeNs kEvery = 150'000'000;
  static constexpr TimeNs kRest = 2'000'000'000;
  static constexpr std::size_t kToldAgain =
      32;  ///< of a connection's subflows, each host's end by itself, at a time after the first; the others have their turn

  /// `followed`: as begin() was told.
  using Send = std::function<void(std::span<const std::byte>, bool followed)>;

  /// The first packets go at once. At the limit the longest under way is left to time. `followed`: conntrack follows the connection.
  void begin(std::uint64_t connection, std::vector<engine::Ending> endings, bool followed, TimeNs now, const Send& send);
  /// A packet of a blocked connection: an RST is a host's answer, any other one says what it waits for.
  void seen(const wire::Decoded& packet, TimeNs now, const Send& send);
  /// What may go in that packet's place: the end of the connection for the host that it is on its way to, until that one has answered. A NAT takes it where it
  /// would have taken the packet, and needs to be asked for nothing. none: nothing may go.
  std::optional<rewrite::Packet> instead_of(const wire::Decoded& packet);
  void advance(TimeNs now, const Send& send);
  std::size_t size() const { return under_way_.size(); }
  /// Grow only.
  struct Counters {
    std::uint64_t given_up = 0;   ///< for want of room: hosts that have not answered are not told again
    std::uint64_t forgotten = 0;  ///< likewise, of those that rest: a host that goes on later is not told then
  };
  const Counters& counters() const { return counters_; }

 private:
  struct One {
    std::uint64_t connection = 0;
    std::vector<engine::Ending> endings;
    std::vector<bool> over;  ///< of each: its host has answered with RST there. One subflow's end says nothing of the others.
    bool followed = false;
    unsigned tries = 0, instead = 0;
    TimeNs next_ns = 0;
  };
  static void tell(const One& one, const Send& send);
  static void reset(const One& one, const Send& send);
  static bool fast(const engine::Ending& ending) { return ending.key.has_value() && !ending.fallen_back; }

  using ByAge = std::map<std::uint64_t, One>;
  void forget(std::uint64_t number, const One& one);
  ByAge::iterator end(ByAge::iterator one);
  void rest(ByAge::node_type one, TimeNs now);
  void make_room();

  ByAge under_way_;                               ///< by a number that grows: oldest first
  ByAge resting_;                                 ///< likewise: some host has not answered
  std::map<Endpoints, std::uint64_t> by_packet_;  ///< addresses and ports as its hosts' packets have them, to the number above
  std::map<std::uint64_t, std::uint64_t> by_connection_;
  std::uint64_t begun_ = 0;
  Counters counters_;
};

}  // namespace weir::gateway
