// Captures made octet by octet for the tests, and what a reader gets out of them.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "capture/limits.h"
#include "capture/merged_captures.h"

namespace weir::capture::crafted {

/// Octets in the byte order asked for.
class Octets {
 public:
  explicit Octets(bool swapped = false) : swapped_(swapped) {}
  template <typename T>
  Octets& put(T value) {
    if constexpr (sizeof(T) > 1)
      if (swapped_) value = std::byteswap(value);
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Octets& u8(std::uint8_t v) { return put(v); }
  Octets& u16(std::uint16_t v) { return put(v); }
  Octets& u32(std::uint32_t v) { return put(v); }
  Octets& u64(std::uint64_t v) { return put(v); }
  Octets& raw(std::string_view text) {
    text_ += text;
    return *this;
  }
  Octets& pad() {
    text_.resize((text_.size() + 3) / 4 * 4);
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool swapped_;
};

// --- classic pcap ---
inline std::string pcap_header(bool swapped = false, std::uint32_t magic = 0xa1b2c3d4, std::uint32_t link = 1) {
  return Octets(swapped).u32(magic).u16(2).u16(4).u32(0).u32(0).u32(65535).u32(link).text();
}
inline std::string pcap_record(std::string_view data, std::uint32_t seconds, std::uint32_t fraction = 0, bool swapped = false, std::uint32_t original = 0) {
  const auto size = static_cast<std::uint32_t>(data.size());
  return Octets(swapped).u32(seconds).u32(fraction).u32(size).u32(original == 0 ? size : original).raw(data).text();
}

// --- pcapng ---
inline std::string block(std::uint32_t type, std::string_view body, bool swapped = false) {
  const std::string padded = Octets().raw(body).pad().text();
  const auto length = static_cast<std::uint32_t>(padded.size() + 12);
  return Octets(swapped).u32(type).u32(length).raw(padded).u32(length).text();
}
inline std::string section(bool swapped = false) {
  return block(0x0a0d0d0a, Octets(swapped).u32(0x1a2b3c4d).u16(1).u16(0).u64(~std::uint64_t{0}).text(), swapped);
}
inline std::string option(std::uint16_t code, std::string_view value, bool swapped = false) {
  return Octets(swapped).u16(code).u16(static_cast<std::uint16_t>(value.size())).raw(value).pad().text();
}
inline std::string interface(std::string_view options = {}, std::uint16_t link = 1, std::uint32_t snap = 0, bool swapped = false) {
  return block(1, Octets(swapped).u16(link).u16(0).u32(snap).raw(options).text(), swapped);
}
inline std::string enhanced(std::string_view data, std::uint64_t ticks, std::uint32_t index = 0, bool swapped = false, std::string_view options = {}) {
  const auto size = static_cast<std::uint32_t>(data.size());
  return block(6,
               Octets(swapped)
                   .u32(index)
                   .u32(static_cast<std::uint32_t>(ticks >> 32))
                   .u32(static_cast<std::uint32_t>(ticks))
                   .u32(size)
                   .u32(size)
                   .raw(data)
                   .pad()
                   .raw(options)
                   .text(),
               swapped);
}

// --- compression ---
inline std::string gzip(std::string_view text) {
  z_stream z{};
  deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, text.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}
inline std::string zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);  // as the zstd program does
  out.resize(ZSTD_compress2(context, out.data(), out.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  return out;
}

/// A folder that goes with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "weir-capture-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string write(const std::string& name, std::string_view text) const {
    const auto path = std::filesystem::path(path_) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Packet {
  std::string bytes;
  TimeNs time = 0;
  std::uint32_t original = 0;
  LinkType link = LinkType::kUnsupported;
  std::string point;
  bool stays = false;
};

struct Result {
  std::vector<Packet> packets;
  std::vector<Error> errors;
  std::vector<std::string> warnings, points;
};

/// All that is in the captures, read in batches; octets are looked at only when the batch is complete.
inline Result read_all(const std::vector<std::string>& paths, std::size_t batch = kBatch) {
  MergedCaptures input(paths);
  Result result;
  std::vector<RawPacket> packets(batch);
  std::vector<PointId> points;
  while (const std::size_t count = input.next_batch(packets)) {
    for (const RawPacket& packet : std::span(packets).first(count)) {
      result.packets.push_back({std::string(reinterpret_cast<const char*>(packet.bytes.data()), packet.bytes.size()),
                                packet.time_ns,
                                packet.original_bytes,
                                packet.link,
                                {},
                                packet.stays});
      points.push_back(packet.point);
    }
  }
  result.points = input.points().names();
  for (std::size_t i = 0; i < points.size(); ++i) result.packets[i].point = result.points[points[i]];
  result.errors = input.errors();
  result.warnings = input.warnings();
  return result;
}

inline std::vector<std::string> bytes_of(const Result& result) {
  std::vector<std::string> all;
  for (const Packet& packet : result.packets) all.push_back(packet.bytes);
  return all;
}

}  // namespace weir::capture::crafted
