// The log of a service: lines that shards hand over, written by threads of its own, so that no disk and no reader ever stops capture.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "report/lines.h"
#include "report/log_place.h"
#include "report/problem.h"

namespace weir::report {

struct LogSettings {
  std::vector<std::string> places;     ///< each a path, "-" or "unix:PATH"; each gets all lines
  std::size_t queue_bytes = 64 << 20;  ///< that wait for one place
  Rotation rotation = {};
};

/// Of all places together.
struct LogCounters {
  std::uint64_t lines_written = 0, bytes_written = 0;
  std::uint64_t lines_lost = 0;  ///< the queue was full, a connection broke within them, or there was no more time at the end
  std::uint64_t errors = 0;      ///< attempts to open, connect, write or rotate that failed
  std::uint64_t rotations = 0;
  std::uint64_t queued_bytes = 0;  ///< waiting now
};

/// Purpose: lines from many threads to every place. Ownership: places, their queues and threads.
/// Invariant: of each place, lines handed over are written, waiting or counted lost; what is written is whole lines. Limit: queue_bytes
/// a place; lines beyond it are lost (lines_lost). A disk that is full or a reader that is slow or gone is tried until it works again.
/// Threads: submit(), reopen(), counters() and troubles() from any; all else from the one that opened it.
class LogWriter final : public LineSink {
 public:
  /// Tells people: what, why, and what will become of it.
  using Say = std::function<void(std::string_view what, std::string_view why, std::string_view hint)>;

  /// Opens every place, or says why one can never be written. A disk that is full and a collector that is not there yet are waited for.
  static std::expected<std::unique_ptr<LogWriter>, Problem> open(const LogSettings& settings, const Say& say);
  ~LogWriter() override;

  /// Begins to write: after privileges were dropped, which counts for threads begun later.
  void start();
  /// Never waits.
  void submit(std::string&& lines, std::uint64_t count) override;
  /// Files were moved away.
  void reopen();
  LogCounters counters() const;
  /// Places that are not written just now, and why: "PLACE: WHY".
  std::vector<std::string> troubles() const;
  /// Writes what waits for at most `time`, then ends; the lines that this left unwritten.
  std::uint64_t close(std::chrono::milliseconds time);

 private:
  class Outlet;
  LogWriter() = default;

  std::vector<std::shared_ptr<Outlet>> outlets_;  ///< shared with their threads: one that hangs in a write outlives this
};

}  // namespace weir::report
