#include "capture/byte_stream.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace weir::capture {

FdStream::~FdStream() {
  if (fd_ > STDERR_FILENO) ::close(fd_);
}

std::expected<std::size_t, std::string> FdStream::read_some(std::span<std::byte> into) const {
  for (;;) {
    const ssize_t got = ::read(fd_, into.data(), into.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return std::unexpected("cannot be read: " + std::generic_category().message(errno));
  }
}

std::expected<std::span<const std::byte>, std::string> FdStream::peek() {
  std::size_t have = 0;
  while (have < first_.size()) {
    const auto got = read_some(std::span(first_).subspan(have));
    if (!got) return std::unexpected(got.error());
    if (*got == 0) break;
    have += *got;
  }
  peeked_ = std::span(first_).first(have);
  return peeked_;
}

std::expected<std::size_t, std::string> FdStream::read(std::span<std::byte> into) {
  if (!peeked_.empty()) {
    const std::size_t take = std::min(peeked_.size(), into.size());
    std::memcpy(into.data(), peeked_.data(), take);
    peeked_ = peeked_.subspan(take);
    consumed_ += take;
    return take;
  }
  auto got = read_some(into);
  if (got) consumed_ += *got;
  return got;
}

}  // namespace weir::capture
