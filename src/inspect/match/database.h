// Hyperscan's databases as values: many patterns, found at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "inspect/match/plan.h"

struct hs_database;
struct hs_scratch;
struct hs_stream;

namespace weir::inspect::match {

/// Where compiled databases are kept between runs. Keys are hexadecimal digits, and tell patterns, mode and Hyperscan's version apart.
class DatabaseCache {
 public:
  virtual ~DatabaseCache() = default;
  virtual std::vector<char> load(const std::string& key) = 0;  ///< empty: not there
  virtual void store(const std::string& key, std::span<const char> bytes) = 0;
};

/// A pattern that could not be taken, and why.
struct PatternError {
  std::size_t pattern = 0;
  std::string why;
};

/// A hit: the pattern's number and the offset behind it, counted from where the stream or block began.
struct Hit {
  std::uint32_t pattern = 0;
  std::uint64_t end = 0;
};

class Database {
 public:
  enum class Mode : std::uint8_t { kStream, kBlock };
  Database() = default;
  /// Patterns get their place in the list as their number. On an error the caller leaves that pattern out and comes again.
  static std::expected<Database, PatternError> compile(std::span<const Pattern* const> patterns, Mode mode, DatabaseCache* cache);
  bool empty() const { return database_ == nullptr; }
  const hs_database* get() const { return database_.get(); }
  std::size_t stream_bytes() const;

 private:
  struct Free {
    void operator()(hs_database* database) const;
  };
  std::unique_ptr<hs_database, Free> database_;
};

/// Purpose: the memory that a scan needs, grown for each database. One owner, one thread.
class Scratch {
 public:
  void grow(const Database& database);
  hs_scratch* get() const { return scratch_.get(); }

 private:
  struct Free {
    void operator()(hs_scratch* scratch) const;
  };
  std::unique_ptr<hs_scratch, Free> scratch_;
};

/// Purpose: the matcher's place in one stream; packed while nothing comes. Owner: a direction of a connection.
class ScanState {
 public:
  ScanState() = default;
  ScanState(const ScanState&) = delete;
  ScanState& operator=(const ScanState&) = delete;
  ~ScanState() { close(); }

  bool is_open() const { return stream_ != nullptr || !packed_.empty(); }
  /// Hits are added in the order of their ends. False: the scanner gave up (counted; the stream is closed).
  bool scan(const Database& database, const Scratch& scratch, std::span<const std::byte> bytes, std::vector<Hit>& hits);
  /// The stream ends here: what waits for its end is told.
  void finish(const Scratch& scratch, std::vector<Hit>& hits, const Database& database);
  void pack();
  void close();
  /// What pack() left; empty: the stream has not begun, or could not be packed (is_open() tells).
  std::span<const char> packed() const { return packed_; }
  /// Goes on where another, or this one, was packed.
  void restore(std::vector<char> packed) {
    close();
    packed_ = std::move(packed);
  }

 private:
  bool unpack(const Database& database);
  hs_stream* stream_ = nullptr;
  std::vector<char> packed_;
};

/// All hits in one block.
bool scan_block(const Database& database, const Scratch& scratch, std::span<const std::byte> bytes, std::vector<Hit>& hits);

}  // namespace weir::inspect::match
