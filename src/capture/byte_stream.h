// Octets from a file descriptor or a decompressor, one piece after another.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>

namespace weir::capture {

class ByteStream {
 public:
  ByteStream() = default;
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;
  virtual ~ByteStream() = default;

  /// Writes 1 to into.size() octets and says how many; 0 at the end. On failure: why, as in "holds corrupt gzip data".
  virtual std::expected<std::size_t, std::string> read(std::span<std::byte> into) = 0;
  /// Octets taken from the file so far (compressed ones, if it is).
  virtual std::uint64_t consumed() const = 0;
};

/// A file, pipe or device. Owns its descriptor.
class FdStream final : public ByteStream {
 public:
  explicit FdStream(int fd) : fd_(fd) {}
  ~FdStream() override;

  /// The first octets, which read() gives again; fewer only at the end of the input. Before any read().
  std::expected<std::span<const std::byte>, std::string> peek();
  std::expected<std::size_t, std::string> read(std::span<std::byte> into) override;
  std::uint64_t consumed() const override { return consumed_; }

 private:
  std::expected<std::size_t, std::string> read_some(std::span<std::byte> into) const;

  int fd_;
  std::array<std::byte, 8> first_{};
  std::span<const std::byte> peeked_;  ///< what of first_ is still to be given
  std::uint64_t consumed_ = 0;
};

/// The uncompressed form of `in`. Several members (gzip) or frames (zstd) in a row are one stream.
std::unique_ptr<ByteStream> gunzip(std::unique_ptr<ByteStream> in);
std::unique_ptr<ByteStream> unzstd(std::unique_ptr<ByteStream> in);

bool is_gzip(std::span<const std::byte> first);
bool is_zstd(std::span<const std::byte> first);

}  // namespace weir::capture
