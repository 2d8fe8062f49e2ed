// The events of the catalogue: names as they are logged, and what each carries.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace weir::inspect {

// All of type "mptcp" but the last ones, whose type follows the name.
#define WEIR_EVENTS(X)          \
  X(join_unknown_token)         \
  X(join_hmac_mismatch)         \
  X(join_flood)                 \
  X(join_replay)                \
  X(add_addr_hmac_mismatch)     \
  X(add_addr_unauthenticated)   \
  X(add_addr_private)           \
  X(add_addr_flood)             \
  X(remove_addr_unknown_id)     \
  X(fastclose_key_mismatch)     \
  X(mp_fail)                    \
  X(mp_prio_foreign)            \
  X(dss_checksum_mismatch)      \
  X(dsn_overlap_conflict)       \
  X(segment_overlap_conflict)   \
  X(mapping_conflict)           \
  X(dsn_out_of_window)          \
  X(data_unmapped)              \
  X(option_malformed)           \
  X(option_stripped)            \
  X(version_downgrade)          \
  X(fragmented_across_subflows) \
  X(subflow_excess)             \
  X(opened_by_server)           \
  X(visibility_low)             \
  X(joins_before_keys)

enum class Event : std::uint8_t {
#define WEIR_EVENT_ENUMERATOR(name) name,
  WEIR_EVENTS(WEIR_EVENT_ENUMERATOR)
#undef WEIR_EVENT_ENUMERATOR
      kCount
};

std::string_view event_name(Event event);

/// One thing that was expected or seen. Never a key, never an HMAC.
using DetailValue = std::variant<bool, std::int64_t, std::uint64_t, std::string>;
using Detail = std::vector<std::pair<const char*, DetailValue>>;

}  // namespace weir::inspect
