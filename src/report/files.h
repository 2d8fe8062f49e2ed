// --export-files: the files out of applications' transfers, each under its SHA-256.
#pragma once

#include <cstdint>
#include <expected>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "engine/observer.h"
#include "report/problem.h"

namespace weir::report {

/// Purpose: DIR/SHA256 for each file that was seen whole, once however often it came; others are DIR/ID.NUMBER.partial, NUMBER counting
/// within the connection. A file is written under a name of its own and renamed when it is complete.
/// Bound: max_open descriptors; the file that waited longest is closed and opened again when more of it comes.
class FileExport : public engine::Observer {
 public:
  static constexpr std::size_t kOpen = 128;

  static std::expected<std::unique_ptr<FileExport>, Problem> open(const std::string& directory, std::size_t max_open = kOpen);
  ~FileExport() override;

  void on_file_data(const engine::ConnectionInfo& info, std::uint64_t number, std::span<const std::byte> bytes) override;
  void on_application(const engine::ApplicationRecord& record) override;
  /// The first thing that went wrong, if any.
  std::optional<Problem> close();
  std::uint64_t failed() const { return failed_; }

 private:
  using Key = std::pair<std::uint64_t, std::uint64_t>;  // connection, file
  struct File {
    std::string name;
    int descriptor = -1;
    bool failed = false;
    std::list<Key>::iterator place;
  };
  FileExport(std::string directory, int descriptor, std::size_t max_open) : directory_(std::move(directory)), descriptor_(descriptor), max_open_(max_open) {}
  bool ensure_open(const Key& key, File& file);
  void close_file(File& file);
  void fail(File& file, int error);

  std::string directory_;
  int descriptor_ = -1;
  std::size_t max_open_;
  std::map<Key, File> files_;
  std::list<Key> open_;  // the last used first
  std::uint64_t failed_ = 0;
  std::optional<Problem> problem_;
};

}  // namespace weir::report
