// The capture points of a run: every file, and every interface inside a file where there are several.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/raw_packet.h"

namespace weir::capture {

/// A capture's name without folder, compression suffix (.gz, .zst) and capture suffix (.pcap*, .cap); "stdin" for "-".
std::string capture_name(std::string_view path);

/// Purpose: hands out PointIds as interfaces are met, and knows what they are called.
/// Invariant: ids are dense from 0; a file has one id from the moment it is added, in the order of the command line, and its
/// first interface takes that one. There are never more than kMaxPoints: an interface beyond them shares the last id.
/// Names may get longer while the input is read (a second interface, a second file of one name); at its end they are final.
class PointTable {
 public:
  static constexpr std::size_t kMaxPoints = 65'535;

  using FileId = std::uint32_t;
  FileId add_file(std::string_view path);
  /// The point of the file's interface `label`: a name, or a number if it has none.
  PointId interface(FileId file, std::string_view label);
  /// The point of a file that tells no interfaces.
  PointId whole(FileId file) const { return files_[file].points.front(); }

  std::size_t size() const { return points_.size(); }
  /// Unique over the table.
  std::vector<std::string> names() const;
  /// The same of one point; remembers the names until one is added.
  const std::string& name(PointId point) const;

  /// A packet of an interface that has no id of its own because the table is full.
  void count_shared() { ++shared_packets_; }
  bool full() const { return points_.size() >= kMaxPoints; }
  std::uint64_t shared_packets() const { return shared_packets_; }

 private:
  struct File {
    std::string path;
    std::vector<PointId> points;
    bool labelled = false;  ///< its first point has been claimed by an interface
  };
  struct Point {
    FileId file;
    std::string label;
  };
  PointId add_point(FileId file, std::string_view label);
  std::vector<std::string> file_names() const;

  std::vector<File> files_;
  std::vector<Point> points_;
  std::uint64_t shared_packets_ = 0;
  mutable std::vector<std::string> names_;  ///< cache of names(), empty when stale
};

}  // namespace weir::capture
