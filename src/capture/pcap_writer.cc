#include "capture/pcap_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <limits>
#include <system_error>

#include "capture/limits.h"

namespace weir::capture {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr TimeNs kLatest = std::int64_t{std::numeric_limits<std::uint32_t>::max()} * kSecond + kSecond - 1;

Error system_error_of(const std::string& path, std::uint64_t offset, std::string_view what, int error) {
  const bool full = error == ENOSPC || error == EDQUOT;
  return {path, offset, std::string(what) + ": " + std::generic_category().message(error), full ? "what was written so far is kept" : ""};
}

}  // namespace

std::expected<PcapWriter, Error> PcapWriter::create(const std::string& path, std::uint32_t link, Precision precision) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
  if (fd < 0) return std::unexpected(system_error_of(path, 0, "cannot be written", errno));
  PcapWriter writer(path, fd, precision);
  constexpr std::uint32_t kVersion24 = std::endian::native == std::endian::little ? 0x0004'0002 : 0x0002'0004;
  const std::array<std::uint32_t, 6> header{precision == Precision::kNanoseconds ? 0xa1b2'3c4d : 0xa1b2'c3d4, kVersion24, 0, 0, kMaxCaptured, link};
  writer.append(header.data(), sizeof header);
  return writer;
}

PcapWriter::PcapWriter(PcapWriter&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      precision_(other.precision_),
      buffer_(std::move(other.buffer_)),
      written_(other.written_),
      error_(std::move(other.error_)) {}

PcapWriter::~PcapWriter() { finish(); }

void PcapWriter::append(const void* from, std::size_t size) {
  const auto* octets = static_cast<const std::byte*>(from);
  buffer_.insert(buffer_.end(), octets, octets + size);
}

void PcapWriter::flush() {
  for (std::span<const std::byte> left = buffer_; !left.empty() && !error_;) {
    const ssize_t done = ::write(fd_, left.data(), left.size());
    if (done >= 0) {
      left = left.subspan(static_cast<std::size_t>(done));
      written_ += static_cast<std::uint64_t>(done);
    } else if (errno != EINTR) {
      error_ = system_error_of(path_, written_, "cannot be written any further", errno);
    }
  }
  buffer_.clear();
}

void PcapWriter::write(TimeNs time, std::span<const std::byte> bytes, std::uint32_t original_bytes) {
  if (error_ || fd_ < 0) return;
  time = std::clamp<TimeNs>(time, 0, kLatest);
  bytes = bytes.first(std::min<std::size_t>(bytes.size(), kMaxCaptured));
  const auto captured = static_cast<std::uint32_t>(bytes.size());
  const std::int64_t fraction = time % kSecond / (precision_ == Precision::kNanoseconds ? 1 : 1000);
  const std::array<std::uint32_t, 4> record{static_cast<std::uint32_t>(time / kSecond), static_cast<std::uint32_t>(fraction), captured,
                                            std::max(original_bytes, captured)};
  if (buffer_.size() + sizeof record + bytes.size() > kBuffer) flush();
  append(record.data(), sizeof record);
  append(bytes.data(), bytes.size());
}

void PcapWriter::finish() {
  if (fd_ < 0) return;
  flush();
  const int failed = ::close(std::exchange(fd_, -1)) == 0 ? 0 : errno;
  // A network file system may tell only now that the disk is full.
  if (failed != 0 && failed != EINTR && !error_) error_ = system_error_of(path_, written_, "cannot be written", failed);
}

std::expected<void, Error> PcapWriter::close() {
  const bool was_open = fd_ >= 0;
  finish();
  if (was_open && error_) return std::unexpected(*error_);
  return {};
}

}  // namespace weir::capture
