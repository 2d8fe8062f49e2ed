// Connections as octets, so that a new process goes on with those of the one before it. They hold keys: whoever stores them keeps them secret.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "engine/connection.h"
#include "engine/engine.h"
#include "reassemble/piece.h"

namespace weir::engine {

enum class SavedError : std::uint8_t {
  kNoneOfOurs,    ///< not written by save(), or by another version of it
  kTorn,          ///< not whole
  kContradicting  ///< what is in it cannot be
};
std::string_view name_of(SavedError error);

/// Octets that passed and may still be wanted: not acknowledged yet, or waiting for what comes before them.
struct SavedPiece {
  std::uint64_t begin = 0;
  std::uint32_t size = 0;
  bool of_stream = false;     ///< of a subflow: its octets are those that the connection's piece has for the same DSNs
  std::uint32_t subflow = 0;  ///< waiting in the stream: on which it came, by its place in SavedConnection::subflows
  Bytes bytes;                ///< in the engine's memory, or in the octets that were read; empty: only the range is known
  std::optional<reassemble::Mapping> mapping;
};

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
  std::uint64_t acked[2] = {0, 0}, uncopied_until[2] = {0, 0}, settled[2] = {0, 0};
  std::vector<SavedPiece> passed[2];  ///< those beyond `next` wait
  std::vector<Skipped> skipped[2];
  std::uint64_t fin_position[2] = {0, 0};
  std::uint64_t plain_dsn[2] = {0, 0};  ///< fallen back: of `next`
  std::uint64_t ssn_base[2] = {0, 0};
  std::uint64_t bytes[2] = {0, 0};  ///< by side: as its record has them, what waits left out
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
  std::uint64_t delta[2] = {0, 0}, unconfirmed_until[2] = {0, 0}, uncopied_until[2] = {0, 0}, settled[2] = {0, 0};
  TimeNs settles_until_ns = 0;
  bool excused = false;
  CountedApart counted;  ///< for the process to come: all so far
  std::vector<SavedPiece> passed[2];
  std::vector<SavedPiece> waiting[2];  ///< ranges that all their subflows have given in order; their octets are among `passed`
  std::vector<Skipped> skipped[2];
  std::vector<SavedSubflow> subflows;
};

/// Whether read_saved() takes it: of a stream seen from its middle, with numbers from all over, it may not.
bool can_be(const SavedConnection& c);
/// What its pieces take.
std::uint64_t octets_of(const SavedConnection& c);
/// Forgets its pieces: what passed goes uncompared, what waits is not known.
void leave_pieces(SavedConnection& c);
/// The form that is written, and the oldest one that is read: that one has no counts.
inline constexpr unsigned kSavedForm = 3, kOldestSavedForm = 2;
struct SavedState {
  Since since = Since::kAnything;
  TimeNs newest_ns = 0;  ///< of the packets before it
  std::vector<SavedConnection> connections;
};
/// `form`: an older one, as the processes of its time have written it.
std::vector<std::byte> write_saved(SavedState& state, unsigned form = kSavedForm);
/// The sum at the end, of all that stands before it.
std::uint64_t sum_of_saved(Bytes octets);
/// What is taken of octets that are to be read; what is beyond it is left.
struct SavedBounds {
  std::size_t connections = 0, subflows = 0;  ///< subflows: of each connection
  std::size_t pieces = 0;                     ///< of each direction, on each level
  std::uint64_t octets = 0;                   ///< octets_of() all
};
/// Pieces refer to `octets`.
std::expected<SavedState, SavedError> read_saved(Bytes octets, const SavedBounds& most);

}  // namespace weir::engine
