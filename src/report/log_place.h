// One place that a standing log goes to: a file, standard output or another stream, a Unix socket that a collector listens on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace weir::report {

/// When a log file is put aside: PATH becomes PATH.1, that becomes PATH.2 and so on.
struct Rotation {
  std::int64_t bytes = 0;  ///< before a file would grow beyond this; 0: never
  std::int64_t keep = 5;   ///< files put aside; the oldest goes
};

/// Purpose: writes that never wait for a reader. Ownership: the descriptor, unless it is standard output. One owner, one thread.
/// Errors are errno values, 0: none. A regular file can wait for its disk: who must not wait writes from a thread of its own.
class LogPlace {
 public:
  /// `name`: a path, "-", or "unix:PATH".
  LogPlace(std::string name, Rotation rotation) : name_(std::move(name)), rotation_(rotation) {}
  LogPlace(const LogPlace&) = delete;
  LogPlace& operator=(const LogPlace&) = delete;
  ~LogPlace() { close(); }

  const std::string& name() const { return name_; }
  int open();
  void close();
  bool is_open() const { return descriptor_ >= 0; }
  /// To be polled for writing while write() says EAGAIN.
  int descriptor() const { return descriptor_; }
  /// A file: it has an end that can be cut, and can be put aside.
  bool is_file() const { return kind_ == Kind::kFile; }
  /// A reader that comes by itself: opening is tried again until there is one.
  bool awaits_reader() const;

  struct Written {
    std::size_t bytes = 0;
    int error = 0;  ///< EAGAIN: no room just now
  };
  Written write(std::string_view text);
  /// Cuts what was written last, the beginning of a line, off the file; false: it stays, and the next write() ends that line first.
  bool take_back(std::size_t bytes);

  /// How much more goes into the file before it is to be put aside.
  std::size_t room() const;
  bool has_content() const { return size_ > 0; }
  /// Puts the file aside and begins another. If that fails, the one that is open goes on.
  int rotate();
  /// Opens the path again, for a file that was moved away. If that fails, the one that is open goes on.
  int reopen();

 private:
  enum class Kind : std::uint8_t { kFile, kSocket, kPollable };

  void adopt(int descriptor);
  int connect_socket();
  bool still_at_its_path() const;

  std::string name_;
  Rotation rotation_;
  int descriptor_ = -1;
  Kind kind_ = Kind::kFile;
  bool newline_owed_ = false;  ///< the file ends within a line that is not ours any more
  std::int64_t size_ = 0;      ///< of a file
};

}  // namespace weir::report
