// --export-streams: the rebuilt bytes of every connection, a file for each direction.
#pragma once

#include <cstdint>
#include <expected>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <boost/unordered/unordered_flat_map.hpp>

#include "engine/observer.h"
#include "report/problem.h"

namespace weir::report {

/// Purpose: DIR/ID.toserver and DIR/ID.toclient, each up to the direction's first gap; an empty file for a direction
/// without a byte. Files of an earlier run under the same names are replaced.
/// Invariant: at most kMaxOpen descriptors and as many buffers of kBufferBytes are held, the longest unused goes first;
/// besides, a few dozen octets for each connection that is alive. After an error the files that can be written still are;
/// each direction that cannot is counted, and the first reason kept. One owner, one thread.
class StreamExport : public engine::Observer {
 public:
  static constexpr std::size_t kMaxOpen = 256;           // descriptors; the usual limit of a process is 1,024
  static constexpr std::size_t kBufferBytes = 64 << 10;  // bytes of each open file

  /// Makes the directory if there is none.
  static std::expected<std::unique_ptr<StreamExport>, Problem> open(const std::string& directory, std::size_t max_open = kMaxOpen);
  ~StreamExport() override;

  void on_data(const engine::ConnectionInfo& info, const engine::StreamChunk& chunk) override;
  void on_gap(const engine::ConnectionInfo& info, engine::Direction direction, std::uint64_t offset, std::uint64_t bytes, TimeNs time) override;
  void on_connection(const engine::ConnectionRecord& record) override;
  void on_flow(const engine::FlowRecord& record) override;

  /// Writes what is left; the first problem there was, if any.
  std::optional<Problem> close();
  /// Directions whose file is not whole for an error's sake.
  std::uint64_t failed() const { return failed_; }

 private:
  struct OpenFile {
    int descriptor = -1;
    std::uint64_t connection = 0;
    engine::Direction direction = engine::Direction::kToServer;
    std::string name, buffer;
  };
  using OpenFiles = std::list<OpenFile>;
  struct Side {
    std::uint64_t next = 0;  // offset of the byte that the file ends before
    bool created = false;
    bool stopped = false;  // a gap, or an error
    bool failed = false;   // counted
    bool open = false;
    OpenFiles::iterator file;  // valid if open
  };
  struct Connection {
    Side sides[2];
  };

  StreamExport(std::string directory, int descriptor, std::size_t max_open) : directory_(std::move(directory)), descriptor_(descriptor), max_open_(max_open) {}
  bool ensure_open(const engine::ConnectionInfo& info, engine::Direction direction, Side& side);
  void finish(const engine::ConnectionInfo& info);
  void close_file(Side& side);
  bool flush(OpenFile& file, std::span<const std::byte> more);
  void fail(Side& side, const std::string& name, int error);

  std::string directory_;
  int descriptor_ = -1;
  std::size_t max_open_;
  boost::unordered_flat_map<std::uint64_t, Connection> connections_;
  OpenFiles files_;  // the last used first
  std::uint64_t failed_ = 0;
  std::optional<Problem> problem_;
};

}  // namespace weir::report
