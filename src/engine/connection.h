// A connection as the engine follows it: its keys, its subflows, and the two data streams.
#pragma once

#include <boost/container/small_vector.hpp>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <optional>

#include "engine/guard.h"
#include "engine/records.h"
#include "engine/subflow.h"
#include "inspect/fragmentation.h"
#include "inspect/watch.h"
#include "reassemble/data_receiver.h"
#include "track/address_book.h"

namespace weir::engine {

struct Connection;

/// What a connection of one subflow has no use for, and what few have.
struct MptcpExtra {
  track::AddressBook addresses;
  inspect::FragmentationWatch fragmentation[2];
  std::unique_ptr<inspect::RecentTimes> half_open;
  Connection* next_same_token[2] = {nullptr, nullptr};
  std::uint32_t syn_data[2] = {0, 0};   ///< TCP Fast Open: octets before IDSN + 1
  std::uint64_t cut_bytes[2] = {0, 0};  ///< several capture points: payload cut by snap lengths
};

/// What only a connection without keys needs.
struct Unkeyed {
  std::vector<std::uint32_t> orphan_tokens;    ///< of JOINs whose connection is not known: the tokens they name
  std::vector<std::uint64_t> link_buckets[2];  ///< where the index of DSNs knows it
};

/// What only an MPTCP connection has. Hosts: 0 client, 1 server.
struct Mptcp {
  std::optional<std::uint8_t> version;  ///< agreed; of a refused one the offered
  std::uint8_t offered_version = 1;
  bool has_key[2] = {false, false};
  bool has_token[2] = {false, false};
  bool checksum = false;
  std::uint64_t key[2] = {0, 0};
  std::uint32_t token[2] = {0, 0};
  bool orphan = false;
  bool token_confirmed = false;      ///< a SYN/ACK answered such a JOIN
  reassemble::DataReceiver data[2];  ///< by Direction
  std::unique_ptr<MptcpExtra> extra;
  MptcpExtra& more() {
    if (!extra) extra = std::make_unique<MptcpExtra>();
    return *extra;
  }
  std::uint32_t syn_data(Direction d) const { return extra ? extra->syn_data[index(d)] : 0; }
  /// The next connection with the token of that host.
  Connection* next_same_token(std::size_t host) const { return extra ? extra->next_same_token[host] : nullptr; }
  void set_next_same_token(std::size_t host, Connection* next) {
    if (next != nullptr || extra) more().next_same_token[host] = next;
  }
  std::unique_ptr<Unkeyed> unkeyed_state;
  Unkeyed& unkeyed() {
    if (!unkeyed_state) unkeyed_state = std::make_unique<Unkeyed>();
    return *unkeyed_state;
  }
};

/// The stream of a plain TCP connection: in order on its one subflow is in order.
struct PlainStream {
  std::uint64_t next = 0;
  std::uint64_t start = 0;
  std::uint64_t first_gap = ~0ULL;
  std::uint64_t gap_bytes = 0;
  std::uint64_t packets = 0;
  bool started = false;
};

struct Connection : boost::intrusive::list_base_hook<> {
  std::uint64_t number = 0;
  TimeNs first_ns = 0;
  TimeNs last_ns = 0;
  TimeNs hold_until_ns = 0;  ///< while held: no later than this
  boost::container::small_vector<Subflow*, 1> subflows;
  std::unique_ptr<Mptcp> mp;                            ///< empty: plain TCP
  std::unique_ptr<std::vector<AnomalyRecord>> pending;  ///< events told once the id is final
  std::uint32_t raised = 0;                             ///< events, by bit
  std::uint32_t established_subflows = 0;
  FallbackReason fallback = FallbackReason::kNone;
  std::uint8_t list = 0;
  bool refused : 1 = false;
  bool answered : 1 = false;  ///< a SYN/ACK, or anything that implies one
  bool midstream : 1 = false;
  bool held : 1 = false;   ///< nothing is delivered yet: keys or other subflows may still come
  bool keyed : 1 = false;  ///< both keys known: the id is the tokens
  bool fastclosed : 1 = false;
  bool reset : 1 = false;
  bool told_syn : 1 = false;
  bool told_syn_ack : 1 = false;
  bool told_established : 1 = false;
  bool told_reset : 1 = false;
  bool told_fin[2] = {false, false};
  bool blocked[2] = {false, false};  ///< inline, by Direction: no payload passes any more
  bool quiet = false;                ///< a plain connection that nobody asked for: only keeps a reused 4-tuple apart
  bool linked_by_dsn = false;
  std::uint64_t told_ack[2] = {0, 0};            ///< offsets last told
  std::unique_ptr<PlainStream[]> plain_streams;  ///< plain TCP only
  PlainStream& plain(Direction d) {
    if (!plain_streams) plain_streams = std::make_unique<PlainStream[]>(2);
    return plain_streams[index(d)];
  }

  std::unique_ptr<ConnectionGuard> guard;  ///< inline only

  bool mptcp() const { return mp != nullptr; }
  bool fallen_back() const { return fallback != FallbackReason::kNone || refused; }
};

/// Of a direction: rebuilt in order from the start up to the first gap, and not held back from its host; with those of processes before this one.
std::uint64_t delivered_bytes(const Connection& c, std::size_t d);

}  // namespace weir::engine
