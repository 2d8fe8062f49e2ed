#include "pcap_stream.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace weir::bench {
namespace {

constexpr std::size_t kBufferBytes = 4 << 20;
constexpr std::uint32_t kMagicMicroseconds = 0xa1b2c3d4, kVersion = 2 | 4U << 16U, kSnapLength = 262'144, kEthernet = 1;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

}  // namespace

PcapStream::PcapStream(const std::string& name)
    : descriptor_(name == "-" ? STDOUT_FILENO : ::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)), buffer_(kBufferBytes) {
  if (descriptor_ < 0) fail(name.c_str());
  const std::array<std::uint32_t, 6> header{kMagicMicroseconds, kVersion, 0, 0, kSnapLength, kEthernet};
  append(std::as_bytes(std::span(header)));
}

PcapStream::~PcapStream() {
  if (descriptor_ != STDOUT_FILENO) ::close(descriptor_);
}

void PcapStream::append(std::span<const std::byte> bytes) {
  if (used_ + bytes.size() > buffer_.size()) flush();
  std::memcpy(buffer_.data() + used_, bytes.data(), bytes.size());
  used_ += bytes.size();
  bytes_ += bytes.size();
}

void PcapStream::write(std::span<const std::byte> headers, std::span<const std::byte> payload) {
  const auto size = static_cast<std::uint32_t>(headers.size() + payload.size());
  const std::array<std::uint32_t, 4> record{static_cast<std::uint32_t>(now_us_ / 1'000'000), static_cast<std::uint32_t>(now_us_ % 1'000'000), size, size};
  append(std::as_bytes(std::span(record)));
  append(headers);
  append(payload);
  now_us_ += pace_us_;
  ++packets_;
}

void PcapStream::flush() {
  for (std::size_t at = 0; at < used_;) {
    const ssize_t written = ::write(descriptor_, buffer_.data() + at, used_ - at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("writing the capture");
    at += static_cast<std::size_t>(written);
  }
  used_ = 0;
}

void PcapStream::finish() { flush(); }

}  // namespace weir::bench
