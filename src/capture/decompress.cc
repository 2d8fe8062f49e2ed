// gzip by zlib, zstd by libzstd: both behind ByteStream, with one buffer for their input.
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "capture/byte_stream.h"

namespace weir::capture {
namespace {

/// Octets of compressed input held at once.
constexpr std::size_t kInput = 128 << 10;

/// Compressed octets that a decompressor works off.
class Input {
 public:
  explicit Input(std::unique_ptr<ByteStream> in) : in_(std::move(in)), buffer_(kInput) {}

  /// What is left; after a refill empty only at the end of the file.
  std::expected<std::span<std::byte>, std::string> some() {
    if (left_.empty()) {
      const auto got = in_->read(buffer_);
      if (!got) return std::unexpected(got.error());
      left_ = std::span(buffer_).first(*got);
    }
    return left_;
  }
  void take(std::size_t octets) { left_ = left_.subspan(octets); }
  std::uint64_t consumed() const { return in_->consumed() - left_.size(); }

 private:
  std::unique_ptr<ByteStream> in_;
  std::vector<std::byte> buffer_;
  std::span<std::byte> left_;
};

class GzipStream final : public ByteStream {
 public:
  explicit GzipStream(std::unique_ptr<ByteStream> in) : in_(std::move(in)) {
    constexpr int kGzipOnly = MAX_WBITS + 16;  // a gzip wrapper, not zlib's or none
    ready_ = inflateInit2(&z_, kGzipOnly) == Z_OK;
  }
  ~GzipStream() override {
    if (ready_) inflateEnd(&z_);
  }

  std::expected<std::size_t, std::string> read(std::span<std::byte> into) override {
    if (!ready_) return std::unexpected("cannot be decompressed: no memory");
    if (failed_) return std::unexpected(std::string(kCorrupt));
    into = into.first(std::min<std::size_t>(into.size(), std::numeric_limits<uInt>::max()));
    z_.next_out = reinterpret_cast<Bytef*>(into.data());
    z_.avail_out = static_cast<uInt>(into.size());
    while (produced(into) == 0) {
      auto some = in_.some();
      if (!some) return std::unexpected(some.error());
      if (!inside_ && !begins_member(*some)) return 0;
      inside_ = true;
      z_.next_in = reinterpret_cast<Bytef*>(some->data());
      z_.avail_in = static_cast<uInt>(some->size());
      const int result = inflate(&z_, Z_NO_FLUSH);
      in_.take(some->size() - z_.avail_in);
      if (result == Z_STREAM_END) {
        inside_ = false;
        inflateReset(&z_);
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        failed_ = true;
        if (produced(into) == 0) return std::unexpected(std::string(kCorrupt));  // else what came out before the damage goes first
      } else if (some->empty() && produced(into) == 0) {
        return std::unexpected("is cut off inside its gzip data");
      }
    }
    return produced(into);
  }
  std::uint64_t consumed() const override { return in_.consumed(); }

 private:
  static constexpr const char* kCorrupt = "holds corrupt gzip data";

  std::size_t produced(std::span<std::byte> into) const { return into.size() - z_.avail_out; }
  /// Between members: zeros up to the end are a tape's padding, which gzip passes over as well.
  bool begins_member(std::span<std::byte>& some) {
    const auto begin = std::ranges::find_if(some, [](std::byte b) { return b != std::byte{0}; });
    const auto zeros = static_cast<std::size_t>(begin - some.begin());
    in_.take(zeros);
    some = some.subspan(zeros);
    return !some.empty();
  }

  Input in_;
  z_stream z_{};
  bool ready_ = false;
  bool inside_ = false;  ///< a member has begun and not ended
  bool failed_ = false;
};

class ZstdStream final : public ByteStream {
 public:
  explicit ZstdStream(std::unique_ptr<ByteStream> in) : in_(std::move(in)), z_(ZSTD_createDStream()) {}
  ~ZstdStream() override { ZSTD_freeDStream(z_); }

  std::expected<std::size_t, std::string> read(std::span<std::byte> into) override {
    if (z_ == nullptr) return std::unexpected("cannot be decompressed: no memory");
    if (!failure_.empty()) return std::unexpected(failure_);
    ZSTD_outBuffer out{into.data(), into.size(), 0};
    while (out.pos == 0) {
      const auto some = in_.some();
      if (!some) return std::unexpected(some.error());
      if (some->empty() && !pending_) {
        if (inside_) return std::unexpected("is cut off inside its zstd data");
        return 0;
      }
      ZSTD_inBuffer input{some->data(), some->size(), 0};
      const std::size_t result = ZSTD_decompressStream(z_, &out, &input);
      in_.take(input.pos);
      if (ZSTD_isError(result) != 0U) {
        failure_ = std::string("holds corrupt zstd data: ") + ZSTD_getErrorName(result);
        if (out.pos > 0) return out.pos;  // what came out before the damage
        return std::unexpected(failure_);
      }
      inside_ = result != 0;
      pending_ = inside_ && out.pos == out.size;  // more may come out without more going in
    }
    return out.pos;
  }
  std::uint64_t consumed() const override { return in_.consumed(); }

 private:
  Input in_;
  ZSTD_DStream* z_;
  bool inside_ = false;
  bool pending_ = false;
  std::string failure_;
};

bool begins_with(std::span<const std::byte> first, std::initializer_list<unsigned> magic) {
  return first.size() >= magic.size() && std::ranges::equal(first.first(magic.size()), magic, {}, [](std::byte b) { return std::to_integer<unsigned>(b); });
}

}  // namespace

std::unique_ptr<ByteStream> gunzip(std::unique_ptr<ByteStream> in) { return std::make_unique<GzipStream>(std::move(in)); }
std::unique_ptr<ByteStream> unzstd(std::unique_ptr<ByteStream> in) { return std::make_unique<ZstdStream>(std::move(in)); }

bool is_gzip(std::span<const std::byte> first) { return begins_with(first, {0x1f, 0x8b}); }

bool is_zstd(std::span<const std::byte> first) {
  if (begins_with(first, {0x28, 0xb5, 0x2f, 0xfd})) return true;
  // RFC 8878 §3.1.2: skippable frames, with which parallel compressors begin.
  return first.size() >= 4 && (first[0] & std::byte{0xf0}) == std::byte{0x50} && begins_with(first.subspan(1), {0x2a, 0x4d, 0x18});
}

}  // namespace weir::capture
