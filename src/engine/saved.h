// Connections as octets, so that a new process goes on with those of the one before it. They hold keys: whoever stores them keeps them secret.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>
#include <vector>

#include "engine/connection.h"

namespace weir::engine {

enum class SavedError : std::uint8_t {
  kNoneOfOurs,    ///< not written by save(), or by another version of it
  kTorn,          ///< not whole
  kContradicting  ///< what is in it cannot be
};
std::string_view name_of(SavedError error);

struct SavedSubflow {
  Endpoints endpoints;
  Phase phase = Phase::kEstablished;
  Auth auth = Auth::kUnverified;
  bool join = false, opened_by_server = false, backup = false;
  bool spoke[2] = {false, false};
  bool has_isn[2] = {false, false};
  bool fallen_back[2] = {false, false};
  std::uint8_t address_id[2] = {0, 0};
  SeqNum isn[2];
  std::uint64_t next[2] = {0, 0};  ///< all before it was looked at
  std::uint64_t fin_position[2] = {0, 0};
  std::uint64_t plain_dsn[2] = {0, 0};  ///< fallen back: of `next`
  std::uint64_t ssn_base[2] = {0, 0};
  track::TcpView view[2];
};

struct SavedConnection {
  std::uint64_t number = 0;
  TimeNs first_ns = 0, last_ns = 0;
  std::uint8_t version = 1;
  bool version_known = false, checksum = false, refused = false, midstream = false;
  FallbackReason fallback = FallbackReason::kNone;
  bool blocked[2] = {false, false};
  bool has_key[2] = {false, false};
  std::uint64_t key[2] = {0, 0};
  bool has_origin[2] = {false, false}, started[2] = {false, false}, has_ack[2] = {false, false}, has_edge[2] = {false, false}, has_fin[2] = {false, false};
  bool mapped[2] = {false, false};
  std::uint64_t first_dsn[2] = {0, 0};  ///< of DataReceiver::kFirst
  std::uint64_t next[2] = {0, 0}, acked[2] = {0, 0}, edge[2] = {0, 0}, fin[2] = {0, 0};
  std::uint64_t delta[2] = {0, 0}, unconfirmed_until[2] = {0, 0};
  std::vector<SavedSubflow> subflows;
};

/// Whether read_saved() takes it: of a stream seen from its middle, with numbers from all over, it may not.
bool can_be(const SavedConnection& c);
std::vector<std::byte> write_saved(std::span<SavedConnection> connections);
/// At most `most_connections`, each with at most `most_subflows`.
std::expected<std::vector<SavedConnection>, SavedError> read_saved(std::span<const std::byte> octets, std::size_t most_connections, std::size_t most_subflows);

}  // namespace weir::engine
