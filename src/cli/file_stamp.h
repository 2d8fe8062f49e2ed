// Whether a file is the one that was read, without reading it.
#pragma once

#include <cstdint>
#include <string>

namespace weir::cli {

/// What the file system says of a file; all of it 0: there is none.
struct FileStamp {
  std::uint64_t device = 0, inode = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;  ///< since 1970
  std::int64_t bytes = 0;
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

FileStamp stamp_of(const std::string& path);

/// Whether a later change would show: the clock of a file system goes in steps, and two changes within one look like one.
bool is_settled(const FileStamp& stamp, std::int64_t now_ns);

}  // namespace weir::cli
