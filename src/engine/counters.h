// Counters for everything seen, dropped, evicted or not inspected: one table, from which the `stats` record is written.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace weir::engine {

// field, name in the log
#define WEIR_COUNTERS(X)                                  \
  X(decode_packets, "decode.packets")                     \
  X(decode_bytes, "decode.bytes")                         \
  X(decode_tcp, "decode.tcp")                             \
  X(decode_not_ip, "decode.not_ip")                       \
  X(decode_other_ip, "decode.other_ip")                   \
  X(decode_invalid, "decode.invalid")                     \
  X(decode_snapped, "decode.cut_by_snap_length")          \
  X(fragments, "defrag.fragments")                        \
  X(fragments_reassembled, "defrag.reassembled")          \
  X(fragments_dropped, "defrag.dropped")                  \
  X(connections, "mptcp.connections")                     \
  X(subflows, "mptcp.subflows")                           \
  X(unanswered, "mptcp.unanswered")                       \
  X(joins_orphaned, "mptcp.joins_orphaned")               \
  X(options, "mptcp.options")                             \
  X(options_malformed, "mptcp.options_malformed")         \
  X(flows, "tcp.connections")                             \
  X(ignored_checksum, "ignored.checksum")                 \
  X(ignored_window, "ignored.window")                     \
  X(ignored_paws, "ignored.paws")                         \
  X(ignored_no_ack, "ignored.no_ack")                     \
  X(ignored_bad_ack, "ignored.bad_ack")                   \
  X(ignored_rst, "ignored.rst")                           \
  X(ignored_fin, "ignored.fin")                           \
  X(ignored_after_end, "ignored.after_end")               \
  X(ignored_not_joined, "ignored.not_joined")             \
  X(dropped_subflows, "dropped.subflows")                 \
  X(dropped_reorder, "dropped.reorder")                   \
  X(dropped_memory, "dropped.memory")                     \
  X(dropped_mappings, "dropped.mappings")                 \
  X(dropped_unmapped_bytes, "dropped.unmapped_bytes")     \
  X(dropped_checksum_bytes, "dropped.dss_checksum_bytes") \
  X(uncompared_bytes, "uncompared.bytes")                 \
  X(gap_bytes, "gaps.bytes")                              \
  X(limited_saved_copies, "limited.saved_copies")         \
  X(evicted_connections, "evicted.connections")           \
  X(evicted_watch, "evicted.watch")                       \
  X(anomalies, "anomalies")                               \
  X(tracked_connections, "tracked.connections")           \
  X(memory_bytes, "memory.bytes")

struct Counters {
#define WEIR_COUNTER_FIELD(field, name) std::uint64_t field = 0;
  WEIR_COUNTERS(WEIR_COUNTER_FIELD)
#undef WEIR_COUNTER_FIELD
};

struct CounterInfo {
  std::string_view name;
  std::uint64_t Counters::* field;
};

inline constexpr auto kCounterTable = std::to_array<CounterInfo>({
#define WEIR_COUNTER_ROW(field, name) {name, &Counters::field},
    WEIR_COUNTERS(WEIR_COUNTER_ROW)
#undef WEIR_COUNTER_ROW
});

}  // namespace weir::engine
