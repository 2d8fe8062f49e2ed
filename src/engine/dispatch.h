// Which shard a packet belongs to, where several engines share the work. docs/adr/0007-shards.md says why it is done like this.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <vector>

#include "base/raw_packet.h"
#include "engine/counters.h"
#include "engine/owners.h"
#include "wire/decode.h"
#include "wire/defragment.h"

namespace weir::engine {

struct DispatchSettings {
  ShardId self = 0;  ///< the shard beside this dispatcher: what is new becomes its own
  bool all_tcp = false;
  bool several_points = false;
  std::uint64_t hash_seed = 0;       ///< the same in all dispatchers that share Owners
  TimeNs hold_ns = 500'000'000;      ///< a JOIN may be seen this much before the keys that make its token
  std::size_t hold_flows = 1'024;    ///< held at once; at the limit the oldest goes to kOrphanShard
  std::size_t hold_bytes = 4 << 20;  ///< of copies held, fragments included; the same
};

struct DispatchCounters {
  std::uint64_t skipped = 0;      ///< plain TCP that no shard wants
  std::uint64_t held = 0;         ///< packets that waited to know their shard
  std::uint64_t hold_ended = 0;   ///< flows whose connection was not found in time
  std::uint64_t hold_pushed = 0;  ///< flows, and datagrams in fragments, that had to go for want of room
};

/// The shard of all that no shard is known for: there they are still found to belong together by their DSNs and tokens.
inline constexpr ShardId kOrphanShard = 0;

/// Purpose: gives each packet to the shard that owns its connection. Invariant: what one dispatcher passes on of a flow keeps its order.
/// Bounds: DispatchSettings; at them what waits longest is passed on with what is known. One owner, one thread; Owners may be shared.
class Dispatcher {
 public:
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void pass(const RawPacket& packet, ShardId shard) = 0;
    /// What was passed since the last call may go away now.
    virtual void settle() = 0;
  };

  Dispatcher(const DispatchSettings& settings, Owners& owners, Sink& sink) : settings_(settings), owners_(owners), sink_(sink) {}

  void take(const RawPacket& packet);
  /// Passes on what waited and is known now, or has waited long enough. `now` in the packets' time. Asks the owners about each that waits.
  void advance(TimeNs now);
  /// The input has ended: everything is passed on.
  void finish();

  const DispatchCounters& counters() const { return counters_; }
  /// Of the packets that went to no shard, as an engine would have counted them.
  const Counters& skipped() const { return skipped_; }

 private:
  struct Copy {
    std::vector<std::byte> bytes;
    RawPacket packet;  ///< its bytes are set when it is passed on
  };
  /// A flow whose shard is not known yet.
  struct Waiting {
    std::uint64_t flow = 0;
    std::optional<std::uint32_t> token;
    std::optional<std::uint64_t> opener;
    TimeNs since_ns = 0;
    std::vector<Copy> packets;
  };
  struct Datagram {
    std::uint64_t key = 0;
    TimeNs since_ns = 0;
    std::vector<Copy> fragments;
  };
  struct Decision {
    enum class Kind : std::uint8_t { kShard, kSkip, kHold } kind = Kind::kSkip;
    ShardId shard = 0;
    std::optional<std::uint32_t> token;
    std::optional<std::uint64_t> opener;
  };
  struct Seen;

  std::uint64_t flow_of(const wire::Decoded& d) const;
  static Seen look(const wire::TcpSegment& tcp);
  bool waits(std::uint64_t flow);
  Decision decide(const RawPacket* whole, const wire::Decoded& d, std::uint64_t flow);
  Decision on_syn(const RawPacket* whole, const wire::Decoded& d, const Seen& seen, std::uint64_t flow, std::optional<Owner> known);
  Decision on_unknown(const wire::Decoded& d, const Seen& seen, std::uint64_t flow);
  bool gather_opener(std::uint64_t opener, ShardId shard);
  ShardId learn(const Seen& seen, std::uint64_t flow, ShardId shard, bool may_move);
  void take_fragment(const RawPacket& packet, const wire::Decoded& d);
  void skip(const RawPacket& packet, const wire::Decoded& d);
  void hold(const RawPacket& packet, std::uint64_t flow, const Decision& decision);
  void add_copy(std::vector<Copy>& to, const RawPacket& packet);
  void pass_all(std::vector<Copy>& copies, ShardId shard);
  std::optional<ShardId> owner_of(const Waiting& waiting);
  void release(std::list<Waiting>::iterator waiting, ShardId shard);
  void give_up(std::list<Waiting>::iterator waiting);
  void make_room();

  DispatchSettings settings_;
  Owners& owners_;
  Sink& sink_;
  wire::Decoded decoded_;
  wire::Defragmenter defragmenter_;
  std::list<Waiting> waiting_;  ///< the longest waiting first
  boost::unordered_flat_map<std::uint64_t, std::list<Waiting>::iterator> waiting_flows_;
  std::list<Datagram> datagrams_;  ///< the oldest first
  boost::unordered_flat_map<std::uint64_t, std::list<Datagram>::iterator> datagram_keys_;
  std::size_t held_bytes_ = 0;
  TimeNs now_ns_ = 0;
  DispatchCounters counters_;
  Counters skipped_;
};

}  // namespace weir::engine
