// Whole lines on their way to the log: gathered by one writer, handed to what all writers share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace weir::report {

/// Takes whole lines, each with its '\n'. Those of one call stay together.
class LineSink {
 public:
  virtual ~LineSink() = default;
  /// `count` lines; what becomes of lines that cannot be written is the sink's to say.
  virtual void submit(std::string&& lines, std::uint64_t count) = 0;
};

/// Purpose: the lines of one writer until they are handed over. Invariant: nothing but whole lines is. One owner, one thread.
class LineBuffer {
 public:
  explicit LineBuffer(LineSink& sink) : sink_(sink) {}

  /// The text being gathered: append whole lines, then call line_done().
  std::string& text() { return text_; }
  void line_done() {
    ++lines_;
    if (text_.size() >= kFlushAt) flush();
  }
  void flush() {
    if (lines_ == 0) return;
    sink_.submit(std::exchange(text_, {}), std::exchange(lines_, 0));
  }

 private:
  static constexpr std::size_t kFlushAt = 256 << 10;  // bytes; larger writes gain nothing measurable

  LineSink& sink_;
  std::string text_;
  std::uint64_t lines_ = 0;  // in text_
};

}  // namespace weir::report
