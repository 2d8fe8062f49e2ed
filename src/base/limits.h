// Every limit and window that a user may set: declared once, here, with name, unit, range, default and help. The struct,
// the check of a configuration, `--help` and the manual come from this table. The limits that RFCs fix are elsewhere.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace weir {

// name, default, minimum, maximum, unit, help (what happens at the limit, and the counter)
#define WEIR_LIMITS(X)                                                                                                                                  \
  X(max_connections, 1'000'000, 16, 100'000'000, "connections", "tracked at once; at the limit the longest idle one is ended (evicted.connections)")    \
  X(max_subflows, 256, 1, 65'535, "subflows", "of one connection, ever; further JOINs are not followed (dropped.subflows)")                             \
  X(reorder_bytes, 64 << 20, 1 << 16, 1LL << 40, "bytes", "out of order in one direction, each level; beyond it a gap is given up (dropped.reorder)")   \
  X(reorder_pieces, 65'536, 64, 1 << 24, "pieces", "out of order in one direction, each level; the same (dropped.reorder)")                             \
  X(memory_bytes, 4LL << 30, 1 << 20, 1LL << 44, "bytes", "held in all out-of-order queues and copies; beyond it nothing new is held (dropped.memory)") \
  X(copies_bytes, 1 << 20, 0, 1 << 30, "bytes", "kept a direction to compare with later copies; older ones go uncompared (uncompared.bytes)")           \
  X(inline_copies_bytes, 8 << 20, 1 << 16, 1 << 30, "bytes",                                                                                            \
    "inline, passed in a direction and not acknowledged: beyond it new data is refused (refused.copies_full)")                                          \
  X(saved_copies_bytes, 64 << 20, 0, 1 << 28, "bytes",                                                                                                  \
    "of what passed inline and was not acknowledged, in gateway.state; of others, the largest, only ranges (limited.saved_copies)")                     \
  X(mappings, 4'096, 8, 1 << 20, "mappings", "of a subflow direction, known ahead of their data; further ones are refused (dropped.mappings)")          \
  X(unknown_join_seconds, 10, 0, 3'600, "s", "a JOIN or its connection's keys may come this much later (several capture points, skewed clocks)")        \
  X(gap_seconds, 10, 0, 3'600, "s", "after it was acknowledged, bytes that no capture point showed are waited for (several capture points)")            \
  X(gap_seconds_single, 1, 0, 3'600, "s", "the same with one capture point")                                                                            \
  X(linger_seconds, 10, 0, 3'600, "s", "a closed connection is kept for stragglers before its record is written")                                       \
  X(handshake_seconds, 60, 1, 3'600, "s", "an unanswered or unfinished handshake is kept")                                                              \
  X(idle_seconds, 3'600, 1, 1'000'000, "s", "an established connection without packets is kept")                                                        \
  X(join_flood_connection, 64, 1, 1 << 20, "JOINs", "half-open, of one connection, within join_flood_seconds: more raise join_flood")                   \
  X(join_flood_host, 256, 1, 1 << 20, "JOINs", "half-open, towards one host, within join_flood_seconds: more raise join_flood")                         \
  X(join_flood_seconds, 10, 1, 3'600, "s", "window of join_flood")                                                                                      \
  X(unknown_token_tries, 3, 1, 1 << 20, "JOINs", "with unknown tokens from one source within unknown_token_seconds raise join_unknown_token")           \
  X(unknown_token_seconds, 60, 1, 3'600, "s", "window of join_unknown_token")                                                                           \
  X(add_addr_connection, 8, 1, 256, "addresses", "distinct, offered in one connection within add_addr_seconds: more raise add_addr_flood")              \
  X(add_addr_connections, 256, 1, 1 << 20, "connections", "in which one address is offered within add_addr_seconds: more raise add_addr_flood")         \
  X(add_addr_seconds, 60, 1, 3'600, "s", "window of add_addr_flood")                                                                                    \
  X(subflow_excess, 16, 1, 65'535, "subflows", "at once in one connection: more raise subflow_excess")                                                  \
  X(visibility_percent, 90, 0, 100, "percent", "of the exchanged bytes seen: less raises visibility_low")                                               \
  X(visibility_bytes, 16 << 10, 0, 1 << 30, "bytes", "acknowledged at connection level before visibility_low is judged")                                \
  X(fragmentation_pieces, 256, 2, 1 << 20, "pieces", "in a row that alternate between subflows: as many raise fragmented_across_subflows")              \
  X(fragmentation_octets, 64, 1, 1'460, "bytes", "average size of those pieces below which the event is raised")                                        \
  X(inspect_depth_bytes, 0, 0, 1LL << 50, "bytes", "of each direction that rules look at, 0: all; what lies behind is not inspected (limited.depth)")   \
  X(rule_window_bytes, 64 << 10, 1 << 10, 16 << 20, "bytes", "in which conditions without a range of their own are tried around what was found")        \
  X(rule_steps, 10'000, 100, 1'000'000'000, "steps", "of one try of a rule; at the limit it is given up (limited.rules)")                               \
  X(pcre_match_limit, 100'000, 100, 1'000'000'000, "steps", "of one search of an expression; at the limit it is given up (limited.rules)")              \
  X(app_body_bytes, 100 << 10, 1 << 10, 1 << 30, "bytes", "of a body that rules look at; a longer one is looked at as far as that")                     \
  X(app_header_bytes, 64 << 10, 1 << 10, 1 << 24, "bytes", "of an HTTP head or a TLS handshake message; with a longer one reading ends")                \
  X(app_transactions, 512, 1, 1 << 20, "transactions", "of a connection that wait for their end; at the limit its application is read no further")      \
  X(app_expansion_bytes, 1 << 20, 1 << 12, 1 << 30, "bytes", "that a compressed body may expand to beyond 2048 times its size")                         \
  X(hot_streams, 4'096, 16, 1 << 24, "connections", "whose matcher is ready at once; that of the others is packed")                                     \
  X(inventory_entries, 65'536, 16, 1 << 22, "entries",                                                                                                  \
    "hosts and services in the inventory; at the limit the one not seen for longest goes (evicted.inventory)")                                          \
  X(names_entries, 65'536, 16, 1 << 22, "entries",                                                                                                      \
    "of the table of names that clients resolved, and of open queries; at the limit the oldest goes (evicted.names)")                                   \
  X(watch_entries, 65'536, 64, 1 << 24, "entries",                                                                                                      \
    "of each table of sources and hosts that events are counted by; at the limit the oldest goes (evicted.watch)")                                      \
  X(log_queue_bytes, 64 << 20, 1 << 20, 1LL << 34, "bytes", "of lines that wait for one place of the log; beyond it lines are lost (log.lines_lost)")

struct Limits {
#define WEIR_LIMIT_FIELD(name, value, lowest, highest, unit, help) std::int64_t name = value;
  WEIR_LIMITS(WEIR_LIMIT_FIELD)
#undef WEIR_LIMIT_FIELD
};

struct LimitInfo {
  std::string_view name;
  std::int64_t Limits::* field;
  std::int64_t standard, lowest, highest;
  std::string_view unit, help;
};

inline constexpr auto kLimitTable = std::to_array<LimitInfo>({
#define WEIR_LIMIT_ROW(name, value, lowest, highest, unit, help) {#name, &Limits::name, value, lowest, highest, unit, help},
    WEIR_LIMITS(WEIR_LIMIT_ROW)
#undef WEIR_LIMIT_ROW
});

}  // namespace weir
