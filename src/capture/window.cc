#include "capture/window.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "capture/limits.h"

namespace weir::capture {
namespace {

const std::atomic<bool> kNever{false};

}  // namespace

Window::Window(MappedFile file) : shortened_(&file.shortened()), file_(std::move(file)) {
  const auto bytes = file_->bytes();
  at_ = bytes.data();
  end_ = at_ + bytes.size();
  end_offset_ = bytes.size();
}

Window::Window(std::unique_ptr<ByteStream> stream) : shortened_(&kNever), stream_(std::move(stream)) {}

void Window::skip_beyond(std::uint64_t n) {
  to_skip_ += n - left();
  at_ = end_;
}

bool Window::read_more() {
  if (ended_) return false;
  const auto used = static_cast<std::size_t>(end_ - current_.octets.get());
  const auto got = stream_->read({current_.octets.get() + used, current_.capacity - used});
  if (!got || *got == 0) {
    ended_ = true;
    if (!got) failure_ = got.error();
    return false;
  }
  end_ += *got;
  end_offset_ += *got;
  return true;
}

void Window::next_chunk(std::size_t n) {
  Chunk fresh;
  if (n <= kChunk && !spare_.empty()) {
    fresh = std::move(spare_.back());
    spare_.pop_back();
  } else {
    fresh.capacity = std::max(n, kChunk);
    fresh.octets = std::make_unique_for_overwrite<std::byte[]>(fresh.capacity);
  }
  const std::size_t tail = left();
  if (tail > 0) std::memcpy(fresh.octets.get(), at_, tail);
  if (current_.octets) held_.push_back(std::move(current_));
  current_ = std::move(fresh);
  at_ = current_.octets.get();
  end_ = at_ + tail;
}

bool Window::fill(std::size_t n) {
  if (!stream_) return false;
  while (to_skip_ > 0) {
    // Nothing is left to show (left() == 0), and nothing of a fresh chunk was shown: it can be read into again and again.
    next_chunk(kChunk);
    while (to_skip_ > 0 && read_more()) {
      const std::uint64_t skipped = std::min<std::uint64_t>(to_skip_, left());
      to_skip_ -= skipped;
      at_ += skipped;
      if (to_skip_ > 0) at_ = end_ = current_.octets.get();
    }
    if (to_skip_ > 0) return false;
  }
  const std::size_t room = current_.octets ? static_cast<std::size_t>(current_.octets.get() + current_.capacity - at_) : 0;
  if (room < n) next_chunk(n);
  while (left() < n)
    if (!read_more()) return false;
  return true;
}

void Window::release() {
  for (Chunk& chunk : held_)
    if (chunk.capacity == kChunk && spare_.size() < 2) spare_.push_back(std::move(chunk));
  held_.clear();
  if (!file_) return;
  const auto done = static_cast<std::size_t>(at_ - file_->bytes().data());
  if (done - let_go_ < kResident + kLetGo) return;
  file_->let_go(let_go_, kLetGo);
  let_go_ += kLetGo;
}

std::uint64_t Window::consumed() const { return stream_ ? stream_->consumed() : offset(); }

}  // namespace weir::capture
